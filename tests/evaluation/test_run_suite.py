import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from classward.attacks.fgsm import FGSM
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.run_attack import run_attack
from classward.evaluation.run_suite import run_suite
from classward.evaluation.suites import Entry, Suite, aa_lite, autoattack

BALL = Linf(0.1)
LADDER = Suite(
    name="ladder",
    entries={
        "fgsm": Entry(attack=FGSM(ball=BALL)),
        "pgd": Entry(attack=PGD(ball=BALL, step_size=0.03, steps=10), restarts=2),
    },
)


@pytest.fixture(scope="module")
def model():
    """A linear digits classifier, by ridge regression."""
    data = load_data("digits", split="train")
    images = data.batch(torch.arange(len(data))).flatten(1)
    aims = nn.functional.one_hot(data.labels, 10).float() - 0.1
    solved = torch.linalg.solve(images.T @ images + torch.eye(64), images.T @ aims)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False)).eval()
    network[1].weight.data = 10 * solved.T.contiguous()
    return network


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", samples=60)


@pytest.fixture(scope="module")
def result(model, digits):
    return run_suite(model, LADDER, digits)


def test_each_attack_gets_what_still_stands(result, model, digits):
    first, second = result.records.values()
    assert first.ids.tolist() == result.ids[result.correct].tolist()
    assert second.ids.tolist() == first.ids[first.robust].tolist()
    assert 0 < len(second) < len(first) < len(digits)
    assert result.ids[result.robust].tolist() == second.ids[second.robust].tolist()
    assert second.settings["restarts"] == 2 and second.settings["until"] == "first_success"
    assert result.fell["fgsm"] == first.ids[~first.robust].tolist()


def test_robust_is_the_worst_case_over_attacks_run_alone(result, model, digits):
    alone = [
        run_attack(model, entry.attack, digits, until="first_success", restarts=entry.restarts)
        for entry in LADDER.entries.values()
    ]
    assert torch.equal(result.robust, alone[0].robust & alone[1].robust)
    assert result.robust_accuracy == pytest.approx(result.robust.sum().item() / len(digits))
    assert result.interval[0] < result.robust_accuracy < result.interval[1]
    assert result.clean_accuracy == alone[0].clean_accuracy
    forward = sum(record.passes.forward for record in result.records.values())
    assert result.passes.forward == len(digits) + forward


def test_the_order_of_the_data_changes_nothing(result, model, digits):
    turned = run_suite(model, LADDER, digits.select(torch.arange(len(digits)).flip(0)))
    assert torch.equal(turned.ids, result.ids) and torch.equal(turned.robust, result.robust)


def test_is_plain_json(result):
    table = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert table["suite"] == "ladder" and table["samples"] == len(result)
    assert table["robust"] == result.ids[result.robust].tolist()
    assert table["attacks"]["pgd"]["attacked"] == result.records["pgd"].ids.tolist()
    assert table["attacks"]["fgsm"]["options"] == str(FGSM(ball=BALL))
    assert table["passes"]["backward"] == result.passes.backward


def test_nothing_is_run_where_nothing_stands(model, digits):
    asked = []
    harsh = Suite(
        name="harsh",
        entries={
            "pgd": Entry(attack=PGD(ball=Linf(1.0), step_size=0.25)),
            "again": Entry(attack=FGSM(ball=BALL)),
        },
    )
    nothing = run_suite(model, harsh, digits, progress=lambda *step: asked.append(step))
    assert list(nothing.records) == ["pgd"] and {name for name, _, _ in asked} == {"pgd"}
    assert nothing.robust_accuracy == 0 and nothing.interval[0] == 0
    images = digits.batch(torch.arange(len(digits)))
    wrong = Split(images, (model(images).argmax(1) + 1) % 10, digits.class_names)
    assert run_suite(model, harsh, wrong).records == {}


def test_resumes_where_it_was_and_only_the_same_question(result, model, digits, tmp_path):
    out = tmp_path / "suite"

    def stop(name, done, total):
        if name == "pgd":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_suite(model, LADDER, digits, out=out, progress=stop)
    assert not (out / "suite.json").exists()
    with pytest.raises(InputError):
        run_suite(model, LADDER, digits, out=out)
    with pytest.raises(InputError):
        run_suite(model, replace(LADDER, name="other"), digits, out=out, resume=True)
    resumed = run_suite(model, LADDER, digits, out=out, resume=True)
    assert torch.equal(resumed.robust, result.robust)
    written = json.loads((out / "suite.json").read_text())
    assert written["robust"] == result.ids[result.robust].tolist()


def test_rand_averages_gradients_over_twenty_draws(model, digits):
    images = [0]

    class Counted(nn.Module):
        def forward(self, x):
            images[0] += len(x)
            return model(x + 0.05 * torch.randn_like(x))

    few = digits.take(10)
    official = autoattack(BALL, "rand").entries
    short = {
        name: replace(entry, attack=replace(entry.attack, steps=3))
        for name, entry in official.items()
    }
    result = run_suite(Counted(), Suite(name="short rand", entries=short), few)
    attacked = sum(record.passes.backward for record in result.records.values())
    assert attacked > 0 and images[0] > 20 * attacked
    assert result.records["apgd_ce"].settings["gradient_model"] == "given by the caller"


def test_lite_is_no_stronger_than_its_first_attack_alone(model, digits):
    lite = run_suite(model, aa_lite(BALL, steps=10, target_classes=2, queries=20), digits)
    alone = run_attack(
        model, lite.suite.entries["apgd_ce"].attack, digits, until="first_success"
    )
    assert not (lite.robust & ~alone.robust).any()
    assert list(lite.records) == ["apgd_ce", "apgd_t", "fab_t", "square"]
    assert lite.records["square"].queries.max() == 20
