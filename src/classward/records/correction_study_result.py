"""Result of `classward correct study`: every table of the logits paper for one classifier."""

from typing import Any, Literal

from classward.records.comparison_result import Difference
from classward.records.correction_result import CorrectionTable, TransferTable
from classward.records.detection_result import DetectionTable
from classward.records.explanation_result import Explanation
from classward.records.result import Matrix, Result, Share, Statistic, result


@result
class Accuracies(Result):
    """Accuracy over one set of samples.

    Attributes:
        clean: Of the bare classifier on clean images.
        clean_corrected: With the corrector.
        attacked: Of the bare classifier on attacked images.
        attacked_corrected: With the corrector.
    """

    clean: Share
    clean_corrected: Share
    attacked: Share
    attacked_corrected: Share


@result
class OwnAttack(Result):
    """A corrector on an attack that it was fitted on (Tables 1 and 2 of the paper).

    Attributes:
        network: The classifier that was attacked.
        corrector: Name of the corrector.
        attack: Name of the attack.
        full: Over all samples.
        selected: Over those that the first network gets right when clean.
        recovered: Of the samples that were right and fell, those right again.
        damaged: Of the samples that are right when clean, those made wrong.
    """

    network: str
    corrector: str
    attack: str
    full: Accuracies
    selected: Accuracies
    recovered: Share
    damaged: Share


@result
class Foreign(Result):
    """Logits of another network, over the samples that the first network gets right.

    Attributes:
        bare: Accuracy of that network.
        own: With the corrector that was fitted on it.
        raw: With the corrector of the first network, on the logits as they are.
        standardised: The same on logits of the mean and spread of the first network's.
    """

    bare: Share
    own: Share
    raw: Share
    standardised: Share


@result
class NetworkTransfer(Result):
    """A corrector of the first network on another network.

    Attributes:
        network: The other network.
        attack: The attack on it, which the corrector knows from the first.
        clean: On clean images.
        attacked: On attacked ones.
    """

    network: str
    attack: str
    clean: Foreign
    attacked: Foreign


@result
class SupportOverlap(Result):
    """Do attacks of the same supporting classes share their correctors (Sec. 5.2)?

    Attributes:
        attacks: Names of rows and columns.
        overlap: Bhattacharyya coefficients of the counts, each of an attack's own corrector.
        correlation: Spearman's of these and the transfer accuracy, off the diagonal; undefined
            where either is constant.
    """

    attacks: list[str]
    overlap: Matrix
    correlation: Statistic | None


@result
class Ablation(Result):
    """A corrector fitted with one thing changed, over selected samples.

    Attributes:
        group: What is varied.
        name: To what.
        training_samples: Samples it was fitted on.
        clean: Accuracy on clean images.
        attacked: Accuracy on attacked ones.
    """

    group: str
    name: str
    training_samples: int
    clean: Share
    attacked: Share


@result
class Ablations(Result):
    """What the corrector of one attack owes to its parts.

    Attributes:
        attack: The attack it is fitted and judged on.
        variants: One for each change.
        second_layer: Two layers minus one under the attack, on the same samples.
    """

    attack: str
    variants: list[Ablation]
    second_layer: Difference


@result
class CorrectionStudy(Result):
    """Every table of the logits paper, of one classifier.

    Attributes:
        model: The classifier.
        data: The images it was judged on.
        samples: Their number.
        training_samples: Number of the images that were attacked to fit on.
        eps: Radius of the attacks that have one, in pixel units.
        norm: Their norm.
        seed: Seed of everything random.
        attacks: Name -> the attack with its options.
        corrector: A corrector with its options.
        own: Each corrector on the attacks it was fitted on, of every network.
        transfer: Correctors and attacks, over selected samples.
        transfer_full: The same over all samples.
        networks: Correctors of the first network on the others.
        supporting: Overlap of the supporting classes, and what it says of transfer.
        explanations: Corrector -> what it listens to under its own attack.
        detection: Detectors fitted on the training records, on each attack.
        adaptive: Corrector -> its three columns, over the first samples.
        ablations: Undefined if not asked for.
    """

    model: str
    data: str
    samples: int
    training_samples: int
    eps: float
    norm: Literal["linf"]
    seed: int
    attacks: dict[str, str]
    corrector: str
    own: list[OwnAttack]
    transfer: TransferTable
    transfer_full: TransferTable
    networks: list[NetworkTransfer]
    supporting: SupportOverlap
    explanations: dict[str, Explanation]
    detection: DetectionTable
    adaptive: dict[str, CorrectionTable]
    ablations: Ablations | None

    def rows(self) -> list[dict[str, Any]]:
        """One row for each corrector and attack it was fitted on, over selected samples."""
        return [
            {
                "network": row.network,
                "corrector": row.corrector,
                "attack": row.attack,
                "clean": row.selected.clean.value,
                "clean_corrected": row.selected.clean_corrected.value,
                "attacked": row.selected.attacked.value,
                "attacked_corrected": row.selected.attacked_corrected.value,
                "recovered": row.recovered.value,
                "damaged": row.damaged.value,
            }
            for row in self.own
        ]
