import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.avmixup import Avmixup
from classward.defenses.standard import Standard
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training.measure import training_row
from classward.training.schedule import Recipe
from classward.training.train import train

ATTACK = PGD(ball=Linf(0.1), step_size=0.05, steps=2)
MUTUAL = torch.tensor([[1, 8, 1], [7, 2, 1], [5, 1, 4]])
APART = torch.tensor([[9, 0, 1], [0, 10, 0], [2, 0, 8]])


def test_row_of_a_confusion_by_hand():
    row = training_row(MUTUAL, [])["training"]
    assert row["robust_accuracy"] == pytest.approx(7 / 30)
    assert row["confusion"] == [
        [0, 1, 8],
        [0, 2, 1],
        [1, 0, 7],
        [1, 2, 1],
        [2, 0, 5],
        [2, 1, 1],
    ]
    assert row["pairs"] == [[0, 1]] and row["overlap"] is None


@pytest.mark.parametrize(
    ("before", "overlap"),
    [([[0, 1]], 1.0), ([[0, 2]], 0.0), ([[0, 1], [2, 3]], 0.5), ([], 0.0)],
)
def test_overlap_is_that_of_the_pairs_of_the_epoch_before(before, overlap):
    history = [{"training": {"pairs": [[1, 2]]}}, {"training": {"pairs": before}}]
    assert training_row(MUTUAL, history)["training"]["overlap"] == overlap


def test_no_pairs_twice_is_no_overlap_and_no_images_is_no_row():
    diagonal = torch.eye(3, dtype=torch.int64)
    history = [training_row(diagonal, [])]
    assert training_row(diagonal, history)["training"]["overlap"] is None
    assert training_row(0 * diagonal, history) == {}


def test_a_class_without_images_is_in_no_pair():
    absent = MUTUAL.clone()
    absent[0] = 0
    assert training_row(absent, [])["training"]["pairs"] == []
    assert training_row(APART, [])["training"]["pairs"] == [[0, 2]]


def data():
    images = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Split(images, images.flatten(1)[:, :3].argmax(1), ["a", "b", "c"])


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(
            nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU()), LinearHead(12, 3)
        )


def test_an_epoch_counts_each_training_adversary_once():
    recipe = Recipe(epochs=2, batch_size=8, validation=0, warm_up=0.0, learning_rate=1e-9)
    run = train(AdversarialTraining(attack=ATTACK), network(), data(), recipe=recipe)
    for row in run.history:
        right = round(24 * row["training"]["robust_accuracy"])
        assert right + sum(count for *_, count in row["training"]["confusion"]) == 24
    clean = network()(data().batch(torch.arange(24))).argmax(1) == data().labels
    assert run.history[0]["training"]["robust_accuracy"] < clean.float().mean()


@pytest.mark.parametrize("defense", [Standard(), Avmixup(attack=ATTACK)], ids=repr)
def test_who_trains_on_no_adversary_counts_none(defense):
    run = train(defense, network(), data(), recipe=Recipe(epochs=1, validation=0, warm_up=0.0))
    assert "training" not in run.history[0]
