"""Result of `classward demo`."""

from typing import Any

from classward.records.audit_result import Audit
from classward.records.correction_result import CorrectionTable, TransferTable
from classward.records.defense_result import DefenseTable
from classward.records.result import Result, Share, result


@result
class Demo(Result):
    """The whole story on the embedded digits.

    Attributes:
        audit: The undefended network.
        correction: The corrector fitted on PGD, in three columns.
        transfer: Correctors and attacks, four by four and their union.
        one_layer: Gray-box accuracy of a corrector with one layer, under PGD.
        training: Symmetry-aware against adversarial training.
        seconds: Stage -> wall time.
        findings: What holds and what does not, one sentence each.
    """

    audit: Audit
    correction: CorrectionTable
    transfer: TransferTable
    one_layer: Share
    training: DefenseTable
    seconds: dict[str, float]
    findings: list[str]

    def headline(self) -> str:
        """That of the audit."""
        return self.audit.headline()

    def rows(self) -> list[dict[str, Any]]:
        """One row for each class, of the audit."""
        return self.audit.rows()
