import hashlib
import os
import signal
from dataclasses import replace

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import nn

import classward.records.run_folder as run_folder
from classward.attacks.carlini_wagner import CarliniWagner
from classward.attacks.deepfool import DeepFool
from classward.attacks.pgd import PGD
from classward.attacks.square import Square
from classward.core.balls import Linf
from classward.core.errors import InputError, InvariantError
from classward.core.losses import margin
from classward.data.split import Split
from classward.evaluation.run_attack import run_attack
from classward.records import shards
from classward.records.record import Record

ATTACK = PGD(ball=Linf(0.15), step_size=0.05, steps=5)


def network(seed=1, classes=4):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()
        return nn.Sequential(*layers, nn.Linear(6 * 16, classes)).eval()


def data(n=40, classes=4, model=None):
    images = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = (model or network(classes=classes))(images).argmax(1)
    labels[::7] = (labels[::7] + 1) % classes  # some wrong before the attack
    return Split(images, labels, list("abcdefgh")[:classes])


def columns(record):
    fields = ("ids", "predictions", "clean_logits", "adversarial_logits", "linf", "success")
    return [getattr(record, name) for name in fields]


def assert_equal(left, right):
    for a, b in zip(columns(left), columns(right), strict=True):
        assert torch.equal(a, b)


class TestRecord:
    def test_says_what_the_classifier_says(self):
        model, split = network(), data()
        record = run_attack(model, ATTACK, split, save_images=True)
        images = split.batch(torch.arange(40))
        torch.testing.assert_close(record.clean_logits, model(images).detach())
        torch.testing.assert_close(record.adversarial_logits, model(record.images).detach())
        assert torch.equal(record.success, record.predictions != split.labels)
        assert 0 < record.robust_accuracy < record.clean_accuracy < 1
        torch.testing.assert_close(
            record.linf, (record.images - images).flatten(1).abs().amax(1)
        )
        assert record.settings["eps"] == 0.15 and record.settings["norm"] == "linf"

    def test_does_not_depend_on_order_or_shards(self, monkeypatch):
        whole = run_attack(network(), ATTACK, data())
        order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
        assert_equal(run_attack(network(), ATTACK, data().select(order)), whole)
        whole = run_attack(network(), ATTACK, data(), batch_size=8)
        monkeypatch.setattr(shards, "SHARD", 16)
        assert_equal(run_attack(network(), ATTACK, data(), batch_size=8), whole)

    @pytest.mark.parametrize("batch_size", [1, 3, 7, 40])
    def test_decisions_do_not_depend_on_the_batch_size(self, batch_size):
        whole = run_attack(network(), ATTACK, data(), batch_size=16)
        other = run_attack(network(), ATTACK, data(), batch_size=batch_size)
        undecided = {*whole.undecided, *other.undecided}
        differ = whole.ids[whole.predictions != other.predictions].tolist()
        assert set(differ) <= undecided

    def test_decisions_do_not_depend_on_the_threads(self):
        threads = torch.get_num_threads()
        try:
            found = []
            for count in (1, 2):
                torch.set_num_threads(count)
                found.append(run_attack(network(), ATTACK, data()))
        finally:
            torch.set_num_threads(threads)
        one, two = found
        differ = one.ids[one.predictions != two.predictions].tolist()
        assert set(differ) <= {*one.undecided, *two.undecided}

    def test_same_seed_same_record_and_another_seed_another(self):
        first = run_attack(network(), ATTACK, data(), seed=5)
        assert_equal(first, run_attack(network(), ATTACK, data(), seed=5))
        other = run_attack(network(), ATTACK, data(), seed=6)
        assert not torch.equal(first.adversarial_logits, other.adversarial_logits)

    def test_early_exit_finds_the_same_robust_samples_for_less(self):
        full = run_attack(network(), ATTACK, data(), loss=margin)
        early = run_attack(network(), ATTACK, data(), loss=margin, until="first_success")
        assert early.robust[~full.robust].sum() == 0, "a sample that fell stays fallen"
        assert early.passes.backward < full.passes.backward
        fell = early.correct & early.success
        assert (early.first_success[fell] >= 0).any() and (full.first_success == -1).all()
        assert early.settings["until"] == "first_success" and full.settings["until"] is None

    def test_passes_are_counted(self):
        record = run_attack(network(), ATTACK, data())
        assert record.passes.to_dict() == {"forward": 40 * 7, "backward": 40 * 5}
        assert record.gradients.taken == 200

    def test_restarts_go_on_with_survivors_and_never_hurt(self):
        attack = replace(ATTACK, steps=3)
        once = run_attack(network(), attack, data())
        often = run_attack(network(), attack, data(), restarts=4)
        assert (often.robust <= once.robust).all()
        assert often.passes.backward < 4 * once.passes.backward
        assert torch.equal(often.predictions[once.success], once.predictions[once.success])

    def test_targets_are_what_counts(self):
        split = data()
        targets = (split.labels + 1) % 4
        attack = PGD(ball=Linf(0.5), step_size=0.1, steps=20)
        record = run_attack(network(), attack, split, targets=targets, loss=margin)
        assert torch.equal(record.success, record.predictions == targets)
        assert record.success.float().mean() > 0.5

    def test_radius_zero_changes_nothing(self):
        record = run_attack(network(), replace(ATTACK, ball=Linf(0.0)), data())
        assert record.robust_accuracy == record.clean_accuracy
        assert (record.linf == 0).all()

    def test_batch_norm_is_folded_and_the_verdict_is_the_models(self):
        record = run_attack(network(), ATTACK, data())
        assert "1 batch norm" in record.settings["gradient_model"]
        given = run_attack(network(), ATTACK, data(), gradient_model=network())
        assert given.settings["gradient_model"] == "given by the caller"
        assert (given.predictions == record.predictions).float().mean() > 0.9

    def test_a_gradient_model_that_lies_changes_the_attack_not_the_judge(self):
        record = run_attack(network(), ATTACK, data(), gradient_model=network(seed=9))
        direct = run_attack(network(), ATTACK, data())
        assert torch.equal(record.clean_logits, direct.clean_logits)
        assert record.robust_accuracy > direct.robust_accuracy

    def test_a_module_in_train_mode_is_judged_in_eval_and_left_in_train(self):
        model = network().train()
        before = [tensor.clone() for tensor in model.state_dict().values()]
        assert_equal(run_attack(model, ATTACK, data()), run_attack(network(), ATTACK, data()))
        assert model.training and all(p.grad is None for p in model.parameters())
        for old, new in zip(before, model.state_dict().values(), strict=True):
            assert torch.equal(old, new)

    def test_a_plain_function_is_a_model(self):
        model = network()
        record = run_attack(lambda images: model(images), ATTACK, data())
        assert record.settings["model"].startswith("not a module")


