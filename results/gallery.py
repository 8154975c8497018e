"""Draw docs/gallery: every plot once, of one small network on the embedded digits.

    python results/gallery.py        # about two minutes on one core

The code that a page shows is the code that ran: the page is made from the functions below.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import numpy as np

import classward
from classward import Linf
from classward.attacks.pgd import PGD
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.standard import Standard

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"


FIRST = """\
Every plot is one function. It draws on the axes that are given as `ax`, or on those of a new
figure, and returns them. `classward.save_plot(ax, path)` writes a PDF with its fonts, an SVG or
a PNG; no figure is registered with pyplot, and the style of your own plots stays as it is. All
pictures are made by `python results/gallery.py`, from these lines:
"""
TWO = """\
from matplotlib.figure import Figure

left, right = Figure(figsize=(11, 5), layout="constrained").subplots(1, 2)
classward.plot_attack_matrix(audit.attack_matrix, audit.classes, ax=left)
classward.plot_class_bars(audit.per_class, ax=right)
classward.save_plot(left, "both.pdf")  # the whole figure"""


def digits() -> Any:
    """One network trained without and one with a defense, both attacked."""
    recipe = classward.Recipe(
        epochs=15, batch_size=64, learning_rate=0.05, schedule="one_cycle", validation=0
    )
    attack = PGD(ball=Linf(0.2), steps=10, step_size=0.025)
    train = classward.load_data("digits", split="train")
    test = classward.load_data("digits", split="test", samples=200)
    plain = classward.train(Standard(), "small_cnn", train, recipe=recipe).last
    robust = classward.train(
        AdversarialTraining(), "small_cnn", train, attack=attack, recipe=recipe
    ).last
    record = classward.run_attack(plain, attack, test)
    corrector = classward.Corrector.small(epochs=100).fit_records(
        [classward.run_attack(plain, attack, train)]
    )
    return SimpleNamespace(
        audit=classward.audit(plain, test, eps=0.1, budget="full", batch_size=600),
        before=classward.analyze(record),
        after=classward.analyze(classward.run_attack(robust, attack, test)),
        explanation=classward.explain(corrector, {"pgd": record}),
    )


def attack_matrix(seen: Any) -> Any:
    """Which class (row) is taken for which (column), in percent; maximum symmetry pairs framed.

    `audit.attack_matrix` and `record.attack_matrix()` fit as well; rows of classes without
    samples are hatched.
    """
    found = seen.before
    return classward.plot_attack_matrix(
        found.attack_matrix, found.classes, found.maximum_symmetry_pairs
    )


def chord(seen: Any) -> Any:
    """The flows of the same matrix: a ribbon is as wide at a class as what that class loses."""
    found = seen.before
    return classward.plot_chord(
        found.attack_matrix, found.classes, found.maximum_symmetry_pairs
    )


def class_bars(seen: Any) -> Any:
    """Clean and robust accuracy of each class with their 95 % intervals."""
    return classward.plot_class_bars(seen.audit.per_class)


def budget_curve(seen: Any) -> Any:
    """Accuracy against the radius, with its interval; the worst and the best class named."""
    return classward.plot_budget_curve(seen.audit.curve, seen.audit.eps)


def similarity(seen: Any) -> Any:
    """Cosines between the class weights of the last layer."""
    return classward.plot_similarity(seen.audit.analysis.weight_similarity, seen.audit.classes)


def difference(seen: Any) -> Any:
    """What adversarial training changed, in points: purple flows shrank, orange ones grew."""
    before, after = (np.array(found.attack_matrix) for found in (seen.before, seen.after))
    return classward.plot_difference(after - before, seen.before.classes)


def mean_logits(seen: Any) -> Any:
    """Images by the mean of their logits, before and after the attack."""
    return classward.plot_mean_logits(seen.explanation.attacks[0].mean_logits)


def attack_matrix_pixels(seen: Any) -> Any:
    """The matrix of hundreds of classes has no names; here of ten, to be compared."""
    return classward.plot_attack_matrix_pixels(seen.before.attack_matrix)


def difference_pixels(seen: Any) -> Any:
    """The difference of two such matrices."""
    before, after = (np.array(found.attack_matrix) for found in (seen.before, seen.after))
    return classward.plot_difference_pixels(after - before)


PLOTS: list[Callable[[Any], Any]] = [
    attack_matrix, chord, class_bars, budget_curve, similarity, difference, mean_logits,
    attack_matrix_pixels, difference_pixels,
]  # fmt: skip


def page() -> str:
    """Text of docs/gallery/index.md."""
    parts = [
        "# Gallery\n",
        FIRST,
        f"```python\n{_code(digits)}\n```\n",
        "Two plots in one figure for a paper:\n",
        f"```python\n{TWO}\n```\n",
    ]
    for plot in PLOTS:
        name = plot.__name__
        parts += [
            f"## {name.replace('_', ' ').capitalize()}\n",
            f"{inspect.getdoc(plot)}\n",
            f"```python\n{_code(plot)}\n```\n",
            f"![{name.replace('_', ' ')}]({name}.png)\n",
        ]
    return "\n".join(parts)


def _code(function: Callable[..., Any]) -> str:
    """What is below the docstring, as one would type it."""
    body = inspect.getsource(function).split('"""\n')[-1]
    lines = dedent(body).replace("return SimpleNamespace(", "seen = SimpleNamespace(")
    return lines.replace("return classward", "ax = classward").strip()


if __name__ == "__main__":
    seen = digits()
    for plot in PLOTS:
        classward.save_plot(plot(seen), FOLDER / f"{plot.__name__}.png")
        print(plot.__name__)
    (FOLDER / "index.md").write_text(page())
