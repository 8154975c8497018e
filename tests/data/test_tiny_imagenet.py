"""The published folders of Tiny ImageNet, in small; the packed form has its tests elsewhere."""

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.data.load import load_data
from classward.data.tiny_imagenet import load

WORDS = "n01\tcat, house cat\nn02\tcrane\nn03\tdog\nn04\tcrane, derrick\nn09\tunused\n"
PIXELS = np.random.default_rng(3).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
ANNOTATIONS = "val_0.JPEG\tn04\t0\t0\t9\t9\nval_1.JPEG\tn01\t1\t2\t3\t4\n"


@pytest.fixture
def tree(tmp_path, write):
    """Four classes of three training pictures; two validation pictures, one of them gray."""
    folder = tmp_path / "tiny-imagenet-200"
    for number in ("n04", "n02", "n01", "n03"):
        images = folder / "train" / number / "images"
        images.mkdir(parents=True)
        (images.parent / f"{number}_boxes.txt").write_text(f"{number}_0.JPEG\t0\t0\t9\t9\n")
        for order, level in ((0, 40), (2, 80), (10, 120)):
            content = write.picture(np.full((64, 64, 3), level, np.uint8), "jpeg")
            (images / f"{number}_{order}.JPEG").write_bytes(content)
    (folder / "val" / "images").mkdir(parents=True)
    for name, pixels in (("val_0", PIXELS[0]), ("val_1", PIXELS[1, :, :, 0])):
        content = write.picture(pixels, "png")  # lossless, whatever the name says
        (folder / "val" / "images" / f"{name}.JPEG").write_bytes(content)
    (folder / "val" / "val_annotations.txt").write_text(ANNOTATIONS)
    (folder / "words.txt").write_text(WORDS)
    return folder


def test_training_pictures_come_class_by_class_in_the_order_of_their_numbers(tree):
    data = load_data("tiny_imagenet", split="train", root=tree.parent)
    assert (data.name, data.shape) == ("tiny_imagenet train", (3, 64, 64))
    assert data.class_names == ["cat", "crane (n02)", "dog", "crane (n04)"]
    assert data.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    levels = (255 * data.batch(torch.arange(3, 6)).mean(dim=(1, 2, 3))).round()
    assert levels.tolist() == pytest.approx([40, 80, 120], abs=2)


def test_the_test_split_is_the_validation_part_with_its_annotations(tree):
    data = load("test", tree.parent)
    assert data.labels.tolist() == [3, 0]
    colored, gray = data.batch(torch.arange(2))
    assert torch.equal(colored, torch.from_numpy(PIXELS[0]).permute(2, 0, 1).float() / 255)
    one = torch.from_numpy(PIXELS[1, :, :, 0]).float() / 255
    assert torch.equal(gray, one.expand(3, 64, 64))


def test_the_folders_come_before_the_packed_form(tree, write):
    write.encoded(
        tree.parent / "tiny_imagenet.zip",
        PIXELS,
        np.array([0, 1, 0]),
        [["n01", "cat"], ["n02", "crane"]],
        blob="val.bin",
        prefix="val_",
    )
    assert load("test", tree.parent).classes == 4
    tree.rename(tree.parent / "elsewhere")
    assert load("test", tree.parent).classes == 2


def test_a_class_without_words_is_called_by_its_number(tree):
    (tree / "words.txt").write_text("n01\tcat, house cat\n")
    assert load("test", tree.parent).class_names == ["cat", "n02", "n03", "n04"]


def without(path):
    return lambda tree: (tree / path).unlink()


def rewritten(path, text):
    return lambda tree: (tree / path).write_text(text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("words.txt"), "words.txt: no such file"),
        (without("val/val_annotations.txt"), "val_annotations.txt: no such file"),
        (rewritten("val/val_annotations.txt", ""), "tiny-imagenet-200 has no val pictures"),
        (rewritten("val/val_annotations.txt", "a.JPEG\n"), "'a.JPEG' has no second column"),
        (rewritten("val/val_annotations.txt", "a.JPEG\tn09\n"), "a.JPEG is of n09, a class"),
        (lambda tree: (tree / "train").rename(tree / "t"), "train: no such file"),
    ],
)
def test_a_tree_that_is_not_whole_is_refused_in_one_line(tree, change, said):
    change(tree)
    with pytest.raises(InputError, match=said) as caught:
        load("test", tree.parent)
    assert "\n" not in str(caught.value)


def test_a_missing_or_larger_picture_is_named_when_it_is_read(tree, write):
    data = load("test", tree.parent)
    (tree / "val" / "images" / "val_0.JPEG").unlink()
    with pytest.raises(InputError, match="val_0.JPEG: no such file"):
        data.batch(torch.tensor([0]))
    larger = write.picture(np.zeros((65, 64, 3), np.uint8))
    (tree / "val" / "images" / "val_1.JPEG").write_bytes(larger)
    with pytest.raises(InputError, match=r"val_1.JPEG has shape \(3, 65, 64\), expected"):
        data.batch(torch.tensor([1]))
