import numpy as np
import pytest
import torch
from scipy.io import savemat

from classward.core.errors import InputError, SystemFaultError
from classward.data.svhn import load

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
LABELS = np.array([[10], [1], [9], [10]], np.uint8)


@pytest.mark.parametrize("folder", [".", "svhn"])
def test_ten_is_the_digit_zero_and_images_come_last_in_the_file(tmp_path, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    savemat(tmp_path / folder / "train_32x32.mat", {"X": PIXELS, "y": LABELS})
    data = load("train", tmp_path)
    assert data.labels.tolist() == [0, 1, 9, 0]
    assert (data.name, data.shape, data.classes) == ("svhn", (3, 32, 32), 10)
    expected = torch.from_numpy(PIXELS[:, :, :, 2]).permute(2, 0, 1).float() / 255
    assert torch.equal(data.batch(torch.tensor([2]))[0], expected)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": PIXELS}, "test_32x32.mat has no X of shape"),
        ({"y": LABELS}, "test_32x32.mat has no X of shape"),
        ({"X": PIXELS[..., :3], "y": LABELS}, "test_32x32.mat has no X of shape"),
        ({"X": PIXELS[:28], "y": LABELS}, "test_32x32.mat has no X of shape"),
        ({"X": PIXELS, "y": LABELS + 1}, "svhn: the label of sample 0 is 11"),
        ({"X": PIXELS / 1.0, "y": LABELS}, "divide these by 255"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, said):
    savemat(tmp_path / "test_32x32.mat", arrays)
    with pytest.raises(InputError, match=said):
        load("test", tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "test_32x32.mat").write_bytes(b"MATLAB 5.0" + bytes(200))
    with pytest.raises(InputError, match="test_32x32.mat cannot be read"):
        load("test", tmp_path)


def test_without_file_or_network_says_what_to_put_where(home):
    with pytest.raises(SystemFaultError, match="test_32x32.mat cannot be downloaded"):
        load("test")
