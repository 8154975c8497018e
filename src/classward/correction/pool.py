"""Clean and attacked logits to learn from, and how Algorithm 1 draws them.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Algorithm 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from classward.core.errors import InputError
from classward.core.types import Labels, Logits
from classward.correction.tables import check_logits, check_shape
from classward.records.record import CHUNK, Record
from classward.records.rows import Rows

Target = Literal["label", "prediction"]


@dataclass(frozen=True)
class Pool:
    """Rows of one or several attack records.

    Attributes:
        clean: Logits before the attack, read where they are drawn.
        adversarial: Logits after it, likewise.
        targets: The class that the corrector shall give.
        ids: Sample of each row; attacked more than once, a sample has several rows.
    """

    clean: Rows
    adversarial: Rows
    targets: Labels
    ids: Int64[Tensor, " n"]

    @classmethod
    def of_records(cls, records: Sequence[Record], target: Target) -> "Pool":
        """Rows of all records; the target is the data set's label or the clean prediction."""
        wanted = [r.labels if target == "label" else r.clean_predictions for r in records]
        return cls(
            clean=Rows([part for record in records for part in record.clean_rows.parts]),
            adversarial=Rows(
                [part for record in records for part in record.adversarial_rows.parts]
            ),
            targets=torch.cat(wanted),
            ids=torch.cat([record.ids for record in records]),
        )

    @property
    def samples(self) -> int:
        """Number of samples, each counted once."""
        return len(self.ids.unique())

    def draw(
        self, p: float, generator: torch.Generator
    ) -> tuple[Int64[Tensor, " m"], Bool[Tensor, " m"]]:
        """Draw one epoch: every sample once, in random order (Algorithm 1, line 5).

        Returns:
            A row of each sample, each of its rows (that is, each attack) alike likely; and
            whether it shows its clean logits, which it does with probability `p`.
        """
        _, sample = self.ids.unique(return_inverse=True)
        by_sample, counts = sample.argsort(stable=True), sample.bincount()
        first = counts.cumsum(0) - counts
        order = torch.randperm(len(counts), generator=generator)
        attack = torch.rand(len(counts), generator=generator) * counts[order]
        shows_clean = torch.rand(len(counts), generator=generator) < p
        return by_sample[first[order] + attack.long()], shows_clean

    def batch(
        self, rows: Int64[Tensor, " b"], shows_clean: Bool[Tensor, " b"], device: str
    ) -> tuple[Logits, Labels]:
        """Logits and targets of the drawn rows."""
        logits = torch.empty(len(rows), self.clean.shape[1])
        for table, shown in ((self.clean, shows_clean), (self.adversarial, ~shows_clean)):
            logits[shown] = table.take(rows[shown])
        return logits.to(device), self.targets[rows].to(device)


def check_records(records: Sequence[Record]) -> None:
    """Refuse records that no corrector can learn from together; logits are read in chunks.

    Raises:
        InputError: If one is not of final iterates, of other classes, or its logits are unfit.
    """
    for number, record in enumerate(records):
        check_final(record, f"record {number}")
        tables = {
            "clean_logits": record.clean_rows,
            "adversarial_logits": record.adversarial_rows,
        }
        for name, rows in tables.items():
            source = f"record {number}, {name}"
            check_shape(rows.shape, source, records[0].classes)
            check_logits(rows.chunks(CHUNK), source)


def check_final(record: Record, name: str) -> None:
    """Refuse logits of attacks that stopped early; those of an API log are taken as they are.

    Raises:
        InputError: If the record is not of final iterates; `name` is called.
    """
    if record.settings.get("until") is not None:
        raise InputError(f"{name} stopped at first success; attack anew with until=None")
