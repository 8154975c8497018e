from classward.records.explanation_result import MeanLogits
from classward.reporting.figure import svg
from classward.reporting.mean_logits import plot_mean_logits

FOUND = MeanLogits(edges=[-1.0, 0.0, 2.0, 3.0], clean=[4, 0, 1], attacked=[0, 2, 3])


def test_steps_are_as_high_as_the_counts():
    axes = plot_mean_logits(FOUND)
    clean, attacked = (patch.get_data() for patch in axes.patches)
    assert clean.values.tolist() == [4, 0, 1] and attacked.values.tolist() == [0, 2, 3]
    assert clean.edges.tolist() == attacked.edges.tolist() == FOUND.edges
    assert axes.get_xlim() == (-1, 3) and axes.get_ylim()[0] == 0


def test_both_kinds_are_named():
    drawn = svg(plot_mean_logits(FOUND), "mean")
    assert ">clean<" in drawn and ">attacked<" in drawn and ">mean logit<" in drawn