class Fixed:
    """An attack that returns what it is told to."""

    access, needs, ball = "gradient", frozenset(), Linf(0.1)

    def __init__(self, made):
        self.made = made

    def __call__(self, model, images, labels, *, rng, targets=None, loss=None, until=None):
        return self.made(model, images)


def spoil(model, images):
    images += 0.05
    return images


def to_train(model, images):
    JUDGED.train()
    return images


JUDGED = network()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda m, x: x + 0.2, r"Fixed left \[0, 1\]|Fixed left Linf"),
        (lambda m, x: (x + 0.2).clamp(0, 1), r"left Linf\(eps=0.1\): sample 0 at 0\.2"),
        (lambda m, x: x - 2, r"left \[0, 1\] at sample 0"),
        (lambda m, x: x[:2], "changed the shape"),
        (lambda m, x: x.double(), "changed shape, type or device"),
        (lambda m, x: x.numpy(), "changed the shape"),
        (spoil, "wrote into the clean images"),
        (to_train, "changed the model: its mode"),
    ],
)
def test_a_broken_promise_is_named(made, said):
    JUDGED.eval()
    with pytest.raises(InvariantError, match=said):
        run_attack(JUDGED, Fixed(made), data())
    JUDGED.eval()


@pytest.mark.parametrize("tensor", [lambda p: p.detach(), lambda p: p.data])
def test_an_attack_may_not_change_weights(tensor):
    model = network()

    def train(watched, images):
        tensor(model[4].bias).add_(1)
        return images

    with pytest.raises(InvariantError, match="Fixed changed the model"):
        run_attack(model, Fixed(train), data())


