import pytest
import torch
from torch import nn

from classward.attacks.bim import BIM
from classward.attacks.deepfool import DeepFool
from classward.attacks.fgsm import FGSM
from classward.attacks.pgd import PGD
from classward.attacks.rfgsm import RFGSM
from classward.core.balls import Linf
from classward.data.split import Split
from classward.defenses.base import Defense
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training.collapse import after_collapse, collapsed, takes_one_step
from classward.training.schedule import Recipe
from classward.training.train import train

BALL = Linf(0.1)
ONE_STEP = PGD(ball=BALL, step_size=0.125, steps=1)
CLEAN = 0.15  # distance of the images' brightness from the line
MASKS = (0.0, 0.0, 1.0, 0.0)  # one for each epoch
SEEN = []  # one entry for each step; not kept in the defense, for it is copied


@pytest.mark.parametrize(
    ("attack", "one"),
    [
        (FGSM(), True),
        (RFGSM(), True),
        (ONE_STEP, True),
        (PGD(), False),
        (BIM(), False),
        (DeepFool(), False),
        (None, False),
    ],
    ids=repr,
)
def test_attacks_of_one_step(attack, one):
    assert takes_one_step(attack) is one


@pytest.mark.parametrize(
    ("robust", "under", "expected"),
    [(0.19, 0.6, True), (0.19, 0.59, False), (0.2, 0.9, False), (0.0, 1.0, True)],
)
def test_collapse_is_half_of_the_best_lost_and_nothing_under_one_step(robust, under, expected):
    before = [
        {"robust_accuracy": 0.4, "training_attack_accuracy": 0.6},
        {"robust_accuracy": 0.3, "training_attack_accuracy": 0.7},
    ]
    row = {"robust_accuracy": robust, "training_attack_accuracy": under}
    assert collapsed(row, before) is expected
    assert not collapsed(row, [])


def test_goes_on_with_two_steps_in_the_same_ball():
    assert after_collapse(FGSM(ball=BALL), happened=False) == FGSM(ball=BALL)
    assert after_collapse(FGSM(ball=BALL), happened=True) == PGD(
        ball=BALL, step_size=0.05, steps=2
    )


class Masked(nn.Module):
    """Brightness about a line; as `mask` becomes 1, one step of FGSM is led astray.

    At clean images the slope then points away from the line, and where attacks of many steps
    end the sign is turned, which no slope shows.
    """

    def __init__(self):
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(()))

    def forward(self, images):
        bright = images.mean(dim=(1, 2, 3)) - 0.5
        beyond = bright.abs() - CLEAN
        astray = 2 * beyond * bright.sign() * (beyond.abs() < 0.0005)
        turned = (2 * bright * (bright.abs() < CLEAN - 0.9 * BALL.eps)).detach()
        return (bright - self.mask * (astray + turned))[:, None]


class Masking(Defense):
    """Sets the mask to what each epoch wants; nothing is learned."""

    adaptive_losses = ("cross_entropy",)

    def loss(self, network, batch):
        mask = network.features.mask
        SEEN.append((batch.epoch, self.attack, mask.item()))
        with torch.no_grad():
            mask.fill_(MASKS[batch.epoch])
        return {"nothing": 0 * network.head.prototypes().sum() + 0 * mask}


@pytest.fixture
def seen():
    SEEN.clear()
    return SEEN


def trained(on_collapse="pgd", **arguments):
    network = Network(Masked(), LinearHead(1, 2))
    with torch.no_grad():
        network.head.linear.weight.copy_(torch.tensor([[-10.0], [10.0]]))
        network.head.linear.bias.zero_()
    labels = torch.arange(80) % 2
    bright = 0.5 + CLEAN * (2 * labels - 1)
    data = Split(bright[:, None, None, None].expand(80, 1, 2, 2).clone(), labels)
    options = {"warm_up": 0.0, "weight_decay": 0.0, "batch_size": 40, "epochs": len(MASKS)}
    recipe = Recipe(on_collapse=on_collapse, **options)
    return train(Masking(FGSM(ball=BALL)), network, data, recipe=recipe, **arguments)


def test_goes_back_to_the_best_epoch_and_on_with_two_steps(seen):
    run = trained()
    rows = [
        (row["robust_accuracy"], row.get("training_attack_accuracy")) for row in run.history
    ]
    assert rows[0] == rows[1] == (1, 1)
    assert rows[2][0] < 0.5 and rows[2][1] == 1
    assert [row.get("collapsed", False) for row in run.history] == [False, False, True, False]
    assert rows[3] == (1, None)
    weak, strong = FGSM(ball=BALL), PGD(ball=BALL, step_size=0.05, steps=2)
    attacks = {epoch: attack for epoch, attack, _ in seen}
    assert attacks == {0: weak, 1: weak, 2: weak, 3: strong}
    first = next(mask for epoch, _, mask in seen if epoch == 3)
    assert first == 0, "the weights are not those of the best epoch"
    assert run.best_epoch == 4


def test_stops_where_it_is_asked_to(seen, tmp_path):
    run = trained("stop", out=tmp_path / "run")
    assert len(run.history) == 3 and run.history[-1]["collapsed"] and run.best_epoch == 2
    assert (run.best.features.mask, run.last.features.mask) == (0, 1)
    steps = len(seen)
    again = trained("stop", out=tmp_path / "run", resume=True)
    assert again.history == run.history and len(seen) == steps


def test_does_nothing_where_it_is_not_asked_to(seen):
    run = trained("ignore")
    assert all("collapsed" not in row for row in run.history)
    assert all("training_attack_accuracy" not in row for row in run.history)
    assert next(mask for epoch, _, mask in seen if epoch == 3) == 1


def test_a_resumed_run_knows_that_it_collapsed(seen, tmp_path):
    whole = trained()

    def stop(done, _total):
        if done == 7:  # of two steps in each epoch: within the last, after the collapse
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(out=tmp_path / "run", progress=stop)
    seen.clear()
    resumed = trained(out=tmp_path / "run", resume=True)
    assert resumed.history == whole.history
    assert {type(attack) for _, attack, _ in seen} == {PGD} and seen[0][2] == 0
