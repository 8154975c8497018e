"""What is measured in each epoch: held-out accuracy, and which class falls to which.

Two confusions are logged, both as [label, prediction, images], errors alone. That of the
held-out images is of one network, after the epoch. That of the training adversaries costs no
pass: it counts what the network, in train mode, said of each on the way to its loss.
"""

from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from classward.analysis.symmetry import maximum_symmetry_pairs
from classward.core.confusion import confusion, row_shares
from classward.core.randomness import SampleRandom
from classward.core.types import Attack, Images, Labels
from classward.data.split import Split
from classward.models.network import Network, evaluating
from classward.training.task import Task

Counts = Int64[Tensor, "k k"]
Row = dict[str, Any]


def measure(network: Network, data: Split, task: Task) -> Row:
    """Accuracy on `data`, clean and, if there is a judge, of its final iterates.

    `confusion` counts the final iterates. Processes share the images.
    """
    if task.judge is None:
        clean, _, _ = _counted(network, data, task, None)
        return {"clean_accuracy": clean / len(data)}
    clean, robust, counts = _counted(network, data, task, task.judge)
    return {
        "clean_accuracy": clean / len(data),
        "robust_accuracy": robust / len(data),
        "confusion": errors(counts),
    }


def accuracy_under(attack: Attack, network: Network, data: Split, task: Task) -> float:
    """Share of `data` that is right, clean and as this attack leaves it."""
    return _counted(network, data, task, attack)[1] / len(data)


def training_row(counts: Counts, history: list[Row]) -> Row:
    """What an epoch's predictions of training adversaries say; nothing without any.

    Returns:
        Under "training", their `robust_accuracy` and `confusion`; the maximum symmetry pairs
        (Def. 2 of the symmetry paper) of their confusion; and the overlap of these pairs with
        those of the epoch before (Jaccard: shared ones by all), none if neither has any.
    """
    if not counts.any():
        return {}
    shares = row_shares(counts).nan_to_num(0.0)  # a class without images is in no pair
    pairs = maximum_symmetry_pairs(shares)
    before = history[-1].get("training", {}).get("pairs", []) if history else []
    every = {*pairs, *map(tuple, before)}
    shared = len(pairs) + len(before) - len(every)
    return {
        "training": {
            "robust_accuracy": (counts.trace() / counts.sum()).item(),
            "confusion": errors(counts),
            "pairs": [list(pair) for pair in pairs],
            "overlap": shared / len(every) if history and every else None,
        }
    }


def errors(counts: Counts) -> list[list[int]]:
    """Entries off the diagonal as [label, prediction, images].

    >>> errors(torch.tensor([[5, 2], [0, 7]]))
    [[0, 1, 2]]
    """
    others = counts.clone().fill_diagonal_(0)
    return [[i, j, int(counts[i, j])] for i, j in others.nonzero().tolist()]


def _counted(
    network: Network, data: Split, task: Task, attack: Attack | None
) -> tuple[int, int, Counts]:
    """Images right when clean, right then and when attacked, and the attacked ones' counts."""
    fabric, classes = task.fabric, data.classes
    right = torch.zeros(2, dtype=torch.int64)
    counts = torch.zeros(classes, classes, dtype=torch.int64)
    own = torch.arange(len(data))[fabric.global_rank :: fabric.world_size]
    with evaluating(network):
        for positions in own.split(task.recipe.batch_size):
            images, labels = data.batch(positions).to(fabric.device), data.labels[positions]
            correct = _predicted(network, images) == labels
            right[0] += correct.sum()
            if attack is not None:
                rng = SampleRandom(task.seed, "validation", data.ids[positions])
                attacked = attack(network, images, labels.to(images.device), rng=rng)
                predicted = _predicted(network, attacked)
                right[1] += (correct & (predicted == labels)).sum()
                counts += confusion(labels, predicted, classes)
    (clean, robust), counts = summed([right, counts], fabric)
    return int(clean), int(robust), counts


def summed(tensors: list[Tensor], fabric: Any) -> list[Tensor]:
    """Sums over processes, on the CPU."""
    if fabric.world_size == 1:
        return tensors
    return [fabric.all_reduce(t.to(fabric.device), reduce_op="sum").cpu() for t in tensors]


@torch.no_grad()
def _predicted(network: Network, images: Images) -> Labels:
    return network(images).argmax(dim=1).cpu()
