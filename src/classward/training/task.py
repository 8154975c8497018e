"""What a training is asked to do, and the batches that follow from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Int64
from torch import Tensor

from classward.core.randomness import SampleRandom
from classward.core.types import Attack
from classward.data.split import Split
from classward.defenses.base import Batch
from classward.records.run_folder import RunFolder
from classward.training.augment import augmented
from classward.training.schedule import Recipe, batches

Progress = Callable[[int, int], None]  # optimiser steps done, steps in all


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a training is asked to do.

    Attributes:
        recipe: How long and how fast.
        data: Images to train on.
        held_out: Images to choose the best epoch by, if any.
        attack: Makes the training images, at full radius; none for clean training.
        judge: Attack whose robust accuracy is measured, if any.
        chosen_by: The accuracy that chooses the best epoch.
        seed: Seed of the run.
        fabric: A `lightning_fabric.Fabric`: device, precision and processes.
        folder: Where checkpoints and the log go, if anywhere; the first process alone has it.
        progress: Called after each step.
        told: Called after each epoch with its row of the history.
    """

    recipe: Recipe
    data: Split
    held_out: Split | None
    attack: Attack | None
    judge: Attack | None
    chosen_by: Literal["clean_accuracy", "robust_accuracy"]
    seed: int
    fabric: Any
    folder: RunFolder | None = None
    progress: Progress | None = None
    told: Callable[[dict[str, Any]], None] | None = None

    def batches(self, order: Int64[Tensor, " n"]) -> list[Int64[Tensor, " b"]]:
        """Positions of each step's images, at least 2 for each process."""
        return batches(order, self.recipe.batch_size, least=2 * self.fabric.world_size)

    def batch(self, positions: Int64[Tensor, " n"], epoch: int, step: int) -> Batch:
        """The images at these positions, after so many epochs and steps; not attacked yet."""
        data, device = self.data, self.fabric.device
        ids, images = data.ids[positions], data.batch(positions).to(device)
        if self.recipe.augment:
            images = augmented(images, SampleRandom(self.seed, "augment", ids, epoch))
        return Batch(
            images=images,
            labels=data.labels[positions].to(device),
            ids=ids,
            adversarial=images,
            epoch=epoch,
            step=step,
            rng=SampleRandom(self.seed, "train", ids, epoch),
        )
