import pytest
import torch

from classward.core.errors import InputError

PGD = {"name": "pgd", "eps": 0.2, "steps": 2, "step_size": 0.1}
NET = {"group": "tiny"}


def test_a_network_is_trained_once(shelf, told):
    first = shelf.network("tiny")
    assert any(what[0].startswith("train tiny, standard") for what in told)
    told.clear()
    again = shelf.network("tiny")
    assert told == []
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_is_asked_otherwise_is_made_otherwise(shelf):
    shelf.network("tiny")
    shelf.network("tiny", {"name": "trades", "beta": 2.0})
    shelf.network("tiny", seed=1)
    shelf.network("tiny", width=0.5)
    kept = sorted(
        str(file.parent.relative_to(shelf.path)) for file in shelf.path.rglob("log.jsonl")
    )
    assert len(kept) == 4
    assert sum("trades" in name for name in kept) == 1


def test_a_record_and_an_accuracy_are_made_once(shelf, told):
    record = shelf.record(NET, PGD, samples=20)
    stands = shelf.right(NET, PGD, samples=20)
    assert torch.equal(stands, record.robust)
    told.clear()
    assert torch.equal(shelf.right(NET, PGD, samples=20), stands)
    assert told == []
    assert shelf.right(NET, {}, samples=20).sum() >= stands.sum()
    suite = {"suite": "lite", "eps": 0.2, "steps": 2, "target_classes": 2, "queries": 5}
    assert not (shelf.right(NET, suite, samples=20) & ~record.correct).any()


@pytest.mark.parametrize("how", ["maximum", "symmetric", "random", "none", "warm_up"])
def test_pairs_to_train_with(shelf, how):
    pairs = shelf._pairs("tiny", how)
    if how == "warm_up":
        assert pairs == "warm_up"
    elif how == "none":
        assert pairs == []
    else:
        assert all(0 <= i < j < 10 for i, j in pairs)
    if how in ("maximum", "random"):
        assert len({index for pair in pairs for index in pair}) == 2 * len(pairs)
        assert len(pairs) == len(shelf._pairs("tiny", "maximum"))


def test_what_is_not_at_hand_is_named(shelf):
    with pytest.raises(InputError, match=r"groups.toml: small has no group 'absent'"):
        shelf.network("absent")
    with pytest.raises(InputError, match=r"resnet20_std.safetensors is not in --data-root"):
        shelf.network("resnet")
    with pytest.raises(InputError, match="group resnet has published weights"):
        shelf.training("resnet")
