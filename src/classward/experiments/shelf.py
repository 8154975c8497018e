"""What tables share: data, trained networks, attack records and studies, each made once.

A network is asked for by its group, an entry of `papers/groups.toml` which says model, data and
training, and by the defense it is trained with. Everything is kept under what was asked, so a
run that was stopped goes on, and the next table finds it.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

import classward.attacks
import classward.defenses
from classward.core.balls import ball
from classward.core.errors import InputError
from classward.core.methods import make
from classward.data.load import data_names, load_data
from classward.data.split import Split
from classward.evaluation.run_attack import run_attack
from classward.evaluation.run_suite import run_suite
from classward.evaluation.suites import aa_lite, autoattack
from classward.experiments.chosen_pairs import chosen_pairs
from classward.experiments.one_thread import one_thread
from classward.experiments.paper_table import PAPERS, Scale
from classward.models.load import load_model
from classward.models.weights import RUN_FILE
from classward.records.atomic import atomic_write
from classward.records.record import Record
from classward.records.sealed import digest, read_sealed, seal
from classward.training.schedule import Recipe
from classward.training.train import TrainingRun, train

Tell = Callable[[str, int, int], None]
Table = Mapping[str, Any]
STANDARD: Table = {"name": "standard"}
SUITE = ("suite", "eps", "norm")  # what is no budget of a suite
PAIR_SAMPLES = 1000  # training images that are attacked to find pairs
PAIRED = ("symmetry_aware", "inter_class")  # their pairs come from a warm-up unless given


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where things are kept, and how they are made.

    Attributes:
        path: The folder.
        scale: Whose groups count.
        data_root: Where data files and published weights are.
        seed: Of attacks and correctors; trainings have seeds of their own.
        run: Arguments of every attack: batch_size, device, precision.
        tell: Told of what is being made.
        own: Groups of a table, beside those of `groups.toml`.
    """

    path: Path
    scale: Scale
    data_root: Path | None
    seed: int
    run: Mapping[str, Any]
    tell: Tell
    own: Mapping[str, Any] = field(default_factory=dict)

    def group(self, name: str) -> dict[str, Any]:
        """The entry of that name.

        Raises:
            InputError: If this scale has none.
        """
        scales = tomllib.loads((PAPERS / "groups.toml").read_text())
        below = scales["small"] if self.scale == "medium" else {}
        groups = below | scales[self.scale] | self.own
        if name not in groups:
            raise InputError(f"groups.toml: {self.scale} has no group '{name}'")
        return groups[name]

    def images(self, group: str, samples: int | str | None, split: str = "test") -> Split:
        """Images of the group's data set, as `load_data` takes them."""
        data = _images(str(self.group(group)["data"]), split, self.data_root)
        return data if samples is None else data.take(samples)

    def training(
        self, group: str, defense: Table = STANDARD, seed: int = 0, **changed: Any
    ) -> TrainingRun:
        """The training of a network of the group; on any number of threads the same.

        Args:
            group: Its group.
            defense: Name and options of the defense.
            seed: Seed of the training.
            changed: Entries of the group that are to be others.
        """
        asked = self.group(group) | changed
        if asked.get("weights") is not None:
            raise InputError(f"group {group} has published weights: it is not trained")
        out = self._trained(group, defense, seed, changed)
        told = f"train {group}, {defense['name']}, seed {seed}"
        given = dict(defense)
        if given["name"] in PAIRED:
            given["pairs"] = self._pairs(group, given.get("pairs", "warm_up"))
        with one_thread():
            return train(
                _made(classward.defenses, given),
                asked["model"],
                self.images(group, asked.get("training_samples"), "train"),
                layout={"width": float(asked["width"])} if "width" in asked else None,
                attack=_made(classward.attacks, asked["attack"]) if "attack" in asked else None,
                recipe=Recipe(**asked.get("recipe", {})),
                seed=seed,
                device=self.run["device"],
                precision=self.run["precision"],
                out=out,
                resume=(out / "manifest.json").exists(),
                progress=partial(self.tell, told),
            )

    def lacks(
        self, group: str, defense: Table = STANDARD, seed: int = 0, **changed: Any
    ) -> bool:
        """Whether that network must be trained first."""
        asked = self.group(group)
        published = asked.get("pretrained") or asked.get("weights") is not None
        if published and dict(defense) == dict(STANDARD) and not changed:
            return False
        return not (self._trained(group, defense, seed, changed) / RUN_FILE).is_file()

    def network(
        self, group: str, defense: Table = STANDARD, seed: int = 0, **changed: Any
    ) -> nn.Module:
        """A network of the group: with published weights, or trained; see `training`.

        Raises:
            InputError: If the weights are not at hand.
        """
        asked = self.group(group)
        if asked.get("pretrained"):
            return load_model(str(asked["model"]))
        if self.lacks(group, defense, seed, **changed):
            return self.training(group, defense, seed, **changed).best
        weights = asked.get("weights")
        if weights is None or dict(defense) != dict(STANDARD) or changed:
            out = self._trained(group, defense, seed, changed)
            return load_model(str((asked | changed)["model"]), weights=out)
        if self.data_root is None or not (self.data_root / weights).is_file():
            raise InputError(f"group {group}: {weights} is not in --data-root")
        return _published(self.group(group), self.data_root)

    def record(
        self,
        network: Table,
        attack: Table,
        *,
        samples: int | str | None,
        split: str = "test",
        whole: bool = False,
    ) -> Record:
        """The final iterates of an attack, from memory where they were recorded before.

        Args:
            network: Arguments of `network`.
            attack: Name and options of the attack.
            samples: Images, as `load_data` takes them.
            split: Part of the data set.
            whole: Stop a sample at its first success instead, which is for accuracy alone.
        """
        name = self._key(network, attack)
        part = f"{split}-{samples or 'all'}".replace(":", "-")
        out = self.path / "records" / f"{name}-{part}{'-first' if whole else ''}"
        images = self.images(str(network["group"]), samples, split)
        return run_attack(
            self.network(**network),
            _made(classward.attacks, attack),
            images,
            until="first_success" if whole else None,
            ingredients=self._ingredients(attack),
            seed=self.seed,
            out=out,
            resume=True,
            progress=partial(self.tell, f"{attack['name']} on {name}, {part}"),
            **self.run,
        )

    def right(
        self, network: Table, attack: Table, *, samples: int | str | None
    ) -> Bool[Tensor, " n"]:
        """Which samples stand, in the order of their ids, under an attack, a suite or nothing.

        Args:
            network: Arguments of `network`.
            attack: Name and options of an attack; or `suite`, "standard" or "lite", with its
                radius `eps` and `norm`, and for "lite" its budgets; or empty.
            samples: Images, as `load_data` takes them.
        """
        file = self.path / "right" / f"{self._key(network, attack)}-{samples or 'all'}.json"
        if file.is_file():
            return torch.tensor(read_sealed(file)["right"]).bool()
        images = self.images(str(network["group"]), samples)
        if "suite" in attack:
            found = self._suite(network, attack, images)
        elif attack:
            found = self.record(network, attack, samples=samples, whole=True).robust
        else:
            model = self.network(**network)
            shown = {"name": "fgsm", "eps": 0.0}
            found = run_attack(
                model, _made(classward.attacks, shown), images, **self.run
            ).correct
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(file, seal({"right": found.int().tolist()}).encode())
        return found

    def _trained(self, group: str, defense: Table, seed: int, changed: Table) -> Path:
        """Where the training of a network is kept."""
        of = _essence({**self.group(group), **changed})
        run = {name: self.run[name] for name in ("device", "precision")}
        made = {"defense": dict(defense), "of": of, "run": run}
        return self.path / "networks" / named(group, made) / f"seed-{seed}"

    def _pairs(self, group: str, how: str) -> Any:
        """Pairs to train with: found on the way, none, or of the network trained on attacks."""
        if how == "warm_up" or how == "none":
            return "warm_up" if how == "warm_up" else []
        network = {"group": group, "defense": {"name": "adversarial_training"}}
        attack = self.group(group)["attack"] | {"name": "pgd", "steps": 10}
        record = self.record(network, attack, samples=PAIR_SAMPLES, split="train")
        return chosen_pairs(record.attack_matrix(), how, self.seed)

    def _key(self, network: Table, attack: Table) -> str:
        """Name of what is recorded of a network under an attack."""
        asked = {"network": network, "attack": attack, "run": dict(self.run), "seed": self.seed}
        group = str(network["group"])
        return named(group, asked | {"of": _essence(self.group(group))})

    def _suite(self, network: Table, attack: Table, images: Split) -> Bool[Tensor, " n"]:
        budgets = {key: value for key, value in attack.items() if key not in SUITE}
        within = ball(attack.get("norm", "linf"), attack["eps"])
        chosen = (
            autoattack(within) if attack["suite"] == "standard" else aa_lite(within, **budgets)
        )
        told = f"{chosen.name} on {network['group']}"
        return run_suite(
            self.network(**network),
            chosen,
            images,
            seed=self.seed,
            progress=lambda name, done, total: self.tell(f"{told}, {name}", done, total),
            **self.run,
        ).robust

    def _ingredients(self, attack: Table) -> dict[str, Any]:
        """Surrogates by the names of their groups."""
        named = attack.get("surrogates")
        return {} if named is None else {"surrogates": [self.network(name) for name in named]}


@cache
def _images(name: str, split: str, root: Path | None) -> Split:
    """A data set by name; one that is not built in is a folder under the root."""
    if name not in data_names() and root is not None and (root / name / split).is_dir():
        name = str(root / name / split)
    return load_data(name, split=split, root=root)


def _published(group: Table, root: Path) -> nn.Module:
    layout = {
        key: group[key]
        for key in ("classes", "mean", "std", "size", "channels")
        if key in group
    }
    return load_model(str(group["model"]), weights=root / group["weights"], **layout)


def _made(package: Any, told: Table) -> Any:
    options = {key: value for key, value in told.items() if key not in ("name", "surrogates")}
    return make(package, str(told["name"]), **options)


def _essence(group: Table) -> dict[str, Any]:
    """What a network of the group depends on."""
    return {key: value for key, value in group.items() if key not in ("differs", "study")}


def named(group: str, asked: Table) -> str:
    """A name for a folder: what it is of, and a digest of all that was asked."""
    parts = [asked.get("defense"), *asked.get("network", {}).values(), asked.get("attack")]
    words = [
        str(part["name"]) for part in parts if isinstance(part, Mapping) and "name" in part
    ]
    return "-".join([group, *words, digest(dict(asked))[:8]]).replace("/", "-")
