"""AutoAttack standard, beside the original code."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from networks import Subject, data_of
from row import Row, Strength

from classward.core.balls import Linf
from classward.evaluation.run_suite import run_suite
from classward.evaluation.suites import autoattack

BATCH = 128


def rows(subjects: dict[str, Subject], original: str | None) -> Iterator[Row]:
    """The suite on each network; `original` is the folder that holds `autoattack`, if any."""
    for kind, subject in subjects.items():
        peers = {} if original is None else {"AutoAttack": _theirs(subject, original)}
        exact = 1.25 if kind in ("natural", "conv") else 1.15
        for precision, bar in (("exact", exact), ("fast", 3.0)):
            yield Row(
                name=f"AutoAttack standard, {subject[0]}{', fast' * (precision == 'fast')}",
                ours=partial(_ours, subject, precision),
                peers=peers,
                bars={"AutoAttack": bar},
            )


def _ours(subject: Subject, precision: Any) -> Strength:
    _, network, images, labels, eps = subject
    data = data_of(images, labels)
    result = run_suite(
        network,
        autoattack(Linf(eps)),
        data,
        precision=precision,
        device=str(images.device),
        batch_size=BATCH,
    )
    passes = result.passes
    return {
        "robust": result.robust_accuracy,
        "forwards per image": passes.forward / len(images),
        "gradients per image": passes.backward / len(images),
    }


def _theirs(subject: Subject, folder: str) -> Callable[[], Strength]:
    """The original, told to attack only what is right, as ours does."""
    _, network, images, labels, eps = subject
    if folder not in sys.path:
        sys.path.append(folder)
    from autoattack import AutoAttack

    def run() -> Strength:
        passed = 0

        def model(asked: Any) -> Any:
            nonlocal passed
            passed += len(asked)
            return network(asked)

        suite = AutoAttack(
            model, norm="Linf", eps=eps, seed=0, device=str(images.device), verbose=False
        )
        with torch.no_grad():
            right = network(images).argmax(dim=1) == labels
        _, said = suite.run_standard_evaluation(
            images[right], labels[right], bs=BATCH, return_labels=True
        )
        stands = int((said == labels[right]).sum())
        return {"robust": stands / len(images), "forwards per image": passed / len(images)}

    return run
