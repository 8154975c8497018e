"""The attack record: what a classifier said before and after an attack, with the true labels.

Everything both papers measure is a function of it. On disk it is a run folder of shards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from classward.core.confusion import confusion, row_shares
from classward.core.errors import InputError
from classward.core.types import Labels
from classward.records.result import GradientCounts, Passes
from classward.records.rows import Rows
from classward.records.run_folder import RunFolder
from classward.records.shards import SHARD, read_shard, shards_of, summed

COLUMNS = (  # besides the logits
    "ids",
    "labels",
    "clean_predictions",
    "predictions",
    "success",
    "failed",
    "first_success",
    "linf",
    "l2",
    "queries",
)
CHUNK = 4096  # rows of logits looked at together
OF_IMAGES = ("images", "success_8bit", "linf_8bit", "l2_8bit")  # columns where they were kept
Order = Literal["linf", "l2"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One attack on one classifier, a row for each sample, in the order of `ids`.

    Attributes:
        ids: Sample ids, ascending.
        labels: True classes.
        clean_predictions: Class before the attack, decided in float32.
        predictions: Class of the adversarial image, decided in float32.
        success: Whether the attack reached its aim: off the label, or on the target.
        failed: Whether the attack gave an image that is not finite; the clean one stands in,
            and it is no success.
        first_success: Passes of the attack before its first confirmed success; of a black-box
            attack, the number of the query that first succeeded, from 1; -1: not seen.
        clean_rows: Logits before the attack, on the disk where the record is.
        adversarial_rows: Logits of the adversarial images, likewise.
        linf: Largest absolute pixel difference, in pixel units.
        l2: Euclidean length of the perturbation.
        queries: Queries a black-box attack spent; 0 for one that has the gradient.
        class_names: Names of the classes.
        settings: What was asked, plain JSON values.
        passes: Images sent through the network, in all.
        gradients: Input gradients the attack was given.
        seconds: Wall time of making it.
        images: Adversarial images, if they were kept; what follows then is not `None` either.
        success_8bit: `success` of the images with every pixel rounded to a multiple of 1/255.
        linf_8bit: `linf` of those.
        l2_8bit: `l2` of those.
    """

    ids: Int64[Tensor, " n"]
    labels: Labels
    clean_predictions: Labels
    predictions: Labels
    success: Bool[Tensor, " n"]
    failed: Bool[Tensor, " n"]
    first_success: Int64[Tensor, " n"]
    clean_rows: Rows
    adversarial_rows: Rows
    linf: Float32[Tensor, " n"]
    l2: Float32[Tensor, " n"]
    queries: Int64[Tensor, " n"]
    class_names: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    passes: Passes = field(default_factory=lambda: Passes(forward=0, backward=0))
    gradients: GradientCounts = field(
        default_factory=lambda: GradientCounts(taken=0, zero=0, not_finite=0)
    )
    seconds: float = 0.0
    images: Float32[Tensor, "n c h w"] | None = None
    success_8bit: Bool[Tensor, " n"] | None = None
    linf_8bit: Float32[Tensor, " n"] | None = None
    l2_8bit: Float32[Tensor, " n"] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Number of classes k."""
        return len(self.class_names)

    @cached_property
    def clean_logits(self) -> Float32[Tensor, "n k"]:
        """All of `clean_rows`, in memory from now on."""
        return self.clean_rows.all()

    @cached_property
    def adversarial_logits(self) -> Float32[Tensor, "n k"]:
        """All of `adversarial_rows`, in memory from now on."""
        return self.adversarial_rows.all()

    @property
    def correct(self) -> Bool[Tensor, " n"]:
        """Samples classified right before the attack."""
        return self.clean_predictions == self.labels

    @property
    def robust(self) -> Bool[Tensor, " n"]:
        """Samples classified right before and after the attack."""
        return self.correct & (self.predictions == self.labels)

    @property
    def clean_accuracy(self) -> float:
        """Share of `correct`."""
        return self.correct.double().mean().item()

    @property
    def robust_accuracy(self) -> float:
        """Share of `robust`."""
        return self.robust.double().mean().item()

    @property
    def undecided(self) -> list[int]:
        """Ids of samples whose two largest logits differ by less than 1e-5, before or after."""
        before, after = (
            torch.cat([_close(logits) for logits in rows.chunks(CHUNK)])
            for rows in (self.clean_rows, self.adversarial_rows)
        )
        return self.ids[before | after].tolist()

    def confusion(self) -> Int64[Tensor, "k k"]:
        """Samples of class i (row) predicted as class j after the attack."""
        return confusion(self.labels, self.predictions, self.classes)

    def attack_matrix(self) -> Float[Tensor, "k k"]:
        """Eq. 3 of the symmetry paper; the row of a class without samples is NaN."""
        return row_shares(self.confusion())

    @classmethod
    def from_arrays(
        cls,
        *,
        labels: Any,
        clean_logits: Any,
        adversarial_logits: Any,
        class_names: Sequence[str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> "Record":
        """A record for people who hold only logits; distances and queries are not known (0).

        Args:
            labels: True classes, n integers.
            clean_logits: Before the attack, n x k.
            adversarial_logits: After it, n x k.
            class_names: Their names; numbers by default.
            settings: What is known of the attack, such as {"attack": "PGD"}.

        Raises:
            InputError: If shapes differ, a label is out of range or a logit is not finite.
        """
        clean = torch.as_tensor(np.asarray(clean_logits), dtype=torch.float32)
        adversarial = torch.as_tensor(np.asarray(adversarial_logits), dtype=torch.float32)
        truth = torch.as_tensor(np.asarray(labels))
        _check_arrays(truth, clean, adversarial, class_names)
        truth, zeros = truth.long(), torch.zeros(len(truth))
        return cls(
            ids=torch.arange(len(truth)),
            labels=truth,
            clean_predictions=clean.argmax(dim=1),
            predictions=adversarial.argmax(dim=1),
            success=adversarial.argmax(dim=1) != truth,
            failed=torch.zeros(len(truth), dtype=torch.bool),
            first_success=torch.full((len(truth),), -1),
            clean_rows=Rows([clean]),
            adversarial_rows=Rows([adversarial]),
            linf=zeros,
            l2=zeros,
            queries=zeros.long(),
            class_names=list(class_names or map(str, range(clean.shape[1]))),
            settings=dict(settings or {}),
        )

    @classmethod
    def open(cls, path: str | Path) -> "Record":
        """Read a record folder; its logits are read from disk where they are used.

        Raises:
            InputError: If it is no record, not complete, or a file of it is damaged.
        """
        folder = RunFolder.open(path)
        if folder.kind != "attack":
            raise InputError(f"{path}: a run of '{folder.kind}', expected an attack record")
        count, names = (folder.settings.get(name) for name in ("samples", "class_names"))
        size = folder.settings.get("shard_samples", SHARD)  # older records do not say it
        counts = [n for n in (count, size) if isinstance(n, int) and n > 0]
        if len(counts) < 2 or not isinstance(names, list):
            raise InputError(
                f"{path}: its manifest does not say samples and classes; attack anew"
            )
        shards = [read_shard(folder, i) for i, _ in enumerate(shards_of(*counts))]
        if absent := [i for i, shard in enumerate(shards) if shard is None]:
            raise InputError(f"{path}: shard {absent[0]} is missing; finish it with --resume")
        return assemble([shard for shard in shards if shard is not None], folder.settings)


def assemble(shards: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Record:
    """One record of several shards.

    Its settings say under "halved_to" how many images went at once where memory ran out.
    """
    names = [*COLUMNS, *(name for name in OF_IMAGES if name in shards[0])]
    columns = {
        name: shards[0][name] if len(shards) == 1 else torch.cat([s[name] for s in shards])
        for name in names
    }
    halved = [shard["halved_to"] for shard in shards if shard["halved_to"] is not None]
    return Record(
        **columns,
        clean_rows=Rows([shard["clean_logits"] for shard in shards]),
        adversarial_rows=Rows([shard["adversarial_logits"] for shard in shards]),
        class_names=settings["class_names"],
        settings={**settings, "halved_to": min(halved, default=None)},
        passes=summed(Passes, [shard["passes"] for shard in shards]),
        gradients=summed(GradientCounts, [shard["gradients"] for shard in shards]),
        seconds=sum(shard["seconds"] for shard in shards),
    )


def _close(logits: Float32[Tensor, "n k"]) -> Bool[Tensor, " n"]:
    top = logits.topk(min(2, logits.shape[1]), dim=1).values
    return (top[:, 0] - top[:, -1]) < 1e-5


def _check_arrays(
    labels: Tensor, clean: Tensor, adversarial: Tensor, class_names: Sequence[str] | None
) -> None:
    if clean.ndim != 2 or clean.shape != adversarial.shape or labels.shape != clean.shape[:1]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (labels, clean, adversarial))
        raise InputError(f"expected labels (n), logits (n, k) twice, got shapes {shapes}")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise InputError(f"labels must be integers, got {labels.dtype}")
    if len(labels) == 0:
        raise InputError("a record needs at least one sample, got 0")
    if wrong := ((labels < 0) | (labels >= clean.shape[1])).nonzero().flatten().tolist():
        raise InputError(
            f"label {labels[wrong[0]].item()} of sample {wrong[0]} is not a class of "
            f"0..{clean.shape[1] - 1}"
        )
    for name, logits in (("clean", clean), ("adversarial", adversarial)):
        if wrong := (~logits.isfinite().all(dim=1)).nonzero().flatten().tolist():
            raise InputError(f"{name} logits of sample {wrong[0]} are not finite")
    if class_names is not None and len(class_names) != clean.shape[1]:
        raise InputError(f"{len(class_names)} class names for {clean.shape[1]} logits")
