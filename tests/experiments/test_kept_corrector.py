import pytest
import torch

from classward.correction.corrector import Corrector
from classward.experiments.kept_corrector import kept_corrector

WANTED = Corrector.small(hidden=8, epochs=2)


@pytest.fixture
def kept(tmp_path, sunk):
    """Ask for a corrector of this file; gives the epochs that were fitted for it."""

    def ask(corrector=WANTED, records=None, **changed):
        epochs = []
        made = kept_corrector(
            tmp_path / "c.safetensors",
            corrector,
            records or [sunk()],
            changed=changed,
            progress=lambda *done: epochs.append(done),
        )
        assert Corrector.load(tmp_path / "c.safetensors").get_params() == made.get_params()
        return epochs

    return ask


def test_is_fitted_once(kept, tmp_path):
    assert kept() == [(0, 2), (1, 2), (2, 2)]
    assert kept() == []


@pytest.mark.parametrize("name", ["seed", "epochs", "layers"])
def test_other_options_are_fitted_anew(kept, name):
    kept()
    assert kept(**{name: 1}) != []
    assert kept(**{name: 1}) == []


def test_other_records_are_fitted_anew(kept, sunk):
    kept()
    assert kept(records=[sunk(attack="Rise()")]) != []
    assert kept(records=[sunk(samples=40, attack="Rise()")]) != []
    assert kept(records=[sunk(samples=40, attack="Rise()"), sunk(samples=40)]) != []


def test_a_damaged_file_is_made_again(kept, tmp_path):
    kept()
    data = (tmp_path / "c.safetensors").read_bytes()
    (tmp_path / "c.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert kept() != []
    assert (tmp_path / "c.safetensors").read_bytes() == data


def test_the_corrector_itself_is_left_unfitted(tmp_path, sunk):
    made = kept_corrector(tmp_path / "c", WANTED, [sunk()])
    assert not hasattr(WANTED, "network_")
    attacked = sunk(seed=1).adversarial_logits
    loaded = kept_corrector(tmp_path / "c", WANTED, [sunk()])
    assert torch.equal(made.network_(attacked), loaded.network_(attacked))
