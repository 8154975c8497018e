"""Running a suite: attacks one after the other, each on the samples that still stand."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from classward.core.types import Labels, Precision
from classward.core.wilson import wilson
from classward.data.split import Split
from classward.evaluation.gradient_models import eot
from classward.evaluation.judge import Judge, Model, judging, model_digest
from classward.evaluation.request import versions
from classward.evaluation.run_attack import run_attack
from classward.evaluation.suites import Suite
from classward.records.record import Record
from classward.records.result import Passes
from classward.records.run_folder import RunFolder

Progress = Callable[[str, int, int], None]  # attack, samples done, samples it attacks


@dataclass(frozen=True, kw_only=True, eq=False)
class SuiteResult:
    """What stands after a suite.

    Attributes:
        suite: The suite.
        ids: Sample ids, ascending; the order of everything below.
        labels: True classes.
        correct: Whether a sample was classified right before the attacks.
        robust: Whether it was, and still is after each of them (worst case per sample).
        records: Record of each attack, of the samples that stood when it began. An attack that
            found none standing has no record.
        settings: What was asked, plain JSON values.
    """

    suite: Suite
    ids: Int64[Tensor, " n"]
    labels: Labels
    correct: Bool[Tensor, " n"]
    robust: Bool[Tensor, " n"]
    records: dict[str, Record]
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def clean_accuracy(self) -> float:
        """Share of `correct`."""
        return self.correct.double().mean().item()

    @property
    def robust_accuracy(self) -> float:
        """Share of `robust`."""
        return self.robust.double().mean().item()

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the robust accuracy."""
        return wilson(int(self.robust.sum()), len(self))

    @property
    def passes(self) -> Passes:
        """Images sent through the network, in all."""
        counts = [record.passes for record in self.records.values()]
        return Passes(
            forward=len(self) + sum(count.forward for count in counts),
            backward=sum(count.backward for count in counts),
        )

    @property
    def fell(self) -> dict[str, list[int]]:
        """Ids of the samples that each attack brought down."""
        return {
            name: record.ids[~record.robust].tolist() for name, record in self.records.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values; the records are left out but for their ids."""
        return {
            "suite": self.suite.name,
            "samples": len(self),
            "clean_accuracy": self.clean_accuracy,
            "robust_accuracy": self.robust_accuracy,
            "interval": list(self.interval),
            "robust": self.ids[self.robust].tolist(),
            "attacks": {
                name: {
                    "options": str(self.suite.entries[name]),
                    "attacked": record.ids.tolist(),
                    "fell": self.fell[name],
                }
                for name, record in self.records.items()
            },
            "passes": self.passes.to_dict(),
            "seconds": sum(record.seconds for record in self.records.values()),
            "settings": self.settings,
        }


def run_suite(
    model: Model,
    suite: Suite,
    data: Split,
    *,
    gradient_model: Model | None = None,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    precision: Precision = "exact",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SuiteResult:
    """Run each attack on the samples that are right and that no attack before it turned.

    Args:
        model: Images in [0, 1] to logits; judged in eval mode.
        suite: The attacks, such as `autoattack(Linf(8 / 255))`.
        data: The samples.
        gradient_model: What the attacks differentiate; by default what `run_attack` chooses.
        seed: Seed of the run.
        batch_size: Images at once.
        device: A torch device.
        precision: "fast" leads the attacks by bfloat16; see `run_attack`.
        out: Folder for the records and `suite.json`; nothing is written by default.
        resume: Go on with the run in `out`.
        overwrite: Replace the run in `out`.
        progress: Called after each batch.

    Raises:
        InputError: If model, data and options do not fit each other.
        InvariantError: If an attack breaks a promise.
    """
    data = data.select(data.ids.argsort())
    correct = _correct(model, data, batch_size, device)
    settings = _settings(model, suite, data, seed, device) | {"mode": precision}
    robust, records = correct.clone(), {}
    with ExitStack() as held:
        folder = None
        if out is not None:
            folder = held.enter_context(
                RunFolder.create(out, "suite", settings, resume=resume, overwrite=overwrite)
            )
        for name, entry in suite.entries.items():
            where = robust.nonzero().flatten()
            if len(where) == 0:
                break
            differentiated = gradient_model
            if entry.draws > 1:
                differentiated = eot(gradient_model or model, entry.draws, seed=seed)
            records[name] = run_attack(
                model,
                entry.attack,
                data.select(where),
                gradient_model=differentiated,
                until="first_success",
                restarts=entry.restarts,
                seed=seed,
                batch_size=batch_size,
                device=device,
                precision=precision,
                out=None if folder is None else folder.path / name,
                resume=resume,
                progress=None if progress is None else _named(progress, name),
            )
            robust[where] = records[name].robust
        result = SuiteResult(
            suite=suite,
            ids=data.ids,
            labels=data.labels,
            correct=correct,
            robust=robust,
            records=records,
            settings=settings,
        )
        if folder is not None:
            folder.write_json("suite.json", result.to_dict())
    return result


def _correct(model: Model, data: Split, batch_size: int, device: str) -> Bool[Tensor, " n"]:
    """Which samples the classifier gets right before any attack."""
    with judging(model, device):
        judge, right = Judge(model, data, device), []
        for positions in torch.arange(len(data)).split(batch_size):
            images, labels, ids = judge.batch(positions)
            right.append((judge.logits(images, ids).argmax(dim=1) == labels).cpu())
    return torch.cat(right)


def _settings(
    model: Model, suite: Suite, data: Split, seed: int, device: str
) -> dict[str, Any]:
    return {
        "suite": suite.name,
        "attacks": {name: str(entry) for name, entry in suite.entries.items()},
        "seed": seed,
        "device": device,
        "model": model_digest(model),
        "data": data.name,
        "data_digest": data.digest(),
        "samples": len(data),
        "versions": versions(),
    }


def _named(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)
