"""Data sets that are wrong in one way each."""

import numpy as np
import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

LABELS = np.arange(10)


def _images(channels=1, count=10):
    return np.full((count, channels, 8, 8), 0.5, np.float32)


def _pixel(value):
    images = _images()
    images[7, 0, 3, 3] = value
    return images, LABELS


def above():
    return _pixel(1.5)


def below():
    return _pixel(-0.5)


def bytes_as_floats():
    return _pixel(200)


def nan():
    return _pixel(np.nan)


def infinite():
    return _pixel(np.inf)


def integers():
    return _images().astype(np.int64), LABELS


def booleans():
    return _images() > 0, LABELS


def lists():
    return _images().tolist(), LABELS


def channels_last():
    return np.zeros((10, 8, 8, 3), np.float32), LABELS


def no_channel():
    return _images()[:, 0], LABELS


def no_pixels():
    return _images()[..., :0], LABELS


def colour():
    return _images(channels=3), LABELS


def none():
    return _images(count=0), LABELS[:0]


def nine_labels():
    return _images(), LABELS[:9]


def float_labels():
    return _images(), LABELS / 2


def one_hot():
    return _images(), np.eye(10, dtype=int)


def column():
    return _images(), LABELS[:, None]


def ragged():
    return _images(), [[0], *range(1, 10)]


def negative():
    return _images(), LABELS - 1


def as_many_as_classes():
    return _images(), LABELS + 1, [*"0123456789"]


def huge_label():
    return _images(), LABELS * 10**6


def one_class():
    return _images(), LABELS * 0


def three_names():
    return _images(), LABELS % 3, ["a", "b", "c"]


def no_names():
    return _images(), LABELS, []


def numbers_as_names():
    return _images(), LABELS, [*range(10)]


def only_images():
    return _images()


def nothing():
    return None


def shuffled():
    data = TensorDataset(torch.from_numpy(_images()), torch.arange(10))
    return DataLoader(data, sampler=RandomSampler(data))


def broken_dataset():
    class Broken(TensorDataset):
        def __getitem__(self, index):
            if index == 4:
                raise OSError("row 4 is gone")
            return super().__getitem__(index)

    return Broken(torch.from_numpy(_images()), torch.arange(10))


def raises():
    raise RuntimeError("no such bucket\nand a second line")


def leaves():
    raise SystemExit("good bye")


def needs_more(root):
    return root
