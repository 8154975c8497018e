import pytest
import torch

from classward.core.errors import InputError
from classward.correction import pool
from classward.correction.corrector import Corrector
from classward.correction.pool import Pool, check_records
from classward.records import shards
from classward.records.record import COLUMNS, Record
from classward.records.result import GradientCounts, Passes
from classward.records.run_folder import RunFolder
from classward.records.shards import LOGITS

GENERATOR = torch.Generator()


def record(samples, shift, start=0):
    """Clean logits 2 n + (0, 1), attacked ones moved by `shift`; every label is 0."""
    clean = 2.0 * torch.arange(start, start + samples)[:, None] + torch.tensor([0.0, 1.0])
    return Record.from_arrays(
        labels=torch.zeros(samples, dtype=torch.long),
        clean_logits=clean,
        adversarial_logits=clean + shift,
    )


def test_targets_are_labels_or_clean_predictions():
    records = [record(3, 5.0)]
    assert Pool.of_records(records, "label").targets.tolist() == [0, 0, 0]
    assert Pool.of_records(records, "prediction").targets.tolist() == [1, 1, 1]


def test_one_record_is_not_copied():
    only = record(3, 5.0)
    pool = Pool.of_records([only], "label")
    assert pool.clean.all().data_ptr() == only.clean_logits.data_ptr()


def test_an_epoch_shows_each_sample_once_in_another_order_each_time():
    pool = Pool.of_records([record(50, 5.0), record(50, 7.0)], "label")
    draws = GENERATOR.manual_seed(0)
    orders = [pool.ids[pool.draw(0.3, draws)[0]] for _ in range(2)]
    for order in orders:
        assert order.sort().values.tolist() == list(range(50)) == list(range(pool.samples))
    assert orders[0].tolist() != orders[1].tolist()


def test_draws_have_the_frequencies_of_algorithm_1():
    # Three attacks on 40 samples, the third on the first 20 alone: 5 sigma around each share.
    pool = Pool.of_records([record(40, 5.0), record(40, 7.0), record(20, 9.0)], "label")
    draws, epochs = GENERATOR.manual_seed(0), 3000
    counts = torch.zeros(100)
    clean = torch.zeros(100)
    for _ in range(epochs):
        rows, shows_clean = pool.draw(0.3, draws)
        counts[rows] += 1
        clean[rows] += shows_clean.float()
    share = counts / epochs
    thirds, halves = torch.cat([share[:20], share[40:60], share[80:]]), share[20:40]
    assert (thirds - 1 / 3).abs().max() < 5 * (2 / 9 / epochs) ** 0.5
    assert (halves - 1 / 2).abs().max() < 5 * (1 / 4 / epochs) ** 0.5
    assert (clean / counts - 0.3).abs().max() < 5 * (0.21 / counts.min()) ** 0.5


def test_whether_clean_is_shown_is_drawn_for_each_sample():
    pool = Pool.of_records([record(1000, 5.0)], "label")
    first, second = (pool.draw(0.3, GENERATOR.manual_seed(s))[1] for s in (0, 1))
    assert 240 < first.sum() < 360
    assert (first & second).sum() < 150


def test_a_batch_shows_clean_or_attacked_logits_of_the_drawn_rows():
    pool = Pool.of_records([record(3, 5.0), record(3, 7.0)], "label")
    rows, shows_clean = torch.tensor([2, 5, 0]), torch.tensor([True, False, False])
    logits, targets = pool.batch(rows, shows_clean, "cpu")
    assert logits.tolist() == [[4, 5], [11, 12], [5, 6]]
    assert targets.tolist() == [0, 0, 0]


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """The same record, read from shards of 64 samples."""
    monkeypatch.setattr(pool, "CHUNK", 50)
    counts = {
        "passes": Passes(forward=0, backward=0),
        "gradients": GradientCounts(taken=0, zero=0, not_finite=0),
    }

    def write(made, name="run"):
        asked = made.settings | {"samples": len(made), "class_names": made.class_names}
        asked |= {"shard_samples": 64}
        with RunFolder.create(tmp_path / name, "attack", asked) as folder:
            for index, shard in enumerate(shards.shards_of(len(made), 64)):
                where = torch.tensor(shard)
                columns = {name: getattr(made, name)[where] for name in (*COLUMNS, *LOGITS)}
                shards.write_shard(folder, index, columns, counts)
        return Record.open(tmp_path / name)

    return write


def weights(records):
    fitted = Corrector.small(epochs=4, hidden=20, batch_size=32).fit_records(records)
    return fitted.network_.state_dict()


def test_a_fit_from_disk_is_the_fit_from_memory_bit_for_bit(rolled, on_disk):
    first, second = rolled(400), rolled(300, seed=2)
    read = on_disk(first)
    assert len(read.clean_rows.parts) == 7
    for records, same in (([first], [read]), ([first, second], [read, second])):
        wanted, got = weights(records), weights(same)
        assert all(torch.equal(got[name], wanted[name]) for name in wanted)
    assert not {"clean_logits", "adversarial_logits"} & vars(read).keys(), "never loaded whole"


def test_unfit_logits_in_any_shard_are_found(rolled, on_disk):
    made = rolled(400)
    made.adversarial_logits[130, 2] = torch.inf
    with pytest.raises(InputError, match="record 0, adversarial_logits: the logits of row 130"):
        Corrector.small().fit_records([on_disk(made)])
    shares = rolled(400).clean_logits.softmax(dim=1)
    given = {"labels": made.labels, "adversarial_logits": rolled(400).adversarial_logits}
    made = Record.from_arrays(clean_logits=shares, **given)
    with pytest.raises(InputError, match="record 0, clean_logits: rows sum to 1"):
        Corrector.small().fit_records([on_disk(made, "shares")])
    shares[3] += 1  # one row of logits among probabilities: then it is a table of logits
    made = Record.from_arrays(clean_logits=shares, **given)
    check_records([on_disk(made, "logits")])
