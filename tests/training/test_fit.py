import inspect
import json

import pytest
import torch
from torch import nn

import classward.training.fit
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.base import Defense
from classward.defenses.standard import Standard
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training.schedule import Recipe
from classward.training.train import train

ATTACK = PGD(ball=Linf(0.1), step_size=0.05, steps=2)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(16, 12), nn.BatchNorm1d(12), nn.ReLU()]
        return Network(nn.Sequential(*layers), LinearHead(12, 3))


def data(count=31):
    images = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = images.flatten(1)[:, :3].argmax(1)
    return Split(images, labels, ["a", "b", "c"], ids=torch.arange(count) + 100)


SEEN = []  # one entry for each step; not kept in the defense, for it is copied


class Watching(AdversarialTraining):
    """Keeps what it is given, and spoils the loss or the gradient of one step."""

    def __init__(self, spoiled=None, at=None):
        super().__init__(attack=ATTACK)
        self.spoiled, self.at = spoiled, at

    def loss(self, network, batch):
        SEEN.append((batch, self.attack))
        terms = super().loss(network, batch)
        if batch.step == self.at:
            zero = network.head.prototypes().sum() * 0
            terms["spoiled"] = {
                "loss": zero + torch.nan,
                "gradient": (zero - zero.detach()).abs().sqrt() * 0,
            }[self.spoiled]
        return terms


@pytest.fixture
def seen():
    SEEN.clear()
    return SEEN


def recipe(**options):
    return Recipe(**{"epochs": 2, "batch_size": 8, "validation": 0, "warm_up": 0.0} | options)


def test_is_a_short_file():
    assert len(inspect.getsource(classward.training.fit).splitlines()) <= 200


def test_every_epoch_shows_every_image_once_in_another_order(seen):
    train(Watching(), network(), data(25), recipe=recipe())
    ids = [batch.ids.tolist() for batch, _ in seen]
    assert [len(part) for part in ids] == [8, 8, 9] * 2  # the last image alone joins the others
    first, second = ([i for part in ids[k : k + 3] for i in part] for k in (0, 3))
    assert sorted(first) == sorted(second) == list(range(100, 125))
    assert first != second
    assert [(batch.epoch, batch.step) for batch, _ in seen] == [
        (step // 3, step) for step in range(6)
    ]


def test_attacked_images_are_fresh_every_epoch_and_fixed_by_the_seed(seen):
    for _ in range(2):
        train(Watching(), network(), data(8), recipe=recipe(learning_rate=1e-9))
    change = [(batch.adversarial - batch.images)[batch.ids.argsort()] for batch, _ in seen]
    assert not torch.equal(change[0], change[1])
    assert torch.equal(change[0], change[2]) and torch.equal(change[1], change[3])


def test_radius_grows_over_the_warm_up_and_then_stays(seen):
    train(Watching(), network(), data(32), recipe=recipe(warm_up=0.5))
    radii = [attack.ball.eps / 0.1 for _, attack in seen]
    assert radii == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1, 1, 1])
    assert torch.equal(seen[0][0].adversarial, seen[0][0].images)
    assert seen[-1][1] == ATTACK
    largest = (seen[1][0].adversarial - seen[1][0].images).abs().max().item()
    assert largest == pytest.approx(0.025)


def test_images_are_augmented_on_request(seen):
    images = {}
    for augment in (False, True):
        seen.clear()
        train(Watching(), network(), data(8), recipe=recipe(augment=augment))
        images[augment] = [batch.images[batch.ids.argsort()] for batch, _ in seen]
    assert torch.equal(images[False][0], images[False][1])
    assert torch.equal(images[False][0], data(8).batch(torch.arange(8)))
    assert not torch.equal(images[True][0], images[True][1])


