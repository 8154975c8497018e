import pytest
import torch
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from classward.experiments.contest_table import (
    WORST,
    Judged,
    contest_table,
    lead,
    over_seeds,
)
from classward.reporting.page import render
from classward.reporting.sentences import sentences
from classward.reporting.summary import text_summary
from classward.reporting.wording import MINUS

LABELS = torch.arange(40) % 4
COLUMNS = ("clean", "FGSM", "PGD-50", "margin PGD-50", "suite", "last")


def flags(right, count=40):
    """The first ones are right."""
    return torch.arange(count) < right


def judged(*right):
    """A network of so many right samples by column; the suite saw half of all."""
    counts = dict(zip(COLUMNS, right, strict=True))
    return Judged(
        right={n: flags(c, 20 if n == "suite" else 40) for n, c in counts.items()},
        labels=LABELS,
    )


def table(**seeds):
    names = dict.fromkeys(seeds, "Defense()")
    return contest_table(
        names,
        dict.fromkeys(seeds, 17.0),
        dict.fromkeys(seeds, 15),
        seeds,
        data="digits test",
        model="small_cnn",
        training_samples=100,
        samples=40,
        attack="PGD()",
        recipe="Recipe()",
        eps=0.2,
        norm="linf",
        suite="aa-lite, 20 samples",
        seeds=[0, 1],
        versions={"torch": "2.13.0"},
    )


@pytest.fixture
def contest():
    """The second is best on the cross-entropy and worst under the suite."""
    return table(
        adversarial_training=[judged(38, 30, 24, 22, 10, 24), judged(36, 30, 22, 20, 11, 12)],
        mart=[judged(30, 30, 30, 20, 8, 30), judged(32, 31, 28, 20, 7, 28)],
        trades=[judged(36, 30, 26, 24, 19, 26), judged(38, 31, 24, 24, 18, 24)],
    )


def test_means_and_intervals_are_those_over_seeds():
    found = over_seeds([flags(10), flags(20)])
    assert found.mean == 0.375 and found.by_seed == [0.25, 0.5] and found.samples == 40
    half = student.ppf(0.975, 1) * 0.125
    assert (found.low, found.high) == (0.0, pytest.approx(min(1, 0.375 + half)))
    alone = over_seeds([flags(10)])
    assert (alone.mean, alone.low, alone.high) == (0.25, None, None)


def test_a_lead_is_paired_by_sample_over_seeds():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = torch.rand(2, 3, 50, generator=generator) < 0.5
    found = lead(ours, theirs)
    by_sample = (ours.double() - theirs.double()).mean(dim=0)
    assert found.difference == pytest.approx(by_sample.mean().item())
    assert found.p == pytest.approx(ttest_1samp(by_sample.numpy(), 0).pvalue)
    assert found.low < found.difference < found.high
    assert found.ahead == sum((ours.sum(dim=1) > theirs.sum(dim=1)).tolist())


def test_a_lead_that_all_samples_share_has_no_p():
    found = lead(torch.ones(2, 5).bool(), torch.zeros(2, 5).bool())
    assert (found.difference, found.p, found.ahead) == (1.0, None, 2)


def test_the_worst_class_is_under_all_attacks_of_all_samples(contest):
    # Of 40 samples the first 22 and 20 stand; class 3 has 5 of 10 both times, 2 and 3 too.
    worst = contest.defenses[0].accuracy[WORST]
    assert worst.by_seed == [0.5, 0.5] and worst.samples == 10


def test_the_orders_are_those_of_the_columns(contest):
    assert contest.by_cross_entropy == ["mart", "trades", "adversarial_training"]
    assert contest.by_suite == ["trades", "adversarial_training", "mart"]
    assert contest.agreement == pytest.approx(-1 / 3)


def test_the_first_leads_nobody_and_the_others_are_beside_it(contest):
    first, second, third = contest.defenses
    assert first.lead == {} and third.lead["suite"].difference == pytest.approx(8 / 20)
    assert second.lead["suite"].ahead == 0 and third.lead["suite"].ahead == 2


def test_sentences_say_who_stands_best_and_that_the_order_depends(contest):
    told = sentences(contest)
    assert told["Which stands best"].startswith("trades: 92.5% under the suite")
    assert "trades" in told["Better than adversarial training"]
    order = told["Does the order depend on the attack"]
    assert "mart comes first, under the suite trades" in order and "-0.33" in order.replace(
        MINUS, "-"
    )
    assert "adversarial training" in told["Robust overfitting"]
    assert "mart" not in told["Robust overfitting"]


def test_one_defense_alone_is_a_contest_too():
    told = sentences(table(trades=[judged(36, 30, 26, 24, 14, 26)]))
    assert list(told) == ["Which stands best"]


def test_the_page_and_the_summary_hold_every_defense(contest, tmp_path):
    render(contest, tmp_path / "page.html")
    page, text = (tmp_path / "page.html").read_text(), text_summary(contest)
    for row in contest.rows():
        assert row["defense"].replace("_", " ") in page
        assert row["defense"].replace("_", " ") in text
    assert "last epoch, PGD-50" in page and "of 2" in page
