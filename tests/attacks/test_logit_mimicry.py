import pytest
import torch
from torch import nn

from classward.attacks.logit_mimicry import LogitMimicry
from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.correction.corrector import Corrector
from classward.data.load import load_data
from classward.evaluation.bank import clean_bank
from classward.evaluation.run_attack import run_attack
from classward.models.corrected import Corrected

WEIGHT = torch.linalg.qr(torch.randn(16, 3, generator=torch.Generator().manual_seed(0)))[0]


def linear(images):
    return images.flatten(1) @ WEIGHT


def gray(n=2):
    return torch.full((n, 1, 4, 4), 0.5)


def attacked(attack, bank, labels=(0, 1), restart=0, model=linear, **more):
    rng = SampleRandom(0, "test", torch.arange(len(labels)), restart)
    labels = torch.tensor(labels)
    return attack(model, gray(len(labels)), labels, rng=rng, bank=bank, **more)


NEAR = Linf(0.2)


def attack(ball=NEAR, steps=200):
    return LogitMimicry(ball=ball, step_size=ball.eps / 4, steps=steps)


@pytest.mark.parametrize("ball", [NEAR, L2(0.4)])
def test_logits_that_can_be_reached_are_reached(ball):
    change = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(1)) - 0.5
    goal = linear(gray() + 0.5 * ball.eps * change)
    aims = goal.argmax(1)
    out = attacked(attack(ball), goal[:1], [(int(aims[0]) + 1) % 3] * 2)
    torch.testing.assert_close(linear(out), goal[:1].repeat(2, 1), atol=2e-3, rtol=0)


def test_what_is_out_of_reach_is_approached_along_the_shortest_way():
    """Orthonormal weights keep lengths: the nearest point of an l2 ball is known."""
    clean = linear(gray())
    far = clean[:1] + torch.tensor([[0.0, 0.0, 3.0]])
    out = attacked(attack(L2(0.3)), far, [0, 1])
    wanted = clean + torch.tensor([[0.0, 0.0, 0.3]])
    torch.testing.assert_close(linear(out), wanted, atol=1e-3, rtol=0)


ROWS = torch.tensor([[9.0, 0, 0], [0, 8.0, 0], [0, 5.0, 0], [0, 0, 4.0], [0, 0, 3.0]])


@pytest.mark.parametrize(
    ("labels", "targets", "restart", "row"),
    [
        ([2, 2], None, 0, 2),
        ([0, 0], None, 0, 4),
        ([2, 2], None, 1, 1),
        ([2, 2], None, 2, 0),
        ([2, 2], None, 99, 0),
        ([2, 2], [0, 0], 0, 0),
        ([2, 2], [1, 1], 1, 1),
        ([2, 2], [1, 1], 99, 1),
    ],
)
def test_goes_for_the_nearest_row_of_another_class_and_a_restart_for_the_next(
    labels, targets, restart, row
):
    def zero(images):
        return torch.nn.functional.pad(images.flatten(1)[:, :3] - 0.5, (0, 0)) * 20

    aims = None if targets is None else torch.tensor(targets)
    out = attacked(attack(Linf(0.5)), ROWS, labels, restart, zero, targets=aims)
    torch.testing.assert_close(zero(out), ROWS[[row, row]], atol=0.1, rtol=0)


@pytest.mark.parametrize(
    ("bank", "more", "said"),
    [
        (None, {}, "needs a bank of clean logits"),
        (torch.eye(4), {}, "bank has 4 logits a row, the model 3"),
        (torch.eye(3)[:1], {}, "no logits of a class other than 0"),
        (torch.eye(3)[:2], {"targets": torch.tensor([1, 2])}, "no logits of a class of 2"),
        (torch.eye(3), {"loss": torch.nn.functional.cross_entropy}, "loss of its own"),
    ],
)
def test_what_cannot_be_asked_is_refused(bank, more, said):
    with pytest.raises(InputError, match=said):
        attacked(attack(), bank, **more)


def test_steps_that_end_short_are_refused():
    with pytest.raises(ValueError, match="end short of eps"):
        LogitMimicry(ball=Linf(0.3), step_size=0.1, steps=4)
    LogitMimicry(ball=Linf(0.25), step_size=0.1, steps=4)


@pytest.fixture(scope="module")
def digits():
    """A small network on the digits, and a corrector fitted on a PGD record of it."""
    train, test = load_data("digits", split="train"), load_data("digits", samples=100)
    images, labels = train.batch(torch.arange(len(train))), train.labels
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    model.eval().requires_grad_(False)
    pgd = PGD(ball=Linf(0.3), step_size=0.075, steps=10)
    record = run_attack(model, pgd, train.take(1000))
    corrector = Corrector.small(epochs=60).fit_records([record])
    return model, corrector, clean_bank(model, train), pgd, test


class TestNoCorrectorCanHelp:
    def test_mimicked_logits_are_corrected_to_the_target_class_as_clean_ones_are(self, digits):
        model, corrector, bank, _, test = digits
        kept = bank[torch.as_tensor(corrector.predict(bank)) == bank.argmax(1)]
        mimicry = attack(Linf(0.4), steps=60)
        made = run_attack(model, mimicry, test, ingredients={"bank": kept})
        classes = kept.argmax(1) != test.labels[:, None]
        distance = torch.cdist(made.clean_logits, kept).masked_fill(~classes, torch.inf)
        wanted = kept[distance.argmin(1)]
        left = (made.adversarial_logits - wanted).norm(dim=1) / distance.amin(1)
        near = left < 0.1
        assert near.float().mean() > 0.4, "too few came near for the test to say anything"
        corrected = torch.as_tensor(corrector.predict(made.adversarial_logits))
        before = torch.as_tensor(corrector.predict(made.clean_logits)) == test.labels
        to_target = (corrected == wanted.argmax(1))[near].float().mean()
        assert to_target > 0.85 and to_target > before.float().mean()
        assert (corrected == test.labels)[near].float().mean() < 0.05

    def test_what_is_left_of_a_correction(self, digits):
        """The corrector sees through PGD, which it was fitted on; not through this."""
        model, corrector, bank, pgd, test = digits
        corrected = Corrected(model, corrector.network_)
        gray_box = run_attack(corrected, pgd, test, gradient_model=model)
        mimicry = attack(Linf(0.3), steps=60)
        mimicked = run_attack(
            corrected, mimicry, test, gradient_model=model, ingredients={"bank": bank}
        )
        assert gray_box.robust_accuracy > 0.5
        assert mimicked.robust_accuracy < 0.2
        assert "sha256" in mimicked.settings["ingredients"]["bank"]