@pytest.mark.parametrize("spoiled", ["loss", "gradient"])
def test_stops_where_a_number_is_not_finite(tmp_path, seen, spoiled):
    defense = Watching(spoiled=spoiled, at=5)
    with pytest.raises(InputError) as raised:
        train(defense, network(), data(32), recipe=recipe(), out=tmp_path / "run")
    ids = seen[-1][0].ids.tolist()
    message = str(raised.value)
    assert message.startswith(f"{spoiled} is not finite in epoch 2, step 6, samples {ids[0]},")
    assert "\n" not in message and len(message) < 200
    fault = json.loads((tmp_path / "run" / "fault.json").read_text())
    assert [fault[name] for name in ("what", "epoch", "step", "ids")] == [spoiled, 2, 6, ids]
    assert message.endswith("fault.json replays it")
    content = json.loads((tmp_path / "run" / "last.json").read_text())["content"]
    assert content["position"] == {"epoch": 1, "position": 0}


def test_log_holds_one_row_for_each_epoch(tmp_path):
    run = train(
        AdversarialTraining(attack=ATTACK),
        network(),
        data(40),
        recipe=recipe(epochs=3, validation=4),
        out=tmp_path / "run",
    )
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == run.history
    for epoch, row in enumerate(run.history, start=1):
        assert row["epoch"] == epoch and row["loss"]["cross_entropy"] > 0
        assert 0 <= row["robust_accuracy"] <= row["clean_accuracy"] <= 1
        assert all(i != j and n > 0 for i, j, n in row["confusion"])
        assert sum(n for *_, n in row["confusion"]) <= 4 * (1 - row["robust_accuracy"])


def test_logged_loss_is_the_mean_over_images():
    class Counting(Defense):
        attacked = False
        adaptive_losses = ("cross_entropy",)

        def perturb(self, network, batch):
            return batch.images

        def loss(self, network, batch):
            zero = network.head.prototypes().sum() * 0
            return {"mean_id": zero + (batch.ids - 100).float().mean()}

    run = train(Counting(), network(), data(11), recipe=recipe(epochs=1))
    assert run.history == [{"epoch": 1, "loss": {"mean_id": pytest.approx(5)}}]


def test_held_out_images_are_measured_and_never_trained_on(seen):
    split = data(60)
    run = train(Watching(), network(), split, recipe=recipe(epochs=4, validation=6))
    trained = {i for batch, _ in seen for i in batch.ids.tolist()}
    held_out = split.select(
        torch.tensor([i not in trained for i in split.ids.tolist()]).nonzero()[:, 0]
    )
    assert len(held_out) == 6
    for network_then, row in ((run.last, run.history[-1]), (run.best, best_row(run.history))):
        predictions = network_then(held_out.batch(torch.arange(6))).argmax(1)
        assert row["clean_accuracy"] == (predictions == held_out.labels).sum() / 6


def best_row(history):
    return max(history, key=lambda row: (row["robust_accuracy"], row["epoch"]))


@pytest.mark.parametrize("clip", [0.0, 0.01, 1e6])
def test_a_step_is_no_longer_than_the_clipped_gradient(clip):
    recipe = Recipe(epochs=1, batch_size=31, validation=0, weight_decay=0.0, clip=clip)
    first = network()
    trained = train(Standard(), first, data(), recipe=recipe).last
    pairs = zip(first.parameters(), trained.parameters(), strict=True)
    moved = torch.cat([(new - old).detach().flatten() for old, new in pairs]).norm().item()
    longest = 0.1 * 1.9 * clip  # first step of Nesterov momentum 0.9
    assert moved == pytest.approx(longest, rel=1e-3) if clip == 0.01 else moved > 0.19 * 0.1


def test_mixed_precision_trains_too():
    run = train(
        AdversarialTraining(attack=ATTACK),
        network(),
        data(),
        recipe=recipe(epochs=20),
        precision="fast",
    )
    losses = [row["loss"]["cross_entropy"] for row in run.history]
    assert losses[-1] < 0.8 * losses[0]
    assert {p.dtype for p in run.best.parameters()} == {torch.float32}


def test_progress_counts_steps():
    told = []
    train(Standard(), network(), data(20), recipe=recipe(), progress=lambda *s: told.append(s))
    assert told == [(step, 6) for step in range(7)]
