import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classward.core.errors import InputError
from classward.records.record import COLUMNS, Record
from classward.records.result import GradientCounts, Passes
from classward.records.run_folder import RunFolder
from classward.records.shards import LOGITS, read_shard, shard_size, shards_of, write_shard

COUNTS = {
    "passes": Passes(forward=3, backward=2),
    "gradients": GradientCounts(taken=2, zero=1, not_finite=0),
}


def record(labels, before, after, classes=3, **more):
    def logits(said):
        return torch.nn.functional.one_hot(torch.tensor(said), classes).float()

    return Record.from_arrays(
        labels=labels, clean_logits=logits(before), adversarial_logits=logits(after), **more
    )


def test_accuracies_and_matrix_of_a_known_record():
    made = record([0, 0, 1, 1], before=[0, 2, 1, 1], after=[1, 0, 1, 0])
    assert (made.clean_accuracy, made.robust_accuracy) == (0.75, 0.25)
    assert made.success.tolist() == [True, False, False, True]
    assert made.confusion().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    matrix = made.attack_matrix()
    assert matrix[:2].tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0]]
    assert matrix[2].isnan().all(), "a class without samples is undefined, not robust"


def test_one_that_becomes_right_under_attack_is_not_robust():
    made = record([0], before=[1], after=[0])
    assert (made.robust_accuracy, made.success.item()) == (0.0, False)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.integers(1, 30), st.integers(2, 6))
def test_counts_add_up(data, n, k):
    draw = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    labels, before, after = data.draw(draw), data.draw(draw), data.draw(draw)
    made = record(labels, before, after, classes=k)
    counts = made.confusion()
    assert counts.sum() == n
    assert counts.sum(dim=1).tolist() == [labels.count(i) for i in range(k)]
    assert made.robust_accuracy <= made.clean_accuracy
    loops = [[0] * k for _ in range(k)]
    for label, said in zip(labels, after, strict=True):
        loops[label][said] += 1
    assert counts.tolist() == loops


def test_undecided_samples_are_listed():
    logits = torch.tensor([[1.0, 1.0 + 1e-7], [1.0, 2.0]])
    made = Record.from_arrays(labels=[0, 1], clean_logits=logits, adversarial_logits=logits)
    assert made.undecided == [0]


ROWS = [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"labels": [0, 2]}, "label 2 of sample 1 is not a class of 0..1"),
        ({"labels": [0, -1]}, "label -1 of sample 1"),
        ({"labels": [0.0, 1.0]}, "labels must be integers"),
        ({"labels": [[1, 0], [0, 1]]}, r"got shapes \(2, 2\)"),
        ({"labels": [0]}, r"expected labels \(n\)"),
        ({"clean_logits": [0.0, 1.0]}, r"logits \(n, k\)"),
        (
            {"adversarial_logits": [[1.0, math.nan], [0.0, 1.0]]},
            "adversarial logits of sample 0",
        ),
        ({"clean_logits": [[0.0, 1.0], [math.inf, 0.0]]}, "clean logits of sample 1"),
        ({"class_names": ["a"]}, "1 class names for 2 logits"),
        ({"labels": [], "clean_logits": [], "adversarial_logits": []}, "expected labels"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, said):
    fine = {"labels": [0, 1], "clean_logits": ROWS, "adversarial_logits": ROWS}
    with pytest.raises(InputError, match=said):
        Record.from_arrays(**fine | wrong)


def columns(made):
    return {name: getattr(made, name) for name in (*COLUMNS, *LOGITS)}


def on_disk(path, shards=1):
    made = record([0, 1], [0, 1], [1, 1])
    samples = 4096 * (shards - 1) + 2
    asked = {"samples": samples, "class_names": list("abc"), "eps": 0.1}
    with RunFolder.create(path, "attack", asked) as folder:
        write_shard(folder, 0, columns(made), COUNTS)
    return made


def test_a_record_comes_back_from_disk(tmp_path):
    made = on_disk(tmp_path / "run")
    read = Record.open(tmp_path / "run")
    for name in (*COLUMNS, *LOGITS):
        assert torch.equal(getattr(read, name), getattr(made, name)), name
    assert (read.passes, read.gradients) == (COUNTS["passes"], COUNTS["gradients"])
    assert read.class_names == list("abc") and read.images is None


def test_an_unfinished_record_says_so(tmp_path):
    on_disk(tmp_path / "run", shards=2)
    with pytest.raises(InputError, match="shard 1 is missing; finish it with --resume"):
        Record.open(tmp_path / "run")


def test_a_shard_exists_only_once_it_is_committed(tmp_path):
    on_disk(tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    assert read_shard(folder, 0) is not None
    (tmp_path / "run" / "shard-00000.json").unlink()
    assert read_shard(folder, 0) is None


def test_every_flipped_bit_is_noticed(tmp_path):
    on_disk(tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    for file in sorted((tmp_path / "run").glob("*.npy")):
        whole = file.read_bytes()
        for position in (0, len(whole) // 2, len(whole) - 1):
            flipped = bytearray(whole)
            flipped[position] ^= 1
            file.write_bytes(bytes(flipped))
            with pytest.raises(InputError, match=file.name):
                read_shard(folder, 0)
        file.write_bytes(whole[:-1])
        with pytest.raises(InputError, match=file.name):
            read_shard(folder, 0)
        file.write_bytes(whole)


def test_another_kind_of_run_is_refused(tmp_path):
    with RunFolder.create(tmp_path / "run", "audit", {}):
        pass
    with pytest.raises(InputError, match="a run of 'audit', expected an attack record"):
        Record.open(tmp_path / "run")


def test_shards_cover_all_samples_in_order():
    for samples, size in ((1, 4096), (4096, 4096), (4097, 4096), (8192, 4096), (10, 3)):
        shards = shards_of(samples, size)
        assert [i for shard in shards for i in shard] == list(range(samples))
        assert max(map(len, shards)) <= size


@pytest.mark.parametrize(
    ("samples", "batch_size", "size"),
    [
        (1, 128, 512),
        (500, 128, 512),
        (1000, 100, 500),
        (10_000, 128, 512),
        (10_000, 100, 600),
        (50_000, 128, 3072),
        (100_000, 128, 4096),
        (100, 3000, 3000),
        (100, 9000, 4096),
    ],
)
def test_a_shard_is_a_sixteenth_in_whole_batches(samples, batch_size, size):
    assert shard_size(samples, batch_size) == size
