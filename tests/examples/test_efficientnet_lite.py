"""The example of a network of one's own, with the weights it was written for."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from classward.core.errors import InputError
from classward.data.load import load_data
from classward.models.load import load_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "efficientnet_lite.py"


@pytest.mark.slow
def test_published_weights_have_their_accuracy(real):
    file = "models/imagenet_efficientnet_lite0.safetensors"
    weights = real(file) / file
    model = load_model(f"{EXAMPLE}:efficientnet_lite0", weights=weights)
    data = load_data("imagenet_sample", root=real(file))
    right = 0
    for positions in torch.arange(len(data)).split(50):
        with torch.no_grad():
            said = model(data.batch(positions)).argmax(dim=1)
        right += int((said == data.labels[positions]).sum())
    assert right / len(data) == pytest.approx(0.884, abs=0.002)


def test_takes_published_names_and_refuses_others(tmp_path):
    untrained = load_model(f"{EXAMPLE}:EfficientNetLite", seed=1).eval()
    state = {k: v for k, v in untrained.state_dict().items() if not k.endswith("tracked")}
    assert {"_conv_stem.weight", "_blocks.15._bn2.bias", "_bn1.weight", "_fc.bias"} <= {*state}
    path, images = tmp_path / "w.safetensors", torch.rand(1, 3, 64, 64)
    save_file({name: value.half() for name, value in state.items()}, path)
    loaded = load_model(f"{EXAMPLE}:efficientnet_lite0", weights=path)(images)
    torch.testing.assert_close(loaded, untrained(images), rtol=0.05, atol=0.005)
    save_file(state | {"extra": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="ValueError: not this network's weights: extra"):
        load_model(f"{EXAMPLE}:efficientnet_lite0", weights=path)
