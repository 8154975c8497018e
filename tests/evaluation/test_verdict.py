import pytest
import torch
from torch import nn

from classward.evaluation import verdict as checks_of
from classward.evaluation.verdict import verdict
from classward.records.audit_result import Check
from classward.records.record import Record
from classward.records.result import GradientCounts


def check(passed, otherwise="suspect"):
    return Check(name="a", passed=passed, evidence="b", otherwise=otherwise)


def record(right_before=50, right_after=20, n=100, classes=10, **more):
    labels = torch.arange(n) % classes
    wrong = (labels + 1) % classes
    before, after = labels.clone(), labels.clone()
    before[right_before:], after[right_after:] = wrong[right_before:], wrong[right_after:]

    def logits(said):
        return torch.nn.functional.one_hot(said, classes).float()

    made = Record.from_arrays(
        labels=labels, clean_logits=logits(before), adversarial_logits=logits(after)
    )
    for name, value in more.items():
        object.__setattr__(made, name, value)
    return made


def gradients(taken=1000, zero=0, not_finite=0):
    return GradientCounts(taken=taken, zero=zero, not_finite=not_finite)


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([], "sound"),
        ([check(True), check(True, "unsound")], "sound"),
        ([check(True), check(False)], "suspect"),
        ([check(False, "unsound"), check(False)], "unsound"),
    ],
)
def test_the_gravest_failure_decides(checks, said):
    assert verdict(checks) == said


def test_gradients_that_are_not_finite():
    fine, bad = record(gradients=gradients()), record(gradients=gradients(not_finite=1))
    failed = record(gradients=gradients(), failed=torch.arange(100) == 3)
    assert checks_of.gradients_are_finite({"pgd": fine}).passed
    for wrong in (bad, failed):
        said = checks_of.gradients_are_finite({"fgsm": fine, "pgd": wrong})
        assert (said.passed, said.otherwise) == (False, "unsound")
        assert "1 gradients or images of pgd were NaN" in said.evidence


@pytest.mark.parametrize(
    ("zero", "passed"), [(0, True), (10, True), (11, False), (1000, False)]
)
@pytest.mark.parametrize(("scale_free", "otherwise"), [(True, "unsound"), (False, "suspect")])
def test_zero_gradients(zero, passed, scale_free, otherwise):
    said = checks_of.gradients_are_not_zero(
        "pgd", record(gradients=gradients(zero=zero)), scale_free=scale_free
    )
    assert (said.passed, said.otherwise) == (passed, otherwise)


def test_an_attack_without_gradients_is_blind():
    said = checks_of.gradients_are_not_zero(
        "pgd", record(gradients=gradients(taken=0)), scale_free=True
    )
    assert not said.passed


def test_logits_that_change_between_two_passes():
    first, second = record(), record()
    assert checks_of.outputs_are_repeatable({"a": first, "b": second}).passed
    second.clean_logits[3, 2] += 1e-6
    said = checks_of.outputs_are_repeatable({"a": first, "b": second})
    assert (said.passed, said.otherwise) == (False, "unsound")


@pytest.mark.parametrize(
    ("model", "passed"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).train(), True),
        (nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 2)).eval(), True),
        (nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 2)).train(), False),
        (nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(4, 2)).train(), False),
        (lambda images: images.flatten(1), True),
    ],
)
def test_train_mode_counts_where_it_changes_the_logits(model, passed):
    state = [*model.state_dict().values()] if isinstance(model, nn.Module) else []
    before, numbers = [tensor.clone() for tensor in state], torch.get_rng_state()
    images = torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    said = checks_of.mode_is_eval(model, images)
    assert said.passed == passed
    assert passed or "call .eval() in your factory" in said.evidence
    assert all(torch.equal(*pair) for pair in zip(before, state, strict=True))
    assert torch.equal(torch.get_rng_state(), numbers)


def test_ball_and_box():
    made = record(linf=torch.tensor([0.1, 0.2]))
    assert checks_of.attacks_kept_their_word({"pgd": made}, 0.2, "linf").passed
    assert not checks_of.attacks_kept_their_word({"pgd": made}, 0.1, "linf").passed
    made = record(linf=torch.tensor([float("nan")]))
    assert not checks_of.attacks_kept_their_word({"pgd": made}, 0.2, "linf").passed


@pytest.mark.parametrize(("many", "passed"), [(10, True), (20, True), (21, True), (25, False)])
def test_many_steps_against_one(many, passed):
    said = checks_of.steps_help(record(right_after=20), record(right_after=many))
    assert said.passed == passed


@pytest.mark.parametrize(("right", "passed"), [(50, True), (20, True), (12, False), (1, False)])
def test_chance(right, passed):
    assert checks_of.better_than_chance(record(right_before=right)).passed == passed


@pytest.mark.parametrize(
    ("expected", "passed"),
    [(0.5, True), (0.55, True), (0.62, False), (0.4, True), (0.3, False)],
)
def test_the_expected_clean_accuracy(expected, passed):
    said = checks_of.clean_accuracy_is_expected(record(right_before=50), expected)
    assert (said.passed, said.otherwise) == (passed, "suspect")


@pytest.mark.parametrize(
    ("left_out", "passed", "said"),
    [
        ([], True, "Every attack of the budget ran, or found nothing standing."),
        (["curve"], True, "the time limit left out the curve: resume"),
        (["nes", "curve"], False, "left out nes, curve: resume to lower the number"),
    ],
)
def test_what_the_time_limit_left_out_is_said(left_out, passed, said):
    made = checks_of.every_attack_ran(left_out)
    assert made.passed == passed
    assert said in made.evidence
