import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.split import Split
from classward.evaluation.gradient_models import bpda, eot, straight_through
from classward.evaluation.run_attack import run_attack

ATTACK = PGD(ball=Linf(0.2), step_size=0.05, steps=10)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3)).eval()


def images(n=60):
    return torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def quantised(pixels):
    """As a JPEG file does: frequencies are rounded, so that no gradient comes through."""
    turn = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(3)))[0]
    rounded = (16 * (pixels.flatten(1) @ turn)).round() / 16
    return (rounded @ turn.T).view_as(pixels).clamp(0, 1)


def halved(pixels):
    return nn.functional.avg_pool2d(pixels, 2)


def labelled(model):
    return Split(images(), model(images()).argmax(1), list("abc"))


class TestStraightThrough:
    def test_value_is_exact_and_gradient_that_of_the_network_there(self):
        model, pixels = network(), images().requires_grad_()
        made = straight_through(model, quantised)(pixels)
        assert torch.equal(made, model(quantised(pixels)))
        (gradient,) = torch.autograd.grad(made[:, 0].sum(), pixels)
        inner = quantised(images()).requires_grad_()
        (wanted,) = torch.autograd.grad(model(inner)[:, 0].sum(), inner)
        assert torch.equal(gradient, wanted) and gradient.abs().sum() > 0

    def test_breaks_what_plain_gradients_cannot(self):
        def defended(pixels):
            return network()(quantised(pixels))

        data = labelled(defended)
        blind = run_attack(defended, ATTACK, data)
        assert blind.gradients.zero == blind.gradients.taken > 0
        seeing = run_attack(
            defended, ATTACK, data, gradient_model=straight_through(network(), quantised)
        )
        assert seeing.gradients.zero == 0
        assert blind.robust_accuracy > 0.8 and seeing.robust_accuracy < 0.3
        assert torch.equal(seeing.clean_logits, blind.clean_logits), "the judge is the same"

    def test_a_change_of_shape_is_refused(self):
        with pytest.raises(InputError, match=r"stand-in of halved gives shape \(60, 1, 4, 4\)"):
            straight_through(network(), halved)(images())


class TestBPDA:
    def test_the_gradient_is_the_stand_ins(self):
        pixels = images(2).requires_grad_()
        chain = bpda(quantised, nn.Flatten(), backward=[lambda x: 3 * x, None])
        made = chain(pixels)
        assert torch.equal(made, quantised(pixels).flatten(1))
        (gradient,) = torch.autograd.grad(made.sum(), pixels)
        assert (gradient == 3).all()

    def test_any_part_may_have_one(self):
        def one_hot(logits):
            return nn.functional.one_hot(logits.argmax(1), 3).float()

        pixels, model = images(4).requires_grad_(), network()
        chain = bpda(halved, nn.Upsample(scale_factor=2), model, one_hot, backward=[
            None, None, None, lambda logits: logits.softmax(1),
        ])  # fmt: skip
        made = chain(pixels)
        assert set(made.unique().tolist()) == {0.0, 1.0}
        (gradient,) = torch.autograd.grad(made[:, 1].sum(), pixels)
        inner = images(4).requires_grad_()
        soft = model(nn.functional.interpolate(halved(inner), scale_factor=2)).softmax(1)
        (wanted,) = torch.autograd.grad(soft[:, 1].sum(), inner)
        torch.testing.assert_close(gradient, wanted)

    def test_its_modules_are_found(self):
        model = network().train()
        chain = bpda(quantised, model, backward=[nn.Identity(), None])
        chain.eval()
        assert not any(layer.training for layer in model.modules())
        assert len(chain.state_dict()) == len(model.state_dict())

    @pytest.mark.parametrize("backward", [[], [None], [None] * 3])
    def test_needs_an_entry_for_each_part(self, backward):
        with pytest.raises(InputError, match=f"2 parts and {len(backward)} entries"):
            bpda(quantised, network(), backward=backward)


class Noisy(nn.Module):
    """A defense that draws from the global generator, as those of others do."""

    def __init__(self, spread):
        super().__init__()
        self.inner, self.spread = network(), spread

    def forward(self, pixels):
        return self.inner(pixels + self.spread * torch.randn_like(pixels))


class TestEOT:
    def test_is_the_mean_over_draws(self):
        pixels = images(3)
        made = eot(Noisy(0.5), 4000)(pixels)
        with torch.random.fork_rng():
            torch.manual_seed(9)
            many = torch.stack([Noisy(0.5)(pixels) for _ in range(4000)])
        torch.testing.assert_close(made, many.mean(0), atol=5 * many.std().item() / 63, rtol=0)
        assert torch.equal(eot(network(), 1)(pixels), network()(pixels))

    def test_draws_are_fixed_by_seed_and_images(self):
        pixels, model = images(3), eot(Noisy(0.5), 2)
        before = torch.get_rng_state()
        first = model(pixels)
        assert torch.equal(model(pixels), first)
        assert not torch.allclose(eot(Noisy(0.5), 2, seed=1)(pixels), first)
        assert torch.equal(torch.get_rng_state(), before), "the global generator moved"

    def test_draws_change_with_the_images(self):
        class Drawn(nn.Module):
            def forward(self, pixels):
                return torch.rand(len(pixels), 3)

        model = eot(Drawn(), 1)
        assert not torch.equal(model(images(3)), model(images(3) + 1e-6))

    def test_helps_against_a_noise_defense(self):
        class Rough(Noisy):
            """The noise turns the gradient of one draw over as often as not."""

            def forward(self, pixels):
                weight = 1 + 10 * torch.randn(len(pixels), 1, 1, 1)
                steep = (weight - 1) * (pixels - pixels.detach())
                return self.inner(pixels + steep)

        model, data = Rough(0), labelled(network())
        single = run_attack(model, ATTACK, data)
        averaged = run_attack(model, ATTACK, data, gradient_model=eot(model, 60))
        assert averaged.robust_accuracy < single.robust_accuracy - 0.15

    def test_a_run_can_be_repeated(self):
        model, data = Noisy(0.05), labelled(network())
        runs = [
            run_attack(model, ATTACK, data, gradient_model=eot(model, 3), save_images=True)
            for _ in range(2)
        ]
        assert torch.equal(runs[0].images, runs[1].images)

    @pytest.mark.parametrize("samples", [0, -1])
    def test_needs_a_draw(self, samples):
        with pytest.raises(InputError, match=f"at least 1 sample, got {samples}"):
            eot(network(), samples)
