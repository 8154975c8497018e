import torch
from torch import nn

from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training.average import follow


def network(value):
    made = Network(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)), LinearHead(4, 3))
    made.load_state_dict(
        {
            name: torch.full_like(rows, value) if rows.is_floating_point() else rows + value
            for name, rows in made.state_dict().items()
        }
    )
    return made


def floats(module):
    return {v for rows in module.state_dict().values() for v in rows.flatten().tolist()}


def test_moves_weights_and_statistics_and_copies_counts():
    average = network(1)
    follow(average, network(3), decay=0.75, steps=1000)
    assert average.features[1].num_batches_tracked == 3
    assert floats(average) == {0.75 * 1 + 0.25 * 3, 3}


def test_forgets_the_first_weights_soon():
    average = network(1)
    follow(average, network(3), decay=0.999, steps=1)  # decay 2 / 11 after one step
    torch.testing.assert_close(average.head.linear.bias.data, torch.full((3,), 3 - 2 * 2 / 11))


def test_gradients_do_not_reach_the_average():
    average = network(1)
    follow(average, network(3), decay=0.5, steps=1000)
    assert all(p.is_leaf and p.grad_fn is None for p in average.parameters())
