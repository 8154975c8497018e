import json

import pytest
import torch
from torch import nn

from classward.attacks.fgsm import FGSM
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.audit import audit
from classward.evaluation.audited import worst_case
from classward.evaluation.plan import passes_of, plan
from classward.evaluation.run_attack import run_attack
from classward.evaluation.standing import MOST
from classward.models.load import load_model
from classward.records.audit_result import Audit
from classward.records.examples import read_examples
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import load

KEYS = {
    *("clean_accuracy", "robust_accuracy", "interval", "samples", "attacks", "per_class"),
    *("attack_matrix", "symmetry", "maximum_symmetry_pairs", "tolerance", "verdict", "checks"),
    *("mode", "passes", "seconds"),
}


@pytest.fixture(scope="module")
def model():
    """A linear digits classifier, ridge regression in closed form: clean 93 %."""
    data = load_data("digits", split="train")
    images = data.batch(torch.arange(len(data))).flatten(1)
    aims = nn.functional.one_hot(data.labels, 10).float() - 0.1
    rows = torch.cat([images, torch.ones(len(data), 1)], 1)
    solved = torch.linalg.solve(rows.T @ rows + torch.eye(65), rows.T @ aims)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()
    network[1].weight.data, network[1].bias.data = solved[:-1].T.contiguous(), solved[-1]
    return network


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", samples=200)


@pytest.fixture(scope="module")
def audited(model, digits):
    return audit(model, digits, eps=0.05)


def test_has_what_the_command_line_promises(audited):
    table = json.loads(json.dumps(audited.to_dict(), allow_nan=False))
    assert table.keys() >= KEYS
    assert [row.keys() >= {"name", "clean", "robust"} for row in table["per_class"]] == [
        True
    ] * 10
    assert set(table["symmetry"]) == {"0.05", "0.1", "0.2"}
    assert all(entry.keys() >= {"ratio", "p"} for entry in table["symmetry"].values())
    assert all(c.keys() >= {"name", "passed", "evidence"} for c in table["checks"])
    assert table["passes"].keys() == {"forward", "backward"}


def test_the_headline_is_the_worst_case(audited):
    assert audited.robust_accuracy <= min(audited.attacks.values()) <= audited.clean_accuracy
    low, high = audited.interval
    assert low <= audited.robust_accuracy <= high
    assert 0 < audited.robust_accuracy < audited.clean_accuracy
    assert audited.verdict == "sound", [c for c in audited.checks if not c.passed]
    mean = sum(row.robust * row.samples for row in audited.per_class) / audited.samples
    assert mean == pytest.approx(audited.robust_accuracy)


def test_the_exact_robust_set_of_a_linear_model_is_found(model, digits):
    """In closed form: the least margin over the l1 length of the difference of the weights."""
    weight, bias = model[1].weight.detach(), model[1].bias.detach()
    images = digits.batch(torch.arange(len(digits))).flatten(1)
    logits = images @ weight.T + bias
    own = digits.labels[:, None]
    eps, robust = 0.05, torch.ones(len(digits), dtype=torch.bool)
    for k in range(10):
        push = -(weight[digits.labels] - weight[k]).sign()
        worst = (images + eps * push).clamp(0, 1)
        gap = (worst @ weight.T + bias).gather(1, own).squeeze(1) - (
            worst @ weight[k] + bias[k]
        )
        robust &= (gap > 0) | (digits.labels == k)
    assert (robust <= (logits.argmax(1) == digits.labels)).all()
    found = audit(model, digits, eps=eps)
    assert found.robust_accuracy >= robust.double().mean().item() - 1e-9, "no attack beats it"
    assert found.robust_accuracy <= robust.double().mean().item() + 0.03


def test_no_matrix_is_of_an_attack_that_stopped_early(audited):
    assert set(audited.attacks) == {"fgsm", "pgd", "pgd_margin"}
    assert set(audited.attack_matrices) == {"fgsm"}


def test_costs_no_more_than_was_said(audited):
    said = passes_of(plan(0.05, "linf"), audited.samples)
    assert 0.25 * said.forward < audited.passes.forward <= said.forward
    assert 0.25 * said.backward < audited.passes.backward <= said.backward


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["standard", "full"])
def test_what_was_said_is_close_where_everything_stands(model, digits, budget):
    few = digits.take("first:8")
    images = few.batch(torch.arange(len(few)))
    own = Split(images, model(images).argmax(dim=1), few.class_names)
    found = audit(model, own, eps=1e-5, budget=budget)
    assert found.robust_accuracy == 1
    said = passes_of(plan(1e-5, "linf", budget), len(own), curve=budget == "full")
    assert 0.6 * said.forward < found.passes.forward <= said.forward
    half = 0.5 * said.backward  # FAB looks twice where it has crossed, and here it never does
    assert half < found.passes.backward <= said.backward


