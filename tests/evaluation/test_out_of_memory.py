"""Memory that runs out halves the batches, and changes nothing else."""

import json

import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import SystemFaultError
from classward.data.split import Split
from classward.evaluation.run_attack import run_attack
from classward.records.record import Record
from classward.records.record_summary import lines, summary

ATTACK = PGD(ball=Linf(0.15), step_size=0.05, steps=4)
CPU = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
ERRORS = [MemoryError(), RuntimeError(CPU), torch.cuda.OutOfMemoryError("CUDA out of memory")]


def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)).eval()


class Limited:
    """A model that runs out of memory with more than `limit` images; with a gradient or not."""

    def __init__(self, limit, error=ERRORS[0], *, with_gradient=False):
        self.model, self.limit, self.error = network(), limit, error
        self.with_gradient, self.calls = with_gradient, []

    def __call__(self, images):
        self.calls.append(len(images))
        if len(images) > self.limit and (images.requires_grad or not self.with_gradient):
            raise self.error
        return self.model(images)


def data(n=21):
    images = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Split(images, torch.arange(n) % 4, list("abcd"))


def run(model, batch_size=8, **more):
    return run_attack(model, ATTACK, data(), batch_size=batch_size, **more)


def assert_same(left, right):
    for name in ("ids", "labels", "predictions", "success", "first_success", "queries"):
        assert torch.equal(getattr(left, name), getattr(right, name)), name
    torch.testing.assert_close(left.adversarial_logits, right.adversarial_logits)
    torch.testing.assert_close(left.linf, right.linf)
    assert (left.passes, left.gradients) == (right.passes, right.gradients)


@pytest.mark.parametrize("limit", range(1, 9))
def test_no_limit_changes_the_record(limit):
    whole = run(network(), batch_size=21)
    halved = run(Limited(limit))
    assert_same(halved, whole)
    fits = {1: 1, 2: 2, 3: 2, 8: None}.get(limit, 4)
    assert halved.settings["halved_to"] == fits and whole.settings["halved_to"] is None
    assert halved.settings["batch_size"] == 8, "what was asked"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_in_the_middle_of_an_attack_or_before_it(error):
    model, small = Limited(3, error, with_gradient=True), run(network(), batch_size=2)
    assert_same(run(model), small)
    assert model.calls.count(8) == 3, "probe, clean logits and one attempt; then never again"
    assert_same(run(Limited(3, error)), small)


def test_a_halved_batch_is_that_of_the_smaller_run_to_the_bit():
    halved, small = run(Limited(4)), run(network(), batch_size=4)
    assert torch.equal(halved.adversarial_logits, small.adversarial_logits)


def test_what_happened_is_in_the_record_and_the_summary(tmp_path):
    made = run(Limited(4), out=tmp_path / "run")
    assert json.loads((tmp_path / "run/notes-00000.json").read_text())["halved_to"] == 4
    assert Record.open(tmp_path / "run").settings["halved_to"] == 4
    assert summary(made)["halved_to"] == 4 and "halved to 4 images" in lines(made)
    assert "halved" not in lines(run(network()))
    assert run(Limited(4), out=tmp_path / "run", resume=True).settings["halved_to"] == 4


def test_one_image_that_does_not_fit(tmp_path):
    with pytest.raises(SystemFaultError, match="memory runs out with one image") as caught:
        run(Limited(0), out=tmp_path / "run")
    assert caught.value.exit_code == 3 and not (tmp_path / "run").exists()
    with pytest.raises(SystemFaultError, match="one image"):
        run(Limited(0, with_gradient=True))


def test_other_errors_of_an_attack_are_not_retried():
    def broken(model, images, *_, **__):
        calls.append(len(images))
        raise RuntimeError("shapes cannot be multiplied")

    calls, attack = [], type("Broken", (), {"access": "gradient", "needs": frozenset()})
    attack.__call__ = lambda _, *args, **more: broken(*args, **more)
    with pytest.raises(RuntimeError, match="multiplied"):
        run_attack(network(), attack(), data(), batch_size=8)
    assert calls == [8]


def test_an_oracle_sends_no_more_at_once_than_fits():
    class Asks:
        """Asks about four images of every sample in one call."""

        access, needs, queries, ball = "scores", frozenset(), 4, Linf(0.1)

        def __call__(self, oracle, images, labels, **_):
            where = torch.arange(len(images)).repeat(4)
            oracle(images[where], where)
            return images

    record = run_attack(Limited(3), Asks(), data(), batch_size=8)
    assert record.settings["halved_to"] == 2 and record.queries.tolist() == [4] * 21