def test_an_image_that_is_not_finite_is_a_failure_and_no_success():
    def half_nan(model, images):
        return torch.where(
            torch.arange(len(images))[:, None, None, None] % 2 == 0, images, torch.nan
        )

    record = run_attack(network(), Fixed(half_nan), data())
    assert record.failed.tolist() == [i % 2 == 1 for i in range(40)]
    assert not (record.success & record.failed).any()
    assert record.robust_accuracy == record.clean_accuracy and record.linf.isfinite().all()


def test_zero_and_nan_gradients_are_counted():
    def flat(images):
        return network()(images.detach()) + 0 * images.flatten(1)[:, :1]

    record = run_attack(flat, ATTACK, data())
    assert record.gradients.zero == record.gradients.taken == 200
    assert record.robust_accuracy > 0


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(network(), nn.Softmax(1)), "returns probabilities .*remove its softmax"),
        (network(classes=3), "returns 3 logits, the data have 4 classes"),
        (lambda x: network()(x)[:, :1], "1 logit for each image"),
        (lambda x: network()(x).flatten(), "must return logits of shape"),
        (lambda x: network()(x) / 0, "not finite for sample 0"),
        (lambda x: network()(x).numpy(), "must return logits|fails"),
        (nn.Sequential(nn.Conv2d(3, 2, 3)), r"fails on images of shape \(8, 1, 4, 4\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, model, said):
    with pytest.raises(InputError, match=said) as caught:
        run_attack(model, ATTACK, data(), out=tmp_path / "run")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"restarts": 0}, "restarts=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"ingredients": {"bank": 1}}, r"needs ingredients \[\], got \['bank'\]"),
        ({"targets": torch.zeros(3).long()}, "targets must be 40 class ids"),
        ({"targets": torch.zeros(40)}, "targets must be 40 class ids"),
    ],
)
def test_a_request_that_cannot_be_run_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        run_attack(network(), ATTACK, data(), **wrong)


def test_a_target_may_not_be_the_label():
    with pytest.raises(InputError, match="target of sample 0 is its own label"):
        run_attack(network(), ATTACK, data(), targets=data().labels)


def test_classes_that_only_the_model_knows_are_counted_by_it():
    split = data()
    unnamed = Split(split.batch(torch.arange(40)), split.labels.clamp(max=2))
    assert run_attack(network(), ATTACK, unnamed).class_names == ["0", "1", "2", "3"]


class OneQuery:
    """A black-box attack that asks each image once and gives up."""

    access, needs, queries, ball = "scores", frozenset(), 3, Linf(0.1)

    def __init__(self, asked=1):
        self.asked = asked

    def __call__(self, model, images, labels, *, rng, targets=None, loss=None, until=None):
        for _ in range(self.asked):
            model(images, torch.arange(len(images)))
        return images


def test_an_oracle_counts_and_refuses_past_the_budget():
    record = run_attack(network(), OneQuery(3), data())
    assert record.queries.tolist() == [3] * 40
    with pytest.raises(InvariantError, match="asked query 4 for sample 0 .* budget is 3"):
        run_attack(network(), OneQuery(4), data())


def digest(folder):
    paths = (p for p in folder.iterdir() if p.name != ".lock" and not p.match("notes-*.json"))
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def run_in(folder, **more):
    return run_attack(network(), ATTACK, data(), batch_size=8, out=folder, **more)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD", 16)


def test_a_record_on_disk_is_the_one_in_memory(tmp_path):
    made = run_in(tmp_path / "run")
    assert_equal(Record.open(tmp_path / "run"), made)
    assert_equal(run_attack(network(), ATTACK, data(), batch_size=8), made)
    assert_equal(run_in(tmp_path / "run", resume=True), made)


def test_logits_of_a_record_on_disk_are_read_where_they_are_asked_for(tmp_path, small_shards):
    made = run_in(tmp_path / "run")
    whole = run_attack(network(), ATTACK, data(), batch_size=8)
    assert [part.shape for part in made.clean_rows.parts] == [(16, 4), (16, 4), (8, 4)]
    assert made.undecided == whole.undecided and "clean_logits" not in vars(made)
    index = torch.tensor([39, 0, 17, 16, 0])
    assert torch.equal(made.adversarial_rows.take(index), whole.adversarial_logits[index])


