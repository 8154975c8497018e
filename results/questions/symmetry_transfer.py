"""Does an attack matrix make adversarial images carry over better? docs/symmetry_transfer.md.

    python results/questions/symmetry_transfer.py DATA OUT

CIFAR-10, l-inf 8/255, ten steps; ResNet-20, -32 and -56 with published weights and a small CNN
trained here, each the surrogate of the three others; and the mean of ResNet-20's and the small
CNN's logits, the surrogate of the other two. Success: of the images that the target
gets right, the share that it gets wrong.

Protocol, written before the last run. M and its maximum symmetry pairs are of PGD on the
surrogate, on 2,000 training images. The forms, and the baseline among cross-entropy,
margin and DLR, are chosen on test images 0 to 499 by their mean success from ResNet-20 and the
small CNN, all by MIM; reported once on test images 500 to 1,499, beside PGD and MIM on
cross-entropy, the best baseline, and the chosen form with the rows of M shuffled.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from crafting import answers, crafted
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from classward.analysis.significance import row_shuffles, share
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.losses import LOSSES, margin
from classward.core.symmetric_pairs import maximum_symmetry_pairs
from classward.core.types import Images, Labels, Logits, SampleLoss
from classward.data.load import load_data
from classward.data.split import Split
from classward.defenses.standard import Standard
from classward.evaluation.request import versions
from classward.evaluation.run_attack import run_attack
from classward.experiments.contest_table import lead
from classward.models.load import load_model
from classward.records.atomic import atomic_write
from classward.training.schedule import Recipe
from classward.training.train import train

KEPT = Path(__file__).with_suffix(".json")
BALL = Linf(8 / 255)
LEAST = 1e-3  # of an entry of M, where its logarithm is taken
RESNETS = ("resnet20", "resnet32", "resnet56")
CHOOSERS = ("resnet20", "small_cnn")
BOTH = "resnet20 and small_cnn"
Matrix = Float[Tensor, "k k"]
Form = Callable[[Matrix], SampleLoss]


class Mean(nn.Module):
    """Mean logits of several networks."""

    def __init__(self, *networks: nn.Module) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Images) -> Logits:
        """Logits of the images."""
        return torch.stack([network(images) for network in self.networks]).mean(dim=0)


def to_one(matrix: Matrix) -> SampleLoss:
    """Towards the other class of the pair, or the top target of a class without one."""
    partner = matrix.argmax(dim=1)
    for i, j in maximum_symmetry_pairs(matrix):
        partner[i], partner[j] = j, i
    return lambda logits, labels: _of(logits, partner[labels]) - _of(logits, labels)


def to_three(matrix: Matrix) -> SampleLoss:
    """Towards the mean of the three top targets of the class."""
    three = matrix.topk(3, dim=1).indices

    def loss(logits: Logits, labels: Labels) -> Float[Tensor, " n"]:
        return logits.gather(1, three[labels]).mean(dim=1) - _of(logits, labels)

    return loss


def by_row(matrix: Matrix) -> SampleLoss:
    """Every other logit, weighted by the row of M."""
    return lambda logits, labels: (matrix[labels] * logits).sum(dim=1) - _of(logits, labels)


def tilted_cross_entropy(matrix: Matrix) -> SampleLoss:
    """Cross-entropy, as if the logarithm of the row of M were added to the logits."""
    prior = matrix.clamp(min=LEAST).log()
    prior.fill_diagonal_(0)
    return lambda logits, labels: F.cross_entropy(
        logits + prior[labels], labels, reduction="none"
    )


def tilted_margin(matrix: Matrix) -> SampleLoss:
    """The margin, as if the logarithm of the row of M were added to the logits."""
    prior = matrix.clamp(min=LEAST).log()
    prior.fill_diagonal_(0)
    return lambda logits, labels: margin(logits + prior[labels], labels)


BASELINES: dict[str, SampleLoss] = {**LOSSES}
FORMS: dict[str, Form] = {
    form.__name__: form
    for form in (to_one, to_three, by_row, tilted_cross_entropy, tilted_margin)
}


def matrix_of(model: nn.Module, training: Split) -> Matrix:
    """Row shares among the other classes, of PGD on the surrogate."""
    attack = PGD(ball=BALL, step_size=2 / 255, steps=10)
    matrix = run_attack(model, attack, training, precision="fast").attack_matrix().double()
    matrix.fill_diagonal_(0)
    return (matrix / matrix.sum(dim=1, keepdim=True)).float()


def shuffled(matrix: Matrix) -> Matrix:
    """The rows shuffled off the diagonal: as uneven, but over other classes."""
    return next(iter(row_shuffles(matrix, 1, seed=0)))[0].float()


def right(model: nn.Module, images: Images, labels: Labels) -> Bool[Tensor, " n"]:
    """Which images the model gets right."""
    return answers(model, images).argmax(dim=1) == labels


def fooled(
    networks: Mapping[str, nn.Module], surrogate: str, images: Images, data: Split
) -> dict[str, Bool[Tensor, " m"]]:
    """For each network outside the surrogate, which images it got right and now gets wrong."""
    clean = data.batch(torch.arange(len(data)))
    found = {}
    for name, model in networks.items():
        if name not in surrogate.split(" and "):
            before = right(model, clean, data.labels)
            found[name] = ~right(model, images, data.labels)[before]
    return found


def choose(
    networks: Mapping[str, nn.Module], matrices: Mapping[str, Matrix], data: Split
) -> dict[str, float]:
    """Mean success of every loss and form, by MIM."""
    found: dict[str, float] = {}
    for name in (*BASELINES, *FORMS):
        shares = []
        for surrogate in CHOOSERS:
            loss = BASELINES[name] if name in BASELINES else FORMS[name](matrices[surrogate])
            images = crafted(networks[surrogate], MIM(ball=BALL), loss, data)
            fell = fooled(networks, surrogate, images, data).values()
            shares += [flags.double().mean().item() for flags in fell]
        found[name] = sum(shares) / len(shares)
        print(name, f"{found[name]:.3f}", flush=True)
    return found


def report(
    networks: Mapping[str, nn.Module],
    matrices: Mapping[str, Matrix],
    data: Split,
    form: str,
    baseline: str,
) -> list[dict[str, Any]]:
    """A row for each surrogate and target."""
    rows = []
    surrogates = dict(networks)
    surrogates[BOTH] = Mean(*(networks[name] for name in BOTH.split(" and "))).eval()
    for surrogate, model in surrogates.items():
        matrix = matrices[surrogate]
        ways = {
            "PGD": (PGD(ball=BALL, step_size=2 / 255, steps=10), BASELINES["cross_entropy"]),
            "MIM": (MIM(ball=BALL), BASELINES["cross_entropy"]),
            f"MIM, {baseline}": (MIM(ball=BALL), BASELINES[baseline]),
            f"MIM, {form}": (MIM(ball=BALL), FORMS[form](matrix)),
            f"MIM, {form}, shuffled": (MIM(ball=BALL), FORMS[form](shuffled(matrix))),
        }
        fell = {
            way: fooled(networks, surrogate, crafted(model, attack, loss, data), data)
            for way, (attack, loss) in ways.items()
        }
        for target in fell["MIM"]:
            shares = {
                way: share(int(of[target].sum()), len(of[target])).to_dict()
                for way, of in fell.items()
            }
            ours, theirs = (fell[f"MIM, {way}"][target][None] for way in (form, baseline))
            rows.append(
                {"surrogate": surrogate, "target": target}
                | shares
                | {"lead": lead(ours, theirs).to_dict()}
            )
            print(rows[-1], flush=True)
    return rows


def measure(root: Path, out: Path) -> dict[str, Any]:
    """The whole experiment."""
    training = load_data("cifar10", split="train", root=root)
    networks: dict[str, nn.Module] = {
        name: load_model(name, weights=root / f"models/cifar10_{name}_std.safetensors").eval()
        for name in RESNETS
    }
    small = train(
        Standard(),
        "small_cnn",
        training.take("first:20000"),
        recipe=Recipe(epochs=8, schedule="one_cycle", warm_up=0.0),
        out=out / "small_cnn",
        resume=(out / "small_cnn" / "manifest.json").exists(),
    )
    networks["small_cnn"] = small.best.eval()
    attacked = training.take("first:2000")
    matrices = {name: matrix_of(model, attacked) for name, model in networks.items()}
    matrices[BOTH] = torch.stack([matrices[name] for name in CHOOSERS]).mean(dim=0)
    test = load_data("cifar10", samples="first:1500", root=root)
    choosing, last = test.select(torch.arange(500)), test.select(torch.arange(500, 1500))
    found = choose(networks, matrices, choosing)
    form = max(FORMS, key=lambda name: found[name])
    baseline = max(BASELINES, key=lambda name: found[name])
    return {
        "settings": {"eps": BALL.eps, "steps": 10, "choosing": 500, "last": 1000, "seed": 0},
        "versions": versions(),
        "choosing": found,
        "form": form,
        "baseline": baseline,
        "rows": report(networks, matrices, last, form, baseline),
    }


def table(kept: Mapping[str, Any]) -> list[str]:
    """The rows of the page, in percent; the lead in points, paired by image."""
    ways = [name for name in kept["rows"][0] if name not in ("surrogate", "target", "lead")]
    lines = [["from, to", *(way.removeprefix("MIM, ") for way in ways), "lead"]]
    lines.append(["---"] * len(lines[0]))
    for row in kept["rows"]:
        shares = [f"{100 * row[way]['value']:.1f}" for way in ways]
        ends = [f"{100 * row['lead'][end]:+.1f}" for end in ("difference", "low", "high")]
        found = f"{ends[0]} ({ends[1]} to {ends[2]})"
        lines.append([f"{row['surrogate']}, {row['target']}", *shares, found])
    return ["| " + " | ".join(line) + " |" for line in lines]


def _of(logits: Logits, classes: Labels) -> Float[Tensor, " n"]:
    return logits.gather(1, classes[:, None]).squeeze(1)


if __name__ == "__main__":
    told = measure(Path(sys.argv[1]), Path(sys.argv[2]))
    atomic_write(KEPT, json.dumps(told, indent=1).encode())
    print("\n".join(table(told)))
