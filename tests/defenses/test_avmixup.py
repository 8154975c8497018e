import pytest
import torch
from torch import nn

from classward.defenses.avmixup import Avmixup
from classward.models.network import Network


def test_targets_of_the_worked_example():
    made = Avmixup().targets(torch.tensor([3]), torch.tensor([[0.25]]), 10)
    wanted = torch.full((1, 10), 0.075)
    wanted[0, 3] = 0.325
    torch.testing.assert_close(made, wanted)
    assert made.sum().item() == pytest.approx(1)


def test_a_whole_clean_image_has_a_hard_label_and_a_whole_vertex_a_uniform_one():
    made = Avmixup().targets(torch.tensor([1, 1]), torch.tensor([[1.0], [0.0]]), 10)
    assert made[0].tolist() == [0, 1, *[0] * 8]
    assert made[1].tolist() == pytest.approx([0.1] * 10)


class Seen(nn.Module):
    def forward(self, images):
        self.images = images
        return images.flatten(1)


def test_images_lie_between_the_clean_one_and_the_clipped_vertex(batch_of, passing):
    seen, clean = Seen(), torch.full((500, 1, 2, 2), 0.5)
    attacked = clean + 0.3
    labels = torch.zeros(500, dtype=torch.int64)
    terms = Avmixup().loss(Network(seen, passing), batch_of(clean, labels, attacked))
    assert seen.images.amin() >= 0.5 and seen.images.amax() <= 1  # 0.5 + 2 * 0.3 is clipped
    share = (1 - seen.images[:, 0, 0, 0]) / 0.5
    assert share.std().item() == pytest.approx(12**-0.5, abs=0.03)  # uniform
    assert (seen.images.flatten(1).std(dim=1) < 1e-6).all()  # one share for each image
    targets = Avmixup().targets(labels, share[:, None], 4)
    wanted = -(targets * seen.images.flatten(1).log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(terms["cross_entropy"], wanted)


def test_shares_outside_0_and_1_are_refused():
    with pytest.raises(ValueError, match="vertex"):
        Avmixup(vertex=1.5)