def test_progress_counts_what_was_there_before(tmp_path, small_shards):
    run_in(tmp_path / "run")
    (tmp_path / "run/shard-00001.json").unlink()
    told = []
    run_in(tmp_path / "run", resume=True, progress=lambda *done: told.append(done))
    assert told == [(24, 40), (32, 40), (40, 40), (40, 40)]


def test_resume_refuses_another_question(tmp_path):
    run_in(tmp_path / "run")
    with pytest.raises(InputError, match="cannot go on, its seed is 0, now 1"):
        run_in(tmp_path / "run", resume=True, seed=1)
    with pytest.raises(InputError, match="cannot go on, its model is"):
        run_attack(network(3), ATTACK, data(), out=tmp_path / "run", resume=True, batch_size=8)


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_any_write_resumes_to_the_same_bytes(tmp_path, small_shards, stride):
    """The process is killed at its n-th rename, and taken up again, for every stride-th n."""
    run_in(tmp_path / "whole")
    wanted, kills = digest(tmp_path / "whole"), 0
    for when in range(0, 100, stride):
        folder = tmp_path / f"killed-{when}"
        child = os.fork()
        if child == 0:
            _die_at_rename(when)
            run_in(folder)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            break
        kills += 1
        run_in(folder, resume=True)
        assert digest(folder) == wanted, f"killed at rename {when}"
    assert kills > 40 // stride, "the loop must have met every write of three shards"


def _die_at_rename(when):
    torch.set_num_threads(1)
    rename, count = os.replace, iter(range(10**6))

    def replace_or_die(source, target):
        if next(count) == when:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    run_folder.os.replace = replace_or_die


class TestPrecision:
    @pytest.fixture(autouse=True)
    def hardware(self, monkeypatch):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})

    def test_fast_leads_and_float32_judges(self):
        model, split = network(), data()
        exact = run_attack(model, ATTACK, split)
        fast = run_attack(model, ATTACK, split, precision="fast", save_images=True)
        assert (exact.settings["mode"], fast.settings["mode"]) == ("exact", "fast")
        assert fast.settings["gradient_model"].endswith("in bfloat16, by AMX")
        assert torch.equal(fast.clean_logits, exact.clean_logits)
        torch.testing.assert_close(fast.adversarial_logits, model(fast.images).detach())
        assert abs(fast.robust_accuracy - exact.robust_accuracy) <= 0.1

    def test_a_success_of_the_twin_alone_does_not_count(self):
        model, split = network(), data()
        fast = run_attack(model, ATTACK, split, precision="fast", until="first_success")
        assert torch.equal(fast.success, fast.predictions != split.labels)

    def test_scores_and_given_models_are_exact(self):
        model, split = network(), data(8)
        square = Square(ball=Linf(0.1), queries=20)
        for attack, more in ((square, {}), (ATTACK, {"gradient_model": model})):
            record = run_attack(model, attack, split, precision="fast", **more)
            assert record.settings["mode"] == "exact"
        for attack in (square, DeepFool()):  # each success confirmed
            record = run_attack(model, attack, split, precision="fast", until="first_success")
            assert record.settings["mode"] == "fast"
            assert torch.equal(record.success, record.predictions != split.labels)

    def test_what_it_stops_at_is_a_success_of_the_model(self):
        """C&W asks the model itself at each image it would keep; DeepFool follows float32."""
        model, split = network(), data()
        for attack in (CarliniWagner(steps=20), DeepFool()):
            exact = run_attack(model, attack, split)
            fast = run_attack(model, attack, split, precision="fast")
            moved = fast.l2 > 0
            assert moved.any() and (fast.success | ~moved).all()
            assert torch.equal(fast.success, exact.success)
            assert fast.l2.mean() <= 1.02 * exact.l2.mean()
        assert fast.settings["mode"] == "exact"  # of DeepFool

    def test_no_other(self):
        with pytest.raises((InputError, TypeCheckError), match="half"):
            run_attack(network(), ATTACK, data(), precision="half")


def test_oracle_answers_through_the_twin_and_the_model_judges():
    model, split = network(), data(8)
    record = run_attack(model, Square(ball=Linf(0.1), queries=20), split, save_images=True)
    assert "counting oracle; twin: 1 batch norms folded" in record.settings["gradient_model"]
    torch.testing.assert_close(record.adversarial_logits, model(record.images).detach())
