import pytest
import torch
from torch.nn import functional as F

from classward.correction.network import CorrectionNetwork

LOGITS = torch.tensor([[1.0, 0.2, 0.3], [-0.5, 0.4, 0.8]])


def network(hidden, seed=0, classes=3, deep=False, ranks=None):
    generator = torch.Generator().manual_seed(seed)
    return CorrectionNetwork(classes, hidden, generator, deep=deep, ranks=ranks)


def ranks_alone(classes=5):
    """A network whose part by class says nothing."""
    made = network(4, classes=classes, ranks=6)
    torch.nn.init.zeros_(made.output.weight)
    torch.nn.init.zeros_(made.output.bias)
    return made


def by_hand():
    made = network(4)
    weights = {
        "hidden.weight": [[1, -1, 0], [0.5, 0.5, -1], [-1, 0, 1], [0, 1, 1]],
        "hidden.bias": [0, 0.1, 0, -0.6],
        "output.weight": [[1, 0, -1, 0.5], [0, 2, 0, -1], [-1, 1, 1, 0]],
        "output.bias": [0, 0, 0.25],
    }
    made.load_state_dict({name: torch.tensor(rows) for name, rows in weights.items()})
    return made


def test_is_the_formula_worked_out_by_hand():
    # hidden of the first row: .8, .4, -.7, -.1; of the second: -.9, -.75, 1.3, .6
    wanted = torch.tensor([[0.8, 0.8, -0.15], [-1.0, -0.6, 1.55]])
    torch.testing.assert_close(by_hand()(LOGITS), wanted)


def test_dropout_is_a_factor_of_the_hidden_neurons_alone():
    factors = torch.tensor([[0.0, 2.0, 2.0, 2.0], [2.0, 2.0, 0.0, 2.0]])
    wanted = torch.tensor([[0.0, 1.6, 1.05], [0.6, -1.2, 0.25]])
    torch.testing.assert_close(by_hand()(LOGITS, factors), wanted)


def test_dropout_keeps_the_asked_share_and_the_mean():
    factors = network(1000).dropout(200, 0.8, torch.Generator().manual_seed(1))
    assert factors.unique().tolist() == [0, 1.25]
    assert factors.mean().item() == pytest.approx(1, abs=0.005)
    assert network(None).dropout(200, 0.8, torch.Generator()) is None


def test_one_layer_is_linear():
    made = network(None)
    wanted = LOGITS @ made.output.weight.T + made.output.bias
    torch.testing.assert_close(made(LOGITS), wanted)
    assert made.hidden is None


def test_three_layers_are_the_formula():
    made = network(16, deep=True)
    first, second = F.relu(made.hidden(LOGITS)), made.second
    wanted = made.output(F.relu(second(first)))
    torch.testing.assert_close(made(LOGITS), wanted)
    assert second.weight.shape == (16, 16) and not torch.equal(wanted, made.output(first))


def test_dropout_is_of_both_hidden_layers():
    made = network(16, deep=True)
    factors = made.dropout(2, 0.5, torch.Generator().manual_seed(3))
    assert factors.shape == (2, 32)
    first = F.relu(made.hidden(LOGITS)) * factors[:, :16]
    wanted = made.output(F.relu(made.second(first)) * factors[:, 16:])
    torch.testing.assert_close(made(LOGITS, factors), wanted)
    halves = made.dropout(4000, 0.8, torch.Generator().manual_seed(1)).split(16, dim=1)
    assert [half.mean().item() for half in halves] == pytest.approx([1, 1], abs=0.02)


@pytest.mark.parametrize(("hidden", "deep"), [(7, False), (7, True), (None, False)])
def test_a_folded_scale_changes_no_output(hidden, deep):
    made = network(hidden, deep=deep)
    before = made(LOGITS / 10)
    made.fold(10.0)
    torch.testing.assert_close(made(LOGITS), before)


@pytest.mark.parametrize("hidden", [7, None])
def test_first_weights_follow_the_seed_and_leave_the_global_one_alone(hidden):
    numbers = torch.get_rng_state()
    first, again, other = (network(hidden, seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_first_weights_have_the_spread_of_torch_layers():
    made = network(400, classes=100)
    for layer, inputs in ((made.hidden, 100), (made.output, 400)):
        assert layer.weight.abs().max().item() == pytest.approx(inputs**-0.5, rel=0.01)
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.01 * inputs**-0.5)


def test_training_mode_makes_nothing_random():
    made = by_hand().train()
    assert torch.equal(made(LOGITS), made.eval()(LOGITS))
    assert torch.equal(made(LOGITS), made.output(F.relu(made.hidden(LOGITS))))


def test_scores_of_ranks_go_to_the_classes_that_hold_them():
    made = network(4, ranks=6)
    ordered = torch.tensor([[1.0, 0.3, 0.2], [0.8, 0.4, -0.5]])
    scores = made.ranks(ordered)
    by_class = torch.stack([scores[0, [0, 2, 1]], scores[1, [2, 1, 0]]])
    torch.testing.assert_close(made(LOGITS), network(4)(LOGITS) + by_class)


def test_ranks_know_no_class():
    made, logits = ranks_alone(), torch.randn(20, 5, generator=torch.Generator().manual_seed(3))
    order = torch.tensor([2, 0, 4, 1, 3])
    torch.testing.assert_close(made(logits[:, order]), made(logits)[:, order])
    assert not torch.allclose(made(logits), ranks_alone().ranks(logits))


def test_ranks_can_answer_the_second_highest_class():
    made = ranks_alone()
    torch.nn.init.zeros_(made.ranks.output.weight)
    made.ranks.output.bias.data = torch.tensor([0.0, 1, 0, 0, 0])
    logits = torch.randn(50, 5, generator=torch.Generator().manual_seed(4))
    assert torch.equal(made(logits).argmax(1), logits.topk(2).indices[:, 1])


def test_gradients_pass_through_the_order():
    made, logits = ranks_alone().double(), torch.randn(4, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(made, logits.requires_grad_())


def test_ranks_are_folded_too():
    made, logits = network(4, ranks=6), 7 * LOGITS
    wanted = made(logits / 7)
    made.fold(7.0)
    torch.testing.assert_close(made(logits), wanted)
