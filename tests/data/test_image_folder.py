import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.data.image_folder import read_folder

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 10, 3), dtype=np.uint8)


@pytest.fixture
def pets(tmp_path, write):
    """cat/1.png, cat/2.png, dog/10.PNG, dog/9.bmp, and what is no picture of a class."""
    names = ["cat/1.png", "cat/2.png", "dog/10.PNG", "dog/9.bmp"]
    for name, pixels in zip(names, PIXELS, strict=False):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write.picture(pixels, path.suffix[1:].lower()))
    for name in [".hidden/1.png", "cat/._1.png", "cat/notes.txt", "readme.png"]:
        path = tmp_path / "pets" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no picture")
    return tmp_path / "pets"


def expected(*rows):
    return torch.from_numpy(PIXELS[list(rows)]).permute(0, 3, 1, 2).float() / 255


def test_classes_are_the_sorted_folders_and_pictures_their_sorted_files(pets):
    data = read_folder(pets)
    assert (data.name, data.shape, data.class_names) == ("pets", (3, 8, 10), ["cat", "dog"])
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(data.batch(torch.tensor([2, 0, 3])), expected(2, 0, 3))


def test_pictures_are_read_when_a_batch_asks(pets):
    data = read_folder(pets)
    (pets / "cat/2.png").unlink()
    assert torch.equal(data.batch(torch.tensor([0])), expected(0))
    with pytest.raises(InputError, match="cat/2.png: no such file"):
        data.batch(torch.tensor([0, 1]))


def test_an_empty_class_is_a_class(pets):
    (pets / "bird").mkdir()
    data = read_folder(pets)
    assert data.class_names == ["bird", "cat", "dog"] and data.labels.min() == 1


def test_a_divided_folder_gives_the_part(pets, write):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            path = pets.parent / "divided" / split / name / f"{split}.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(write.picture(PIXELS[4 if split == "train" else 5]))
    data = read_folder(pets.parent / "divided", "train")
    assert data.class_names == ["cat", "dog"]
    assert torch.equal(data.batch(torch.tensor([1])), expected(4))
    with pytest.raises(InputError, match="divided has no pictures: expected CLASS/NAME.png"):
        read_folder(pets.parent / "divided", "val")


def test_a_class_may_have_the_name_of_a_split(pets, write):
    (pets / "train").mkdir()
    (pets / "train" / "1.png").write_bytes(write.picture(PIXELS[4]))
    assert read_folder(pets, "train").class_names == ["cat", "dog", "train"]


def test_gray_pictures_have_one_channel_and_among_colored_ones_three(pets, write):
    for path in ["cat/1.png", "cat/2.png", "dog/10.PNG"]:
        (pets / path).write_bytes(write.picture(PIXELS[0, :, :, 0]))
    images = read_folder(pets).batch(torch.tensor([0]))
    assert torch.equal(images, expected(0)[:, :1].repeat(1, 3, 1, 1))
    (pets / "dog/9.bmp").unlink()
    images = read_folder(pets).batch(torch.tensor([0]))
    assert torch.equal(images, expected(0)[:, :1])


def test_pictures_of_several_sizes_are_refused_or_stretched(pets, write):
    (pets / "dog/9.bmp").write_bytes(write.picture(np.full((4, 4, 3), 51, np.uint8), "bmp"))
    with pytest.raises(InputError, match=r"dog/9.bmp is 4x4, the first picture 8x10: make"):
        read_folder(pets)
    images = read_folder(pets, side=16).batch(torch.arange(4))
    assert images.shape == (4, 3, 16, 16) and images[3].unique().tolist() == [
        pytest.approx(0.2)
    ]


def test_a_picture_that_changed_its_size_is_named(pets, write):
    data = read_folder(pets)
    (pets / "dog/9.bmp").write_bytes(write.picture(PIXELS[0, :4], "bmp"))
    with pytest.raises(InputError, match=r"dog/9.bmp has shape \(3, 4, 10\), expected"):
        data.batch(torch.arange(4))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"<html>quota exceeded</html>", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "cannot be read"),
    ],
)
def test_what_is_no_picture_is_named_at_once(pets, content, said):
    (pets / "dog/10.PNG").write_bytes(content)
    with pytest.raises(InputError, match=f"dog/10.PNG {said}"):
        read_folder(pets)


def test_a_cut_picture_is_named_when_it_is_read(pets):
    whole = (pets / "dog/10.PNG").read_bytes()
    (pets / "dog/10.PNG").write_bytes(whole[:-60])
    data = read_folder(pets)
    with pytest.raises(InputError, match="dog/10.PNG cannot be read"):
        data.batch(torch.arange(4))


def test_sixteen_bits_are_refused(pets, write):
    (pets / "dog/10.PNG").write_bytes(write.picture(np.full((8, 10), 999, np.uint16)))
    with pytest.raises(InputError, match="dog/10.PNG has mode I;16: save it with 8 bits"):
        read_folder(pets)


@pytest.mark.parametrize("folders", [[], ["cat", "dog"]])
def test_a_folder_without_pictures_says_what_is_expected(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="has no pictures: expected CLASS/NAME.png"):
        read_folder(tmp_path)


def test_a_single_class_is_refused(pets):
    for path in (pets / "dog").iterdir():
        path.unlink()
    (pets / "dog").rmdir()
    with pytest.raises(InputError, match="pets: there is only one class"):
        read_folder(pets)
