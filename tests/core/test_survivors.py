import pytest
import torch

from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.losses import cross_entropy
from classward.core.randomness import SampleRandom
from classward.core.survivors import AT_ONCE, Survivors, inside, parts
from classward.evaluation.oracle import CountingOracle


def survivors(n=3, until=None, targets=None, eps=0.2, loss=cross_entropy):
    """Two scores, the brightness and 1/2: label 1 falls where the image is brighter."""

    def model(images):
        bright = images.flatten(1).mean(1)
        return torch.stack([bright, torch.full_like(bright, 0.5)], dim=1)

    return Survivors(
        CountingOracle(model, n, 99, decisions=False),
        torch.full((n, 1, 2, 2), 0.4),
        torch.ones(n).long(),
        ball=Linf(eps),
        loss=loss,
        targets=targets,
        until=until,
        rng=SampleRandom(0, "test", torch.arange(n)),
    )


def gray(*rows):
    """Images of one gray each, `p` for each sample."""
    return torch.tensor(rows)[:, :, None, None, None].expand(-1, -1, 1, 2, 2).clone()


def test_the_first_success_of_each_brings_it_down():
    standing = survivors()
    logits = standing.ask(gray([0.4, 0.55, 0.6], [0.3, 0.3, 0.3], [0.52, 0.4, 0.4]))
    assert logits.shape == (3, 3, 2)
    (rows,) = standing.leave(torch.arange(3))
    assert rows.tolist() == standing.where.tolist() == [1] and len(standing) == 1
    assert standing.rng.ids.tolist() == [1]
    out = standing.finish(gray([0.35])[0])
    torch.testing.assert_close(out[:, 0, 0, 0], torch.tensor([0.55, 0.35, 0.52]))


def test_outside_the_ball_is_no_success():
    standing = survivors(eps=0.12)
    standing.ask(gray([0.6, 0.51], [0.6, 0.3], [0.53, 0.9]))
    standing.leave()
    assert standing.where.tolist() == [1, 2]
    assert standing.finish(standing.clean)[0].max().item() == pytest.approx(0.51)


def test_until_is_asked_once_for_each_success_and_decides():
    asked = []

    def until(images, where):
        asked.append(where.tolist())
        return where == 2

    standing = survivors(until=until)
    standing.ask(gray([0.55, 0.6], [0.3, 0.3], [0.55, 0.6]))
    standing.leave()
    assert asked == [[0, 2]] and standing.where.tolist() == [0, 1]


def test_one_that_fell_is_left_as_it_fell():
    standing = survivors()
    standing.ask(gray([0.55], [0.3], [0.3]))
    standing.ask(gray([0.6], [0.3], [0.3]))
    assert standing.finish(standing.clean)[0].max().item() == pytest.approx(0.4)
    standing = survivors()
    standing.ask(gray([0.55], [0.3], [0.3]))
    standing.ask(gray([0.6], [0.3], [0.3]))
    standing.leave()
    assert standing.finish(standing.clean)[0].max().item() == pytest.approx(0.55)


def test_targets_turn_the_loss_and_the_aim_around():
    standing = survivors(targets=torch.zeros(3).long())
    logits = standing.ask(gray([0.55, 0.3], [0.3, 0.45], [0.3, 0.3]))
    values = standing.values(logits)
    assert values.dtype == torch.float64 and values[1, 1] > values[1, 0]
    standing.leave()
    assert standing.where.tolist() == [1, 2]


@pytest.mark.parametrize("ball", [Linf(0.1), L2(0.3)])
def test_inside_forgives_rounding_alone(ball):
    clean = torch.full((3, 1, 3, 3), 0.4)
    length = 0.1 if isinstance(ball, Linf) else 0.3 / 3
    far = torch.tensor([length, length + 1e-7, length + 1e-5]).view(3, 1, 1, 1)
    assert inside(ball, clean + far, clean).tolist() == [True, True, False]


@pytest.mark.parametrize("samples", [0, 1, 7, 128, 1000])
@pytest.mark.parametrize("total", [1, 25, 300])
def test_parts_add_up_and_fit(total, samples):
    sizes = parts(total, samples, each=2)
    assert sum(sizes) == total and min(sizes) >= 1
    assert max(sizes) == 1 or max(sizes) * samples * 2 <= AT_ONCE


def test_a_model_is_no_oracle():
    with pytest.raises(InputError, match="asks an oracle, no model"):
        Survivors(
            lambda images: images,
            torch.rand(1, 1, 1, 1),
            torch.zeros(1).long(),
            ball=Linf(0.1),
            loss=cross_entropy,
            targets=None,
            until=None,
            rng=SampleRandom(0, "test", torch.arange(1)),
        )
