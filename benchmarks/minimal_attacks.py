"""DeepFool and C&W, which look for the smallest perturbation, beside adv-lib's.

A time counts at equal success and mean l2 distance of the successes, which stand beside it.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from networks import Subject, data_of
from row import Row, Strength
from torch import Tensor, nn

from classward.attacks.carlini_wagner import CarliniWagner
from classward.attacks.deepfool import DeepFool
from classward.core.randomness import SampleRandom
from classward.core.types import Attack, Images, Labels
from classward.evaluation.run_attack import run_attack

BATCH = 128
PASSES = 100  # steps of C&W at all its trade-off constants


def rows(subjects: dict[str, Subject]) -> Iterator[Row]:
    """Each attack on each network: as evaluated, alone without the evaluator, and C&W fast."""
    peer = _adv_lib()
    for kind, (name, network, images, labels, _) in subjects.items():
        work = (network, images, labels)
        theirs = {} if peer is None else _peers(peer, *work)
        quicker = {"adv-lib": 2.0 if kind in ("natural", "conv") else 1.4}
        for attack, label, bars in (
            (DeepFool(), "DeepFool", quicker),
            (CarliniWagner(), "C&W", {"adv-lib": 1.15, "bare": 0.95}),
        ):
            peers = {"adv-lib": theirs[label]} if theirs else {}
            bare = partial(_bare, *work) if label == "C&W" else None
            for run, suffix in ((_evaluated, ""), (_alone, ", the attack alone")):
                yield Row(
                    name=f"{label}, {name}{suffix}",
                    ours=partial(run, attack, *work),
                    peers=peers,
                    bare=bare,
                    bars=bars,
                )
        yield Row(
            name=f"C&W, {name}, fast",
            ours=partial(_evaluated, CarliniWagner(), *work, precision="fast"),
            peers={"adv-lib": theirs["C&W"]} if theirs else {},
            bare=partial(_bare, *work),
            bars={"adv-lib": 3.0},
        )


def _evaluated(
    attack: Attack, network: nn.Module, images: Images, labels: Labels, precision: Any = "exact"
) -> Strength:
    data = data_of(images, labels)
    record = run_attack(
        network, attack, data, precision=precision, device=str(images.device), batch_size=BATCH
    )
    return _strength(record.success, record.l2)


def _alone(attack: Attack, network: nn.Module, images: Images, labels: Labels) -> Strength:
    """On the network as it is, without its twin."""

    def run(part: Images, own: Labels) -> Images:
        return attack(network, part, own, rng=SampleRandom(0, "alone", torch.arange(len(own))))

    return _judged(run, network, images, labels)


def _peers(
    peer: Any, network: nn.Module, images: Images, labels: Labels
) -> dict[str, Callable[[], Strength]]:
    """With the settings that are our defaults, otherwise as they come."""
    cheap = {"initial_const": 10.0, "binary_search_steps": 4, "max_iterations": 25}
    attacks = {
        "DeepFool": partial(peer.df, network),
        "C&W": partial(peer.carlini_wagner_l2, network, **cheap),
    }
    return {
        name: partial(_judged, attack, network, images, labels)
        for name, attack in attacks.items()
    }


def _judged(
    attack: Callable[[Images, Labels], Images],
    network: nn.Module,
    images: Images,
    labels: Labels,
) -> Strength:
    success, lengths = [], []
    for part, own in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        made = attack(part, own)
        with torch.no_grad():
            success.append(network(made).argmax(dim=1) != own)
        lengths.append((made - part).flatten(1).norm(dim=1))
    return _strength(torch.cat(success), torch.cat(lengths))


def _strength(success: Tensor, lengths: Tensor) -> Strength:
    found = lengths[success]
    return {"success": success.double().mean().item(), "mean l2": found.mean().item()}


def _bare(network: nn.Module, images: Images, labels: Labels) -> None:
    """As many forward and input-gradient passes as C&W has steps."""
    for part, own in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        asked = part.clone().requires_grad_()
        for _ in range(PASSES):
            gap = network(asked).gather(1, own[:, None])
            torch.autograd.grad(gap.sum(), asked)


def _adv_lib() -> Any:
    """adv-lib's attacks, or `None` where it is not installed.

    It imports torchvision and visdom at once, of which these attacks use nothing; where either
    is missing, an empty module of that name will do.
    """
    for name, contents in (("visdom", "Visdom"), ("torchvision", "models")):
        try:
            import_module(name)
        except (ImportError, RuntimeError):  # torchvision beside another build of torch
            sys.modules[name] = ModuleType(name)
            setattr(sys.modules[name], contents, None)
    try:
        return import_module("adv_lib.attacks")
    except ImportError as error:
        print(f"adv-lib is left out: {error}")
        return None
