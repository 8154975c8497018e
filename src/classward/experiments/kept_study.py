"""Every table of the logits paper on a network of the shelf, made once."""

from pathlib import Path

from classward.core.balls import ball
from classward.correction.corrector import Corrector
from classward.experiments.correction_study import Study, correction_study, paper_attacks
from classward.experiments.shelf import Shelf, named
from classward.records.correction_study_result import CorrectionStudy
from classward.records.saved import load


def kept_study(shelf: Shelf, group: str) -> tuple[CorrectionStudy, Path]:
    """The study that the group asks for, and its folder with records and correctors."""
    asked = shelf.group(group)["study"]
    key = asked | {"seed": shelf.seed, "run": dict(shelf.run)}
    out = shelf.path / "studies" / named(group, key)
    if (out / "result.json").is_file():
        told = load((out / "result.json").read_text(), str(out))
        assert isinstance(told, CorrectionStudy)
        return told, out
    eps = ball("linf", asked["eps"]).eps
    training, part = shelf.images(group, None, "train"), asked.get("training_samples")
    made = Corrector if asked.get("preset") == "paper" else Corrector.small
    study = Study(
        name=group,
        model=shelf.network(group),
        others={name: shelf.network(name) for name in asked.get("others", [])},
        training=training,
        fitting=training if part is None else training.take(part),
        judging=shelf.images(group, asked["samples"]),
        attacks=paper_attacks(eps, asked.get("attacks")),
        eps=eps,
        corrector=made(seed=shelf.seed, **asked.get("corrector", {})),
        adaptive_samples=asked["adaptive_samples"],
        steps=asked["steps"],
        ablations=True,
        run=dict(shelf.run) | {"seed": shelf.seed},
    )
    return correction_study(study, out, resume=True, progress=shelf.tell), out
