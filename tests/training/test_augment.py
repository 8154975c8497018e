import torch
from torch.nn import functional as F

from classward.core.randomness import SampleRandom
from classward.training.augment import augmented


def crops(image):
    """Every window of the image in its black border, as it is and mirrored."""
    padded = F.pad(image, [4] * 4)
    height, width = image.shape[1:]
    for down in range(9):
        for right in range(9):
            window = padded[:, down : down + height, right : right + width]
            yield (down, right, False), window
            yield (down, right, True), window.flip(-1)


def test_every_image_is_a_window_of_its_border_or_a_mirrored_one():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(400, 3, 5, 6, generator=generator).clamp(min=0.1)
    out = augmented(images, SampleRandom(0, "augment", torch.arange(400)))
    taken = []
    for before, after in zip(images, out, strict=True):
        taken += [name for name, window in crops(before) if torch.equal(window, after)][:1]
    assert len(taken) == 400
    downs, rights, mirrored = zip(*taken, strict=True)
    assert set(downs) == set(rights) == set(range(9))
    assert 150 < sum(mirrored) < 250


def test_depends_on_the_sample_alone():
    images, ids = torch.rand(6, 1, 8, 8), torch.arange(6)
    whole = augmented(images, SampleRandom(0, "augment", ids, 1))
    some = torch.tensor([4, 1])
    assert torch.equal(
        augmented(images[some], SampleRandom(0, "augment", some, 1)), whole[some]
    )
    assert not torch.equal(augmented(images, SampleRandom(0, "augment", ids, 2)), whole)


def test_layout_is_that_of_the_images():
    out = augmented(torch.rand(2, 3, 4, 7), SampleRandom(0, "augment", torch.arange(2)))
    assert out.shape == (2, 3, 4, 7) and out.is_contiguous()
