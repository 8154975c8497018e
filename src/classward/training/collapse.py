"""Catastrophic overfitting: training on one attack step, a network learns to fool that step.

Paper: Wong, Rice and Kolter, "Fast is better than free: Revisiting adversarial training",
ICLR 2020, Sec. 5.4, who stop where the accuracy under PGD falls.
Reading: after each epoch held-out accuracy under PGD-10 is compared with that under the
training attack. A collapse is an epoch with less than half of the best PGD accuracy so far and
no less accuracy under the training attack than the epoch that had it.
"""

from typing import Any

from classward.attacks.pgd import PGD
from classward.core.types import Attack
from classward.training.checkpoint import State

KEPT = 0.5  # share of the best robust accuracy below which it has collapsed
Row = dict[str, Any]


def takes_one_step(attack: Attack | None) -> bool:
    """Whether the attack has a ball and climbs once."""
    return getattr(attack, "ball", None) is not None and getattr(attack, "steps", 1) == 1


def collapsed(row: Row, history: list[Row]) -> bool:
    """Whether this epoch collapsed; both accuracies of the epochs before are in `history`.

    >>> before = [{"robust_accuracy": 0.4, "training_attack_accuracy": 0.5}]
    >>> collapsed({"robust_accuracy": 0.1, "training_attack_accuracy": 0.8}, before)
    True
    >>> collapsed({"robust_accuracy": 0.1, "training_attack_accuracy": 0.3}, before)
    False
    """
    if not history:
        return False
    best = max(history, key=lambda earlier: earlier["robust_accuracy"])
    fallen = row["robust_accuracy"] < KEPT * best["robust_accuracy"]
    return fallen and row["training_attack_accuracy"] >= best["training_attack_accuracy"]


def after_collapse(attack: Attack | None, *, happened: bool) -> Attack | None:
    """The training attack; in the same ball PGD-2 once the run has collapsed."""
    ball = getattr(attack, "ball", None)
    if not happened or ball is None:
        return attack
    return PGD(ball=ball, step_size=ball.eps / 2, steps=2)


def go_back(state: State) -> None:
    """Take up the weights of the best epoch, without the momenta of the collapsed ones."""
    state.step.network.load_state_dict(state.best)
    if state.average is not None:
        state.average.load_state_dict(state.best)
    state.optimizer.state.clear()
