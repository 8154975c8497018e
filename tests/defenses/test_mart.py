import pytest
import torch

from classward.core.losses import kl
from classward.defenses.mart import Mart, boosted

CLEAN = torch.tensor([[2.0, 0, -1], [0.5, 1, 0]])
ATTACKED = torch.tensor([[0.5, 1, -1], [0, 1.5, 0]])
IMAGES = torch.rand(2, 1, 2, 2)


@pytest.mark.parametrize(("beta", "total"), [(5.0, 1.5417943), (6.0, 1.6056836)])
def test_worked_example(batch_of, answering, beta, total):
    terms = Mart(beta=beta).loss(answering(CLEAN, ATTACKED), batch_of(IMAGES, [0, 1]))
    assert terms["boosted"].item() == pytest.approx(1.2223483)
    assert terms["divergence"].item() == pytest.approx(beta * 0.0638892, abs=1e-6)
    assert sum(terms.values()).item() == pytest.approx(total)
    assert kl(ATTACKED, CLEAN).tolist() == pytest.approx([0.536608, 0.089069], abs=1e-6)


def test_nothing_is_detached(batch_of, answering):
    clean, attacked = CLEAN.clone().requires_grad_(), ATTACKED.clone().requires_grad_()
    Mart().loss(answering(clean, attacked), batch_of(IMAGES, [0, 1]))["divergence"].backward()
    # The weight 1 - p_y alone moves the clean logits where both predictions are alike.
    alike = CLEAN.clone().requires_grad_()
    Mart().loss(answering(alike, CLEAN), batch_of(IMAGES, [0, 1]))["divergence"].backward()
    assert clean.grad.abs().min() > 0 and attacked.grad.abs().min() > 0
    assert alike.grad.abs().max() < 1e-6  # weight times a divergence of 0


def test_the_boosted_cross_entropy_is_finite_at_every_certainty():
    for logits in ([[1e4, 0, 0]], [[0, 1e4, 0]], [[0.0, 0, 0]], [[-1e4, 1e4, 0]]):
        asked = torch.tensor(logits, requires_grad=True)
        value = boosted(asked, torch.tensor([0]))
        value.sum().backward()
        assert value.isfinite().all() and asked.grad.isfinite().all()


def test_it_is_exact_to_second_differences():
    logits = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 4])
    assert torch.autograd.gradcheck(lambda z: boosted(z, labels), logits)


def test_half_precision_is_computed_in_float32(batch_of, answering):
    sure = torch.tensor([[0.0, 20, 0], [20, 0, 0]])
    low = answering(sure.bfloat16(), sure.bfloat16())
    terms = Mart().loss(low, batch_of(IMAGES, [0, 1]))
    assert terms["boosted"].dtype == torch.float32
    # - log(1e-4) and the like, which 1 + 1e-4 = 1 would make infinite.
    assert terms["boosted"].item() == pytest.approx((20 + 9.21) * 2 / 2, abs=0.05)
