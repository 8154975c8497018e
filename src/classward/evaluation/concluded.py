"""The end of an audit: its result and examples in the run folder, made once."""

from collections.abc import Callable

from classward.evaluation.checking import Asked
from classward.evaluation.examples import pair_examples
from classward.evaluation.plan import HEADLINE
from classward.records.audit_result import Audit
from classward.records.examples import write_examples
from classward.records.locks import Patience
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import dump, load

RESULT = "result.json"


def concluded_by_one(
    folder: RunFolder,
    asked: Asked,
    record: Record,
    concluded: Callable[[], Audit],
    patience: float,
) -> Audit:
    """The result, concluded and written here or by another process that joined.

    Args:
        folder: Of the run.
        asked: What the audit was asked.
        record: Its headline attack's.
        concluded: Makes the result.
        patience: Seconds after which it gives up on who concludes and does not go on.

    Raises:
        InputError: If the result that is there is damaged.
        SystemFaultError: If who concludes does not go on, or the disk is full.
    """
    waiting, file = Patience(folder.path, patience), folder.path / RESULT
    while True:
        with folder.claimed("result") as mine:
            if folder.joined and file.exists():
                there = load(file.read_bytes(), str(file))
                assert isinstance(there, Audit)
                return there
            if mine:
                with folder.beating("result"):
                    result = concluded()
                    _write(folder, asked, record, result)
                return result
        waiting.wait()


def _write(folder: RunFolder, asked: Asked, record: Record, result: Audit) -> None:
    head = asked.planned[HEADLINE]
    examples = pair_examples(
        asked.model,
        asked.data,
        record,
        head.attack,
        head.loss,
        result.maximum_symmetry_pairs,
        device=asked.run["device"],
    )
    write_examples(folder, examples)
    folder.write(RESULT, dump(result).encode())
