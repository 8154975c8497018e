import time

import torch
from torch import nn

from classward.data.split import Split
from classward.evaluation.pace import seconds_of_passes


def test_seconds_are_for_one_image_and_backward_is_counted_too():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))

    def slow(images):
        time.sleep(0.02)
        return network(images)

    data = Split(torch.rand(10, 1, 2, 2), torch.arange(10) % 2)
    forward, both = seconds_of_passes(slow, data, "cpu")
    assert 0.002 <= forward < 0.02
    assert 0.002 <= both < 0.02
