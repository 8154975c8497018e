"""A metric over batches says what the matrix of all samples at once says."""

import socket

import pytest
import torch
from torch import multiprocessing, nn

import classward
from classward.analysis.attack_matrix import attack_matrix, checked_confusion
from classward.analysis.running_matrix import AttackMatrix
from classward.core.errors import InputError

K = 4


def batches(count=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randint(K - 1, (2, 17), generator=rng) for _ in range(count)]


def whole(parts):
    labels, predictions = torch.cat(parts, dim=1)
    return attack_matrix(labels, predictions, K)


def test_batches_say_what_all_samples_say_and_an_empty_class_is_undefined():
    metric, parts = classward.AttackMatrix(K), batches()
    for part in parts:
        torch.testing.assert_close(metric(*part), whole([part]), equal_nan=True)
    torch.testing.assert_close(metric.compute(), whole(parts), rtol=0, atol=0, equal_nan=True)
    assert metric.compute()[K - 1].isnan().all()


def test_reset_forgets():
    metric, (first, second) = AttackMatrix(K), batches(2)
    metric.update(*first)
    metric.reset()
    assert metric.compute().isnan().all()
    metric.update(*second)
    torch.testing.assert_close(metric.compute(), whole([second]), equal_nan=True)


def test_as_a_submodule_it_moves_is_saved_and_keeps_its_whole_numbers():
    module, parts = nn.Module(), batches()
    module.metric = AttackMatrix(K)
    module.metric.update(*parts[0])
    assert list(module.buffers()) == [], "DistributedDataParallel would overwrite them"
    for change in (module.half, module.double, lambda: module.to(torch.bfloat16)):
        change()
        assert module.metric.counts.dtype == torch.int64
    again = nn.Module()
    again.metric = AttackMatrix(K)
    again.load_state_dict(module.state_dict())
    again.metric.update(*parts[1])
    torch.testing.assert_close(again.metric.compute(), whole(parts[:2]), equal_nan=True)
    assert module.metric.counts.sum() == 17, "the state that was loaded is a copy"
    assert module.to("meta").metric.counts.device.type == "meta"


def test_counts_of_another_number_of_classes_are_refused():
    with pytest.raises(InputError, match=r"shape \(4, 4\) expected, got \(3, 3\)"):
        AttackMatrix(K).load_state_dict(AttackMatrix(3).state_dict())


@pytest.mark.parametrize(
    ("labels", "predictions", "said"),
    [
        ([0, 4], [0, 0], r"label 4 is not a class of 0\.\.3"),
        ([0, 1], [0, -1], "prediction -1 is not"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_counted(labels, predictions, said):
    metric = AttackMatrix(K)
    with pytest.raises(InputError, match=said):
        metric.update(torch.tensor(labels), torch.tensor(predictions))
    assert metric.counts.sum() == 0
    with pytest.raises(InputError, match=r"\(1,\) predictions for 2 labels"):
        checked_confusion(torch.tensor([0, 1]), torch.tensor([0]), K)
    with pytest.raises(InputError, match="at least 1"):
        AttackMatrix(0)


def _one_of_two(rank, port, parts, expected):
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    try:
        metric = AttackMatrix(K)
        for part in parts[rank::2]:
            metric.update(*part)
        for _ in range(2):  # to compute changes nothing
            torch.testing.assert_close(metric.compute(), expected, equal_nan=True)
        assert metric.counts.sum() == 17 * len(parts[rank::2])
    finally:
        torch.distributed.destroy_process_group()


def test_processes_are_summed():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parts = batches(3)
    multiprocessing.start_processes(
        _one_of_two, args=(port, parts, whole(parts)), nprocs=2, start_method="fork"
    )


def test_it_agrees_with_torchmetrics():
    torchmetrics = pytest.importorskip("torchmetrics")
    theirs, ours = (
        torchmetrics.ConfusionMatrix(task="multiclass", num_classes=K),
        AttackMatrix(K),
    )
    for labels, predictions in batches():
        theirs.update(predictions, labels)
        ours.update(labels, predictions)
    assert theirs.compute().tolist() == ours.counts.tolist()
