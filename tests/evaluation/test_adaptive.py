"""A toy whose attacked logits tell the label, yet whose corrector falls to who knows it."""

import pytest
import torch
from torch import nn

from classward.attacks.logit_mimicry import LogitMimicry
from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.losses import cross_entropy, margin
from classward.correction.corrector import Corrector
from classward.correction.network import CorrectionNetwork
from classward.data.split import Split
from classward.evaluation import adaptive
from classward.evaluation.adaptive import (
    MIMICRY,
    adaptive_attacks,
    adaptive_losses,
    correction_table,
)
from classward.evaluation.plan import plan
from classward.evaluation.run_attack import run_attack
from classward.models.corrected import Corrected
from classward.records.record import Record

EPS = 0.2
ATTACK = PGD(ball=Linf(EPS), step_size=0.1, steps=10)


def brightest():
    """Four pixels, four classes: the class is the brightest pixel."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    model[1].weight.data, model[1].bias.data = 20 * torch.eye(4), torch.full((4,), -10.0)
    return model.eval()


def images(samples, seed, name="toy"):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % 4
    pixels = 0.4 + 0.2 * torch.eye(4)[labels]
    noise = 0.02 * torch.rand(samples, 4, generator=generator)
    return Split((pixels + noise).view(-1, 1, 2, 2), labels, name=name)


@pytest.fixture(scope="module")
def toy():
    model, data = brightest(), images(40, seed=1)
    fitted = Corrector.small(hidden=128, scale=1.0, epochs=30, batch_size=64)
    fitted.fit_records([run_attack(model, ATTACK, images(200, seed=0))])
    records = {"PGD": run_attack(model, ATTACK, data)}
    return model, fitted, data, records


def judged(toy, **options):
    return correction_table(*toy, **({"eps": EPS, "norm": "linf", "steps": 20} | options))


def test_who_does_not_know_the_corrector_fails_and_who_does_wins(toy):
    table = judged(toy)
    (row,) = table.gray_box
    assert row.attack == "PGD"
    assert row.no_defense.value == 0
    assert row.gray_box.value >= 0.95 and row.gray_box_selected.value >= 0.95
    assert table.clean.value == 1 and table.clean_corrected.value >= 0.95
    assert table.adaptive_worst.value <= 0.05
    assert table.adaptive_worst.total == 40


def test_what_was_asked_is_told(toy):
    table = judged(toy)
    assert table.fitted_on == [repr(ATTACK)] and table.training_samples == 200
    assert table.corrector.startswith("Corrector(batch_size=64, device='cpu', epochs=30")
    assert (table.eps, table.norm) == (EPS, "linf")
    assert list(table.adaptive) == list(adaptive_attacks(Linf(EPS), 20))


def test_a_small_radius_breaks_nothing(toy):
    assert judged(toy, eps=0.001).adaptive_worst.value >= 0.95


def test_the_worst_case_is_that_of_each_sample(toy, monkeypatch):
    # Seven attacks stay in the ball; all of them together leave samples 0 and 1. The last, of
    # any distance, leaves none, which does not count.
    model, fitted, data, _ = toy
    left = [[0, 1, 2, 3]] * 5 + [[0, 1, 4, 5], [0, 1, 6, 7], []]
    calls = []

    def run(judged, attack, given, *, gradient_model, ingredients, **options):
        imitates = gradient_model is model and set(ingredients) == {"bank"}
        calls.append((type(judged).__name__, judged.network is model, imitates))
        assert options["until"] == "first_success"
        logits = 5 * torch.eye(4)[given.labels]
        fooled = logits.roll(1, dims=1)
        fooled[left[len(calls) - 1]] = logits[left[len(calls) - 1]]
        return Record.from_arrays(
            labels=given.labels, clean_logits=logits, adversarial_logits=fooled
        )

    monkeypatch.setattr(
        adaptive, "run_attack", lambda *a, **k: run(*a, **{"ingredients": {}} | k)
    )
    small = data.select(torch.arange(8))
    few = {"PGD": run_attack(model, ATTACK, small)}
    table = correction_table(model, fitted, small, few, eps=EPS, norm="linf")
    assert [imitates for *_, imitates in calls] == [n == MIMICRY for n in table.adaptive]
    assert {call[:2] for call in calls} == {("Corrected", True)}
    assert [share.count for share in table.adaptive.values()] == [4] * 7 + [0]
    assert table.adaptive_worst.count == 2


def test_images_of_one_class_have_none_to_imitate(toy):
    model, fitted, data, _ = toy
    one = data.select((data.labels == 2).nonzero().flatten())
    table = judged((model, fitted, one, {"PGD": run_attack(model, ATTACK, one)}), steps=5)
    assert MIMICRY not in table.adaptive and table.adaptive_worst.total == len(one)


@pytest.fixture(scope="module")
def imitated(toy):
    """Logits that mimicry reaches, and those of the clean images they are meant to be."""
    model, _, data, _ = toy
    with torch.no_grad():
        bank = model(data.batch(torch.arange(len(data))))
    attack = LogitMimicry(ball=Linf(0.25), step_size=0.05, steps=100)
    made = run_attack(model, attack, data, ingredients={"bank": bank})
    nearest = torch.cdist(made.adversarial_logits, bank).argmin(dim=1)
    return made.adversarial_logits, bank[nearest], data.labels, data.labels[nearest]


def correctors(toy):
    """A fitted one, others of random weights, and the rule that undoes this very attack."""
    others = [(None, 1), (8, 2), (64, 3), (512, 4)]
    made = [CorrectionNetwork(4, d, torch.Generator().manual_seed(s)) for d, s in others]
    return [toy[1].network_, *made, lambda logits: logits.roll(1, dims=1), lambda z: -z]


@torch.no_grad()
def test_no_function_of_the_logits_is_right_on_clean_images_and_their_imitations(toy, imitated):
    reached, clean, labels, classes = imitated
    assert (reached - clean).abs().max() < 0.05 and (labels != classes).all()
    for corrector in correctors(toy):
        said, wanted = (corrector(logits).argmax(dim=1) for logits in (reached, clean))
        assert (said == wanted).double().mean() >= 0.95
        robust, right = (said == labels).double().mean(), (wanted == classes).double().mean()
        assert robust <= 1 - right + 0.05


def test_clean_columns_are_those_of_the_largest_record(toy):
    model, fitted, data, records = toy
    few = run_attack(model, ATTACK, data.select(torch.arange(4)))
    table = judged((model, fitted, data, {"few": few} | records))
    assert table.clean.total == 40
    assert [row.gray_box.total for row in table.gray_box] == [4, 40]


def test_progress_runs_once_from_start_to_end(toy):
    seen = []
    judged(toy, batch_size=20, progress=lambda *done: seen.append(done))
    assert seen == sorted(seen), "a part begins where the one before it ended"
    assert [*dict.fromkeys(seen)] == [(20 * i, 320) for i in range(17)]


def test_the_corrector_still_works_alone_afterwards(toy):
    before = toy[1].transform(toy[3]["PGD"].adversarial_logits)
    judged(toy)
    assert (toy[1].transform(toy[3]["PGD"].adversarial_logits) == before).all()


@pytest.mark.parametrize("ball", [Linf(0.1), L2(0.5)])
@pytest.mark.parametrize("steps", [1, 3, 10, 50])
def test_adaptive_attacks_have_the_radius_and_both_losses(ball, steps):
    attacks = adaptive_attacks(ball, steps)
    bounded = [how.attack for how in attacks.values() if how.bounded]
    assert {how.loss for how in attacks.values()} == {cross_entropy, margin, None}
    assert all(attack.ball == ball and attack.steps == steps for attack in bounded)
    assert {type(a).__name__ for a in bounded} == {"PGD", "APGD", "LogitMimicry"}
    assert [name for name, how in attacks.items() if not how.bounded] == ["C&W, any distance"]


def test_adaptive_steps_are_a_quarter_of_the_radius_finer_and_coarser():
    attacks = [how.attack for how in adaptive_attacks(Linf(0.4), 50).values()]
    sizes = [attack.step_size for attack in attacks if isinstance(attack, PGD)]
    assert sizes == pytest.approx([0.1, 0.1, 0.02, 0.4])


def test_what_fits_not_together_is_refused(toy):
    model, fitted, data, records = toy
    early = {"PGD": run_attack(model, ATTACK, data, until="first_success")}
    other = brightest()
    other[1].bias.data += 1
    cases = [
        (toy, {"eps": 0.0}, "needs eps above 0"),
        (toy, {"norm": "linf", "eps": 16.0}, "try 16.0/255"),
        ((model, fitted, data, {}), {}, "at least one attack record"),
        ((model, fitted, data, early), {}, "record 'PGD' stopped at first success"),
        ((other, fitted, data, records), {}, "record 'PGD' is of another classifier"),
        (
            (model, fitted, data.select(torch.arange(9)), records),
            {},
            "record 'PGD': toy has no sample 9 of label 1",
        ),
        ((model, Corrector(), data, records), {}, "not fitted"),
    ]
    for given, options, said in cases:
        with pytest.raises(ValueError, match=said):
            judged(given, **options)
    with pytest.raises(InputError):
        judged(toy, eps=0.0)


def test_every_part_names_its_losses():
    def odd(logits, labels):
        return -logits.gather(1, labels[:, None]).squeeze(1)

    network = brightest()
    assert adaptive_losses(network) == adaptive_losses(lambda images: images) == {}
    network.adaptive_losses = ("margin",)
    behind = nn.Identity()
    behind.adaptive_losses = (odd,)
    assert adaptive_losses(nn.Sequential(network, behind)) == {"margin": margin, "odd": odd}
    corrected = Corrected(network, behind)
    assert [*adaptive_losses(corrected)] == ["cross_entropy", "margin", "dlr", "odd"]
    planned = plan(0.1, "linf", model=corrected)
    assert [*planned] == ["fgsm", "pgd", "pgd_margin", "pgd_dlr", "pgd_odd"]
    assert planned["pgd_odd"].survivors and planned["pgd_odd"].loss is odd
    behind.adaptive_losses = ("hinge",)
    with pytest.raises(InputError, match="Identity names adaptive loss 'hinge': expected"):
        adaptive_losses(behind)
