"""`classward attack`: one attack, one record."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import classward.attacks
from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.balls import ball
from classward.core.errors import ClasswardError, InputError
from classward.core.losses import LOSSES, LossName
from classward.core.types import Attack
from classward.core.user_file import user_function
from classward.data.load import load_data
from classward.evaluation.adapters.adapt import adapt
from classward.evaluation.bank import bank_of, clean_bank
from classward.evaluation.judge import model_digest
from classward.evaluation.run_attack import run_attack
from classward.models.corrected import Corrected
from classward.records.record_summary import lines, summary

BANK = 100  # training images of each class whose logits are imitated by default


@options.shared
def attack(
    given: options.Common,
    *,
    name: Annotated[
        str,
        typer.Option(
            "--attack",
            help="Name of the attack, see `classward list attacks`, or FILE.py:FUNCTION, "
            "called with model, images and labels.",
        ),
    ],
    eps: Annotated[str | None, typer.Option(help="Radius, such as 8/255.")] = None,
    norm: Annotated[
        Literal["linf", "l2"] | None, typer.Option(help="Norm of the ball, or kept small.")
    ] = None,
    set_: options.Set = None,
    loss: Annotated[LossName | None, typer.Option(help="Loss it climbs.")] = None,
    restarts: Annotated[int, typer.Option(min=1, help="Runs, each on the survivors.")] = 1,
    first_success: Annotated[
        bool,
        typer.Option("--first-success", help="Stop a sample once it fell: accuracy alone."),
    ] = False,
    surrogate: Annotated[
        list[str] | None,
        typer.Option(
            help="MODEL or MODEL=WEIGHTS, a network of your own that leads a black-box attack; "
            "give it again for more."
        ),
    ] = None,
    bank: Annotated[
        Path | None,
        typer.Option(
            help="A record of this model whose clean logits logit_mimicry reaches; by default "
            "those of up to 100 images of each class of the training part."
        ),
    ] = None,
    join: options.Join = False,
    patience: options.Patience = 600.0,
    save_images: Annotated[
        bool,
        typer.Option(
            "--save-images", help="Keep the adversarial images, and judge them in 8 bits."
        ),
    ] = False,
) -> int:
    """Attack every sample and record logits, predictions and distances."""
    radius = {} if eps is None else {"eps": options.radius(eps, norm or "linf")}
    kept = {} if norm is None else {"norm": norm}
    own, short = ".py:" in name, name.rpartition(":")[2]
    chosen = (
        _function(name, set_, eps, norm or "linf")
        if own
        else options.method(classward.attacks, name, set_, **radius, **kept)
    )
    _check_given(name, chosen.needs, surrogates=surrogate, bank=bank)
    data = given.samples_of("test")
    model, folder = given.network(data), given.folder(f"attack-{short}")
    # Whatever corrects logits is not differentiated by what imitates those before it.
    bare = model.network if isinstance(model, Corrected) and "bank" in chosen.needs else None
    ingredients: dict[str, Any] = {}
    if surrogate:
        ingredients["surrogates"] = [given.surrogate(named, data) for named in surrogate]
    if bank is not None or "bank" in chosen.needs:
        ingredients["bank"] = _bank(given, bare or model, bank)
    say(f"{chosen} on {given.name}, {len(data)} samples of {data.name}")
    with progress() as tell:
        record = run_attack(
            model,
            chosen,
            data,
            loss=None if loss is None else LOSSES[loss],
            until="first_success" if first_success else None,
            gradient_model=bare,
            ingredients=ingredients,
            restarts=restarts,
            out=folder,
            resume=given.resume,
            overwrite=given.overwrite,
            join=join,
            patience=patience,
            save_images=save_images,
            progress=lambda done, total: tell(short, done, total),
            **given.run,
        )
    show(summary(record), lines(record), as_json=given.as_json)
    say(f"record: {folder}")
    return 0


def _check_given(
    name: str, needs: frozenset[str], *, surrogates: list[str] | None, bank: Path | None
) -> None:
    """The options that one kind of attack needs, and no other takes."""
    if "surrogates" in needs and not surrogates:
        raise InputError(f"{name} needs a network that leads it: --surrogate MODEL=WEIGHTS")
    if surrogates and "surrogates" not in needs:
        raise InputError(f"{name} takes no --surrogate: leave it out")
    if bank is not None and "bank" not in needs:
        raise InputError(f"{name} takes no --bank: leave it out")


def _function(name: str, pairs: list[str] | None, eps: str | None, norm: str) -> Attack:
    """The attack that a function of the user's file is, with the options of `--set`."""
    file, _, function = name.rpartition(":")
    try:
        found = user_function(file, function)
    except ClasswardError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{file} failed: {said[:120]}") from error
    within = None if eps is None else ball(norm, eps)
    return adapt(partial(found, **options.settings(pairs)), ball=within)


def _bank(given: options.Common, model: Any, record: Path | None) -> Any:
    """Clean logits to imitate: of a record of this model, or of the training part."""
    if record is None:
        root = given.data_root
        data = load_data(given.data, split="train", root=root)
        data = data.take(min(len(data), BANK * data.classes))
        return clean_bank(model, data, batch_size=given.batch_size, device=given.device)
    made = options.record_of(record)
    if made.settings.get("model") != model_digest(model):
        raise InputError(f"--bank {record}: a record of another classifier; attack this one")
    return bank_of(made)
