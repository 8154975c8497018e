"""A corrector in ONNX says what it says in torch, whatever the size of the batch."""

import sys

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.correction.corrector import Corrector


def fitted(classes, **options):
    logits = 5 * torch.randn(60, classes, generator=torch.Generator().manual_seed(0))
    return Corrector.small(epochs=2, **options).fit(logits, torch.arange(60) % classes)


@pytest.mark.parametrize(
    "options", [{}, {"layers": 1}, {"hidden": 64}, {"hidden": 8, "layers": 3}, {"ranks": 9}]
)
def test_says_the_same(tmp_path, options):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    corrector = fitted(7, **options)
    corrector.export(tmp_path / "c.onnx")
    session = runtime.InferenceSession(tmp_path / "c.onnx")
    for count in (1, 3, 300):
        logits = np.random.default_rng(count).normal(scale=9, size=(count, 7)).astype("f")
        (corrected,) = session.run(None, {"logits": logits})
        assert np.abs(corrected - corrector.transform(logits)).max() <= 1e-5


def test_without_its_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"pip install classward\[onnx\]"):
        fitted(3).export(tmp_path / "c.onnx")
    assert not (tmp_path / "c.onnx").exists()
