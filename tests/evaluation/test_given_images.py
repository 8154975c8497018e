import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.data.split import Split
from classward.evaluation.given_images import judge_images, read_images
from classward.evaluation.run_attack import run_attack

EPS = 0.1
IDS = torch.tensor([7, 3, 90, 41, 12, 5, 66, 8, 30, 21])


def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 4)).eval()


def data():
    images = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Split(images, torch.arange(10) % 4, list("abcd"), ids=IDS)


def attacked():
    """Adversarial images in the order of `data`, and the record of the attack."""
    attack = PGD(ball=Linf(EPS), step_size=0.03, steps=5)
    record = run_attack(network(), attack, data(), save_images=True)
    return record.images[torch.searchsorted(record.ids, IDS)], record


def assert_same(left, right):
    for name in ("ids", "labels", "predictions", "success", "linf", "l2"):
        assert torch.equal(getattr(left, name), getattr(right, name)), name
    assert torch.equal(left.adversarial_logits, right.adversarial_logits)


class TestJudgeImages:
    def test_gives_the_record_of_the_attack_that_made_them(self):
        images, record = attacked()
        judged = judge_images(network(), data(), images, ball=Linf(EPS))
        assert_same(judged, record)
        assert judged.settings["eps"] == EPS and judged.settings["norm"] == "linf"
        assert judge_images(network(), data(), images.numpy()).settings["eps"] is None

    def test_ids_say_which_image_is_whose(self):
        images, record = attacked()
        order = torch.randperm(10, generator=torch.Generator().manual_seed(2))
        more = torch.cat([images[order], torch.rand(3, 1, 4, 4)])
        ids = [*IDS[order].tolist(), 1000, 2, 1001]
        assert_same(judge_images(network(), data(), more, ids=ids), record)

    def test_bytes_are_images(self):
        images, record = attacked()
        judged = judge_images(network(), data(), (images * 255).round().byte())
        assert (judged.predictions == record.predictions).float().mean() > 0.8
        assert (judged.linf - record.linf).abs().max() < 1 / 255

    def test_targets_are_what_counts(self):
        images, targets = attacked()[0], (data().labels + 1) % 4
        judged = judge_images(network(), data(), images, targets=targets)
        wanted = targets[IDS.argsort()]
        assert torch.equal(judged.success, judged.predictions == wanted)

    def test_only_the_same_images_are_resumed(self, tmp_path):
        images, record = attacked()
        asked = {"ball": Linf(0.2), "out": tmp_path / "run"}
        judge_images(network(), data(), images, **asked)
        assert_same(judge_images(network(), data(), images, resume=True, **asked), record)
        with pytest.raises(InputError, match="cannot go on, its attack is"):
            judge_images(network(), data(), images * 0.999, resume=True, **asked)

    @pytest.mark.parametrize(
        ("spoil", "more", "said"),
        [
            (lambda x: x[:9], {}, "9 images for 10 samples: say which with ids"),
            (lambda x: x[:, :, :3], {}, r"shape \(1, 3, 4\), those of data \(1, 4, 4\)"),
            (lambda x: x[0], {}, r"1 images for 10|shape"),
            (lambda x: x + 1, {}, "image 7 has a pixel of"),
            (lambda x: 255 * x, {}, "divide these by 255"),
            (lambda x: x * torch.nan, {}, "not finite"),
            (lambda x: x.long(), {}, "uint8 or float"),
            (lambda x: x.tolist(), {}, "must be an array"),
            (lambda x: 3, {}, "expected an array, got int"),
            (lambda x: x, {"ids": range(10)}, "no image of sample 90"),
            (lambda x: x, {"ids": [7] * 10}, r"ids\[1\] is 7 again"),
            (lambda x: x, {"ids": [7]}, r"ids have shape \(1,\)"),
            (lambda x: x, {"ball": Linf(0.05)}, r"sample 7 is 0.1 from .*Linf\(eps=0.05\)"),
            (lambda x: x, {"ball": L2(0.05)}, r"sample 7 is 0\.\d+ from .*beyond L2"),
            (lambda x: x, {"ball": Linf(0.0)}, "sample 7 is 0.1 from"),
        ],
    )
    def test_what_does_not_fit_is_one_line(self, tmp_path, spoil, more, said):
        images = attacked()[0]
        with pytest.raises(InputError, match=f"^mine.npz: .*({said})") as caught:
            judge_images(
                network(), data(), spoil(images), source="mine.npz", out=tmp_path / "r", **more
            )
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
        assert not (tmp_path / "r").exists()


class TestReadImages:
    def test_reads_what_a_run_has_saved(self, tmp_path):
        attack = PGD(ball=Linf(EPS), step_size=0.03, steps=5)
        record = run_attack(network(), attack, data(), save_images=True, out=tmp_path / "run")
        for place in ("run", "run/images.npz"):
            images, ids = read_images(tmp_path / place)
            assert_same(judge_images(network(), data(), images, ids=ids), record)
        images, ids = read_images(tmp_path / "run/images-8bit")
        judged = judge_images(network(), data(), images, ids=ids)
        assert torch.equal(judged.success, record.success_8bit)

    def test_reads_an_array_in_the_order_of_the_data(self, tmp_path):
        images, record = attacked()
        np.save(tmp_path / "mine.npy", images.numpy())
        read, ids = read_images(tmp_path / "mine.npy")
        assert ids is None
        assert_same(judge_images(network(), data(), read), record)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("no.npz", "no such file"),
            ("no.npy", "no such file"),
            ("text.npy", "cannot be read"),
            ("text.txt", "expected an .npz or .npy file"),
            ("other.npz", "has no images.npy"),
            ("empty", "has no PNG files"),
            ("named", "cat.png: name each picture by the id"),
            ("broken", "7.png cannot be read"),
        ],
    )
    def test_what_cannot_be_read_is_one_line(self, tmp_path, name, said):
        for folder in ("empty", "named", "broken"):
            (tmp_path / folder).mkdir()
        for file in ("text.npy", "text.txt", "broken/7.png"):
            (tmp_path / file).write_text("not an array")
        np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
        Image.new("L", (4, 4)).save(tmp_path / "named" / "cat.png")
        with pytest.raises(InputError, match=said) as caught:
            read_images(tmp_path / name)
        assert "\n" not in str(caught.value)
