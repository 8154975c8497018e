import torch

from classward.correction.pool import Pool
from classward.records.record import Record

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
    assert pool.clean.data_ptr() == only.clean_logits.data_ptr()


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
