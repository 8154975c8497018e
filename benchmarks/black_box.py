"""Attacks from scores alone: each query beside a bare forward pass of one image."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from networks import Subject, data_of
from row import Row, Strength
from torch import nn

from classward.attacks.nattack import NAttack
from classward.attacks.nes import NES
from classward.attacks.simba import SimBA
from classward.attacks.square import Square
from classward.attacks.subspace import Subspace
from classward.core.balls import L2, Linf
from classward.core.types import Attack, Images, Labels
from classward.evaluation.run_attack import run_attack
from classward.records.record import Record

try:
    import torchattacks
except ImportError:
    torchattacks = None
try:
    from art.attacks.evasion import SimBA as ArtSimBA
    from art.attacks.evasion import SquareAttack
    from art.estimators.classification import PyTorchClassifier
except ImportError:
    PyTorchClassifier = None

IMAGES, QUERIES = 64, 250
BATCH = 64  # of the bare passes
BARE = {"bare": 1 / 0.9}


def rows(subjects: dict[str, Subject]) -> Iterator[Row]:
    """Each attack on each network; at most 64 images, which are right."""
    for name, network, images, labels, eps in subjects.values():
        with torch.no_grad():
            right = (network(images).argmax(dim=1) == labels).nonzero().flatten()[:IMAGES]
        task, ball = (network, images[right], labels[right]), Linf(eps)
        yield _row(f"Square, {name}", Square(ball=ball, queries=QUERIES, rescale=True), *task)
        yield _row(f"SimBA, {name}", SimBA(ball=L2(10), queries=QUERIES), *task)
        yield _row(f"NES, {name}", NES(ball=ball, queries=QUERIES), *task)
        yield _row(f"NAttack, {name}", NAttack(ball=ball, queries=QUERIES), *task)
        yield _row(f"Subspace, {name}", Subspace(ball=ball, queries=QUERIES), *task)


def _row(name: str, attack: Attack, network: nn.Module, images: Images, labels: Labels) -> Row:
    queries = 0  # of a run, the same in every one; ours comes first

    def ours() -> Strength:
        nonlocal queries
        record = _run(network, attack, images, labels)
        queries = int(record.queries.sum())
        return {"robust": record.robust_accuracy, "queries per image": queries / len(images)}

    def bare() -> None:
        rest = queries
        with torch.no_grad():
            while rest > 0:
                rest -= len(network(images[: min(rest, BATCH)]))

    peers = _peers(attack, network, images, labels)
    bars = BARE | ({"ART": 2.3} if isinstance(attack, SimBA) else {})
    return Row(name=name, ours=ours, peers=peers, bare=bare, bars=bars)


def _run(network: nn.Module, attack: Attack, images: Images, labels: Labels) -> Record:
    data = data_of(images, labels)
    given = {"surrogates": [_surrogate(images)]} if isinstance(attack, Subspace) else {}
    return run_attack(
        network,
        attack,
        data,
        until="first_success",
        device=str(images.device),
        ingredients=given,
    )


def _surrogate(images: Images) -> nn.Module:
    """A linear one: what it finds is not the point, and it costs next to nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), 10)).eval()


def _peers(
    attack: Any, network: nn.Module, images: Images, labels: Labels
) -> dict[str, Callable[[], Strength]]:
    """The same attack by others, where they have it and are installed."""
    counted = _Counted(network)
    made: dict[str, Callable[[], Images]] = {}
    if torchattacks is not None and isinstance(attack, Square):
        theirs = torchattacks.Square(counted, eps=attack.ball.eps, n_queries=QUERIES)
        made["torchattacks"] = lambda: theirs(images, labels)
    if PyTorchClassifier is not None and isinstance(attack, Square | SimBA):
        made["ART"] = lambda: torch.from_numpy(
            _art(attack, counted, images).generate(
                images.numpy(), nn.functional.one_hot(labels, 10).numpy()
            )
        )

    def run(make: Callable[[], Images]) -> Strength:
        counted.asked = 0
        adversarial = make()
        spent = counted.asked / len(images)
        with torch.no_grad():
            stands = (network(adversarial).argmax(dim=1) == labels).double().mean().item()
        return {"robust": stands, "queries per image": spent}

    return {name: lambda make=make: run(make) for name, make in made.items()}


def _art(attack: Square | SimBA, network: nn.Module, images: Images) -> Any:
    kept = {"loss": nn.CrossEntropyLoss(), "input_shape": images.shape[1:], "nb_classes": 10}
    if isinstance(attack, Square):
        theirs = PyTorchClassifier(network, **kept, clip_values=(0, 1))
        return SquareAttack(
            theirs, norm="inf", eps=attack.ball.eps, max_iter=QUERIES, batch_size=len(images)
        )
    theirs = PyTorchClassifier(
        nn.Sequential(network, nn.Softmax(1)), **kept, clip_values=(0, 1)
    )
    # A direction takes one or two queries: half as many directions are tried as queries made.
    return ArtSimBA(
        theirs, attack="px", max_iter=QUERIES // 2, epsilon=attack.step_size, verbose=False
    )


class _Counted(nn.Module):
    """Counts the images it is asked about."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.asked = network.eval(), 0

    def forward(self, images: Images) -> Any:
        self.asked += len(images)
        return self.network(images)
