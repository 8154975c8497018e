import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import SystemFaultError
from classward.data.split import Split
from classward.evaluation.pictures import in_8_bit
from classward.evaluation.run_attack import run_attack
from classward.records.record import Record
from classward.records.record_summary import lines, summary
from classward.records.run_folder import RunFolder

NAMES = ["cat", "../../dog", "<b>=x</b>", "日本"]


def threshold(images):
    """Class 1 exactly where the first pixel is above 127.1/255."""
    above = 1000 * (images[:, 0, 0, 0] - 127.1 / 255)
    return torch.stack([-above, above, above - 1e6, above - 1e6], dim=1)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 4)).eval()


def data(n=12, channels=1):
    pixels = torch.randint(256, (n, channels, 4, 4), generator=torch.Generator().manual_seed(0))
    return Split(pixels.byte(), torch.arange(n) % 4, NAMES, ids=torch.arange(n) * 5)


ATTACK = PGD(ball=Linf(0.1), step_size=0.03, steps=5)


def run(folder=None, **more):
    return run_attack(network(), ATTACK, data(), out=folder, save_images=True, **more)


def test_rounds_to_the_nearest_byte():
    clean = torch.full((1, 1, 1, 3), 0.2)
    images = torch.tensor([0.2, 10.4 / 255, 10.6 / 255]).view(1, 1, 1, 3)
    rounded, distances = in_8_bit(images, clean)
    torch.testing.assert_close(rounded * 255, torch.tensor([51.0, 10, 11]).view(1, 1, 1, 3))
    torch.testing.assert_close(distances["linf_8bit"], torch.tensor([41 / 255]))
    torch.testing.assert_close(
        distances["l2_8bit"], torch.tensor([(41**2 + 40**2) ** 0.5 / 255])
    )


class Nudge:
    """Moves the first pixel above the threshold: of sample 0 by less than rounding takes."""

    access, needs, ball = "gradient", frozenset(), Linf(0.6)

    def __call__(self, model, images, labels, *, rng, **_):
        made = images.clone()
        made[:, 0, 0, 0] = torch.where(rng.ids == 0, 127.2 / 255, 0.51)
        return made


def test_a_success_that_rounding_undoes_is_told():
    split = Split(torch.zeros(4, 1, 2, 2), torch.zeros(4).long(), NAMES)
    made = run_attack(threshold, Nudge(), split, save_images=True)
    assert made.success.all() and made.success_8bit.tolist() == [False, True, True, True]
    torch.testing.assert_close(made.linf_8bit * 255, torch.tensor([127.0, 130, 130, 130]))
    said = summary(made)["eight_bit"]
    assert (said["success_rate"], said["success_rate_8bit"], said["lost"]) == (1, 0.75, 1)
    assert "75.00% success rate, 100.00% as floats; 1 samples lost it" in lines(made)


def test_nothing_is_kept_unless_asked(tmp_path):
    made = run_attack(network(), ATTACK, data(), out=tmp_path / "run")
    assert made.images is None and made.success_8bit is None
    assert summary(made)["eight_bit"] is None and "8-bit" not in lines(made)
    assert not [p for p in (tmp_path / "run").iterdir() if p.name.startswith("images")]


def test_images_are_exact_and_pictures_are_their_rounding(tmp_path):
    made = run(tmp_path / "run")
    with np.load(tmp_path / "run/images.npz") as kept:
        assert kept["images"].dtype == np.float32
        assert np.array_equal(kept["images"], made.images.numpy())
        assert kept["ids"].tolist() == made.ids.tolist() == [5 * i for i in range(12)]
        assert kept["labels"].tolist() == made.labels.tolist()
    folders = sorted(p.name for p in (tmp_path / "run/images-8bit").iterdir())
    assert folders == ["0-cat", "1-dog", "2-b-x-b", "3"], "no name leaves the folder"
    for row, sample in enumerate(made.ids.tolist()):
        (path,) = (tmp_path / "run/images-8bit").glob(f"{folders[row % 4]}/{sample}.png")
        with Image.open(path) as picture:
            assert picture.format == "PNG" and picture.mode == "L"
            pixels = torch.from_numpy(np.array(picture)).float() / 255
        assert torch.equal(pixels, in_8_bit(made.images, made.images)[0][row, 0])
    pixels = in_8_bit(made.images, made.images)[0]
    assert torch.equal(made.success_8bit, network()(pixels).argmax(1) != made.labels)
    told = RunFolder.open(tmp_path / "run").read_json("images-8bit.json")
    assert told == summary(made)["eight_bit"]
    again = Record.open(tmp_path / "run")
    assert torch.equal(again.success_8bit, made.success_8bit)
    assert torch.equal(again.linf_8bit, made.linf_8bit)


def test_color_is_color_and_five_channels_are_no_picture(tmp_path):
    def model(images):
        return network()(images[:, :1])

    run_attack(model, ATTACK, data(channels=3), out=tmp_path / "three", save_images=True)
    with Image.open(tmp_path / "three/images-8bit/0-cat/0.png") as picture:
        assert picture.mode == "RGB"
    run_attack(model, ATTACK, data(channels=5), out=tmp_path / "five", save_images=True)
    assert (tmp_path / "five/images.npz").exists()
    assert not (tmp_path / "five/images-8bit").exists()


def content(folder):
    files = (p for p in folder.rglob("*") if p.is_file() and not p.match("notes-*.json"))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_what_a_full_disk_broke_off_is_finished(tmp_path, monkeypatch):
    import classward.records.run_folder as run_folder

    run(tmp_path / "whole")
    wanted, rename = content(tmp_path / "whole"), run_folder.os.replace
    for when in (5, 18, 22, 29):
        count = iter(range(10**6))

        def full(source, target, count=count, when=when):
            if next(count) == when:
                raise OSError(28, "No space left on device")
            rename(source, target)

        monkeypatch.setattr(run_folder.os, "replace", full)
        with pytest.raises(SystemFaultError, match="disk full"):
            run(tmp_path / f"broken-{when}")
        monkeypatch.setattr(run_folder.os, "replace", rename)
        assert content(tmp_path / f"broken-{when}") != wanted
        run(tmp_path / f"broken-{when}", resume=True)
        assert content(tmp_path / f"broken-{when}") == wanted, when
