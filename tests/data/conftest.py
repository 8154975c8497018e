"""Small files in the published formats; no test of this room sees the network or the home."""

import gzip
import io
import json
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The user's folder, empty; whatever is asked of another machine fails at once."""
    folder = tmp_path / "home"
    monkeypatch.setattr("classward.data.files.user_folder", lambda: folder)
    monkeypatch.delenv("CLASSWARD_DATA", raising=False)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "127.0.0.1")
    return folder


@pytest.fixture
def write():
    return SimpleNamespace(
        idx=write_idx,
        pair=write_pair,
        records=cifar_records,
        tar=write_tar,
        strips=write_strips,
        encoded=write_encoded,
        zip=write_zip,
        npy=npy,
        picture=picture,
    )


def rng():
    return np.random.default_rng(0)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def picture(pixels, ending="png", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, ending, **options)
    return file.getvalue()


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.write(header + array.astype(np.uint8).tobytes())


def write_pair(folder, prefix="t10k", ending=""):
    """Twelve images of 28x28 and their labels."""
    images, labels = rng().integers(0, 256, (12, 28, 28)), np.arange(12) % 10
    write_idx(folder / f"{prefix}-images-idx3-ubyte{ending}", images)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte{ending}", labels)
    return images, labels


def cifar_records(n, label_bytes=1, seed=0):
    """Labels, the fine one last, pixels, and both as the bytes of one file."""
    numbers = np.random.default_rng(seed)
    labels = numbers.integers(0, 10, (n, label_bytes), dtype=np.uint8)
    pixels = numbers.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)
    content = np.concatenate([labels, pixels.reshape(n, -1)], axis=1).tobytes()
    return labels[:, -1], pixels, content


def write_strips(path, images, labels, split="test", height=5):
    """NHWC images, `height` of them in each strip."""
    members = {f"{split}_labels.npy": npy(labels)}
    for number, start in enumerate(range(0, len(images), height)):
        strip = np.concatenate(images[start : start + height])
        rgb = strip.repeat(3, axis=2) if strip.shape[2] == 1 else strip
        members[f"{split}_{number:03}.webp"] = picture(rgb, "webp", lossless=True, exact=True)
    return write_zip(path, members)


def write_encoded(path, images, labels, classes, blob="images.bin", prefix="", **changes):
    pictures = [picture(image) for image in images]
    offsets = np.cumsum([0, *map(len, pictures)])
    members = {
        blob: b"".join(pictures),
        f"{prefix}offsets.npy": npy(offsets),
        f"{prefix}labels.npy": npy(labels),
        "classes.json": json.dumps(classes),
    }
    return write_zip(path, members | changes)