def test_every_image_that_the_model_sees_is_counted(model, digits):
    seen = 0

    def asked(images):
        nonlocal seen
        seen += len(images)
        return model(images)

    found = audit(asked, digits, eps=0.05)
    surrogate = 20 * MOST  # steps of the network that the model taught: counted, not seen
    assert (
        abs(found.passes.forward - seen) <= surrogate + 300
    )  # and a few images for each probe
    assert 0 < found.check_passes.forward < found.passes.forward
    assert 0 < found.check_passes.backward < found.passes.backward


def test_a_result_of_before_the_checks_were_counted_is_read(audited):
    table = audited.to_dict()
    del table["check_passes"], table["left_out"]
    old = Audit.from_dict(table)
    assert (old.check_passes, old.left_out) == (None, [])
    assert old.passes == audited.passes


def test_the_run_folder_holds_it_all(tmp_path, model, digits):
    made = audit(model, digits, eps=0.05, out=tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    assert folder.kind == "audit"
    text = (tmp_path / "run" / "result.json").read_text()
    assert load(text, "result.json") == made
    records = {name: Record.open(tmp_path / "run" / name) for name in made.attacks}
    assert worst_case(records).double().mean().item() == made.robust_accuracy
    pairs = {(made.classes[i], made.classes[j]) for i, j in made.maximum_symmetry_pairs}
    for example in read_examples(folder):
        assert {(example.source, example.target), (example.target, example.source)} & pairs
        assert example.adversarial_prediction == example.target
    again = audit(model, digits, eps=0.05, out=tmp_path / "run", resume=True)
    assert again.robust_accuracy == made.robust_accuracy and again.passes == made.passes


def flags(found):
    return {check.name for check in found.checks if not check.passed}


class Broken(nn.Module):
    def __init__(self, model, how):
        super().__init__()
        self.model, self.how = model, how

    def forward(self, images):
        return self.how(self.model, images)


def noisy(model, images):
    return model(images) + 1e-3 * torch.randn(len(images), 10)


def nan_gradient(model, images):
    return model(images + ((images * 0).abs() ** 0.5))


@pytest.mark.parametrize(
    ("how", "verdict", "flag"),
    [
        (lambda m, x: m((x * 8).round() / 8), "unsound", "nonzero_gradients_pgd_margin"),
        (lambda m, x: m(x.detach()) + 0 * x.sum(), "unsound", "nonzero_gradients_pgd_margin"),
        (lambda m, x: 1e4 * m(x), "suspect", "nonzero_gradients_pgd"),
        (nan_gradient, "unsound", "finite_gradients"),
        (noisy, "suspect", "deterministic"),
        (lambda m, x: m(x).roll(1, 1), "suspect", "better_than_chance"),
    ],
)
def test_a_defense_that_only_blinds_the_attack_is_not_called_sound(
    model, digits, how, verdict, flag
):
    with torch.random.fork_rng():
        found = audit(Broken(model, how), digits, eps=0.05)
    assert (found.verdict, flag in flags(found)) == (verdict, True), found.checks


def test_a_model_in_train_mode_is_suspect(model, digits):
    dropout = nn.Sequential(nn.Dropout(0.5), model).train()
    found = audit(dropout, digits, eps=0.05)
    assert (found.verdict, flags(found)) == ("suspect", {"eval_mode"})
    assert dropout.training
    dropout[1].eval()


def test_a_wrong_normalisation_is_suspect_where_the_clean_accuracy_is_known(model, digits):
    shifted = Broken(model, lambda m, x: m((x - 0.5) / 0.5))
    found = audit(shifted, digits, eps=0.05, expect_clean=0.92)
    assert found.verdict == "suspect" and "expected_clean_accuracy" in flags(found)
    fine = audit(model, digits, eps=0.05, expect_clean=0.92)
    assert fine.verdict == "sound"


def test_a_class_without_samples_is_undefined_and_named(model, digits):
    part = digits.select((digits.labels != 3).nonzero().flatten())
    found = audit(model, part, eps=0.05)
    assert found.analysis.undefined_classes == ["3"]
    assert found.attack_matrix[3] == [None] * 10
    assert (found.per_class[3].robust, found.per_class[3].samples) == (None, 0)


@pytest.mark.parametrize("eps", [0.0, 1.0])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_ends_of_the_scale(model, digits, eps, norm):
    found = audit(model, digits.take(50), eps=eps, norm=norm)
    if eps == 0:
        assert found.robust_accuracy == found.clean_accuracy
    elif norm == "linf":
        assert found.robust_accuracy == 0


def test_two_classes(model, digits):
    part = digits.select((digits.labels < 2).nonzero().flatten())
    two = Split(part.batch(torch.arange(len(part))), part.labels, ["zero", "one"])
    found = audit(Broken(model, lambda m, x: m(x)[:, :2]), two, eps=0.05)
    assert found.classes == ["zero", "one"] and 0 <= found.robust_accuracy <= 1


@pytest.mark.parametrize("wrong", [{"expect_clean": 92.0}, {"eps": 8.0}, {"eps": -0.1}])
def test_bad_numbers_are_refused(model, digits, wrong):
    with pytest.raises((InputError, ValueError)) as caught:
        audit(model, digits, **wrong)
    assert "\n" not in str(caught.value)


def test_the_untrained_network_of_the_command_line_is_no_surprise():
    found = audit(load_model("small_cnn", seed=3), load_data("digits", samples=50), eps=0.05)
    assert found.verdict == "suspect" and "better_than_chance" in flags(found)


@pytest.mark.parametrize("budget", ["standard", pytest.param("full", marks=pytest.mark.slow)])
def test_larger_budgets_attack_what_stands_and_never_raise_the_number(
    tmp_path, model, digits, budget
):
    few = digits.take("first:8")
    quick = audit(model, few, eps=0.05)
    found = audit(model, few, eps=0.05, budget=budget, out=tmp_path / "run")
    assert found.robust_accuracy <= quick.robust_accuracy
    assert [found.attacks[name] for name in quick.attacks] == list(quick.attacks.values())
    assert set(quick.attacks) < set(found.attacks) <= set(plan(0.05, "linf", budget))
    shares = [share for name, share in found.attacks.items() if name not in quick.attacks]
    assert shares == sorted(shares, reverse=True)
    records = {name: Record.open(tmp_path / "run" / name) for name in found.attacks}
    assert worst_case(records).double().mean().item() == found.robust_accuracy


def test_out_of_time_is_said_and_resumed(tmp_path, model, digits):
    few, out = digits.take("first:8"), tmp_path / "run"
    cut = audit(model, few, eps=0.02, budget="standard", time_limit=0.0, out=out)
    (check,) = [check for check in cut.checks if check.name == "complete"]
    assert not check.passed
    assert "apgd_ce, apgd_t, fab_t, square" in check.evidence
    assert cut.left_out == ["apgd_ce", "apgd_t", "fab_t", "square"]
    assert {"black_box", "planted_examples"} <= {check.name for check in cut.checks}
    assert cut.verdict != "sound"
    whole = audit(model, few, eps=0.02, budget="standard", out=out, resume=True)
    assert "complete" not in flags(whole)
    assert whole.left_out == []
    assert whole.robust_accuracy <= cut.robust_accuracy


def test_a_curve_that_was_left_out_is_said(model, digits):
    found = audit(model, digits.take("first:8"), eps=0.02, budget="full", time_limit=0.0)
    assert found.curve is None
    assert found.left_out[-2:] == ["simba", "curve"]
    (check,) = [check for check in found.checks if check.name == "complete"]
    assert "simba, curve" in check.evidence


class Unasked(nn.Module):
    """A model that may not be asked anything."""

    def forward(self, images):
        raise AssertionError("asked before the run was refused")


@pytest.fixture(scope="module")
def resumable(tmp_path_factory, model, digits):
    """Samples of an audit, and how else it was asked."""
    few, out = digits.take("first:8"), tmp_path_factory.mktemp("resumable")
    given = {"eps": 0.05, "out": out, "model_name": "mine"}
    audit(model, few, **given)
    return few, given


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"eps": 0.04}, "its eps is 0.05, now 0.04"),
        ({"budget": "full"}, "its budget is quick, now full"),
        ({"seed": 1}, "its seed is 0, now 1"),
        ({"batch_size": 7}, "its batch_size is 128, now 7"),
        ({}, "its weights is "),
    ],
)
def test_another_audit_is_not_resumed_and_the_model_not_asked(resumable, other, said):
    few, given = resumable
    with pytest.raises(InputError, match=said) as caught:
        audit(Unasked(), few, resume=True, **given | other)
    assert "\n" not in str(caught.value)


def test_a_run_of_another_kind_is_not_resumed_and_the_model_not_asked(tmp_path, model, digits):
    run_attack(model, FGSM(ball=Linf(0.05)), digits.take("first:8"), out=tmp_path)
    with pytest.raises(InputError, match="a run of 'attack', cannot go on as 'audit'"):
        audit(Unasked(), digits, eps=0.05, out=tmp_path, resume=True)


def test_another_audit_takes_its_place_where_that_is_asked(tmp_path, model, digits):
    few, given = digits.take("first:8"), {"out": tmp_path, "model_name": "mine"}
    audit(model, few, eps=0.05, **given)
    with pytest.raises(InputError, match="holds a run"):
        audit(Unasked(), few, eps=0.04, **given)
    assert audit(model, few, eps=0.04, overwrite=True, **given).eps == 0.04
    assert RunFolder.open(tmp_path).settings["eps"] == 0.04
