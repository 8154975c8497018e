import pytest
import torch

from classward.core.cosines import target_cosines
from classward.core.separation import Separation, size

LABELS = torch.tensor([0, 0, 0, 3, 3, 3, 1, 2])
PREDICTED = torch.tensor([3, 3, 1, 0, 0, 2, 1, 0])  # of 0 most go to 3, of 3 to 0
EYE = torch.eye(5)
SIMPLEX = target_cosines(5, [], 0.0).float()


def found(**options):
    return Separation(5, "warm_up", 0.1, warm_up_epochs=2, **options)


def test_given_pairs_are_held_apart_from_the_start():
    separation = Separation(5, [(0, 3), (1, 2)], 0.1)
    expected = target_cosines(5, [(0, 3), (1, 2)], 0.1).float()
    assert torch.equal(separation(EYE, 0), expected)
    assert separation.log() == {} and not separation.state_dict()


def test_pairs_are_found_among_the_first_epochs_and_then_fixed():
    separation = found()
    for epoch in (0, 1):
        assert torch.equal(separation(EYE, epoch), SIMPLEX)
        separation.count(LABELS, PREDICTED, epoch)
    assert torch.equal(separation(EYE, 2), target_cosines(5, [(0, 3)], 0.1).float())
    assert separation.log() == {"pairs": [[0, 3]]}
    separation.count(LABELS, (LABELS + 1) % 5, 2)
    assert separation.pairs == [(0, 3)] and separation.counts.sum() == 16


def test_counts_are_summed_over_steps():
    separation, rng = found(), torch.Generator().manual_seed(0)
    labels, predicted = torch.randint(5, (2, 60), generator=rng)
    separation.count(labels, predicted, 0)
    parts = found()
    for rows in (slice(0, 7), slice(7, 60)):
        parts.count(labels[rows], predicted[rows], 0)
    assert torch.equal(parts.counts, separation.counts)
    expected = [[((labels == i) & (predicted == j)).sum() for j in range(5)] for i in range(5)]
    assert separation.counts.tolist() == expected


def test_another_with_the_same_counts_goes_on_alike():
    first = found()
    first.count(LABELS, PREDICTED, 0)
    second = found()
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(EYE, 7), first(EYE, 7))
    assert not torch.equal(second(EYE, 7), SIMPLEX)


def test_nothing_confused_means_no_pairs():
    separation = found()
    separation.count(LABELS, LABELS, 0)
    assert torch.equal(separation(EYE, 2), SIMPLEX)
    assert separation.log() == {"pairs": []}


def test_theta_follows_the_mean_cosine():
    separation = Separation(5, [(0, 3)], 0.1, compensation="row_sum", theta="mean")
    sigma = separation(EYE, 0)
    assert sigma[0, 3].item() == pytest.approx(-0.1)
    assert sigma[1, 2].item() == pytest.approx(0.1 / 3)
    assert sigma.diagonal().tolist() == [1] * 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"theta": "mean"}, "'mean' has no least compensation"),
        ({"compensation": 0.1}, "pairs that are not known yet"),
        ({"zeta": 0.9}, r"zeta must be in \[0, 0.75\]"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Separation(5, "warm_up", **{"zeta": 0.1} | options)


def test_size_has_a_gradient_at_0():
    for norm in ("squared", "plain"):
        residual = torch.zeros(2, 3, requires_grad=True)
        size(residual, norm).sum().backward()
        assert residual.grad.tolist() == [[0] * 3] * 2
    rows = torch.tensor([[3.0, 4.0]])
    assert size(rows, "squared").item() == 25
    assert size(rows, "plain").item() == pytest.approx(5)
