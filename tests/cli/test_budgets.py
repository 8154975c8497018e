"""`audit` with other budgets, several radii and a limit of time."""

import json

MINE = ("--data", "digits", "--samples", "20", "--seed", "0")


def test_several_radii_are_audits_beside_each_other(cli, tmp_path):
    out = tmp_path / "run"
    asked = ("audit", "--model", "mine.py:model", *MINE, "--out", out, "--json")
    made = cli(*asked, "--eps", "0.02,0.1")
    assert made.code == 0
    near, far = json.loads(made.out)["audits"]
    assert (near["eps"], far["eps"]) == (0.02, 0.1)
    assert near["robust_accuracy"] >= far["robust_accuracy"]
    assert all((out / name / "report.html").exists() for name in ("eps-0.02", "eps-0.1"))


def test_what_compares_takes_one_radius(cli, tmp_path):
    asked = ("audit", "--model", "mine.py:model", *MINE, "--eps", "0.02,0.1")
    made = cli(*asked, "--junit", tmp_path / "j.xml", "--out", tmp_path / "run")
    assert made.code == 2
    assert "--junit takes one --eps" in made.err
    assert not (tmp_path / "run").exists()


def test_standard_says_what_it_costs_and_stops_in_time(cli, tmp_path):
    asked = (
        "audit",
        "--model",
        "mine.py:model",
        *MINE,
        "--eps",
        "0.02",
        "--budget",
        "standard",
    )
    made = cli(*asked, "--time-limit", "0", "--out", tmp_path / "run", "--json")
    assert made.code == 0
    assert "s if everything stands" in made.err
    found = json.loads(made.out)
    assert found["verdict"] == "suspect"
    assert {check["name"] for check in found["checks"] if not check["passed"]} == {"complete"}


def test_what_cannot_be_resumed_is_refused_before_the_model_is_made(cli, tmp_path):
    out = ("--out", tmp_path / "run")
    attacked = ("attack", "--model", "mine.py:model", "--attack", "fgsm", *MINE, *out)
    assert cli(*attacked).code == 0
    made = cli("audit", "--model", "mine.py:raises", *MINE, *out, "--resume")
    assert made.code == 2
    assert made.err.count("\n") == 1
    assert "a run of 'attack', cannot go on as 'audit'" in made.err


def test_an_audit_of_another_radius_is_refused_before_the_model_is_made(cli, tmp_path):
    asked = ("audit", "--model", "mine.py:model", *MINE, "--out", tmp_path / "run")
    assert cli(*asked, "--eps", "0.02").code == 0
    (tmp_path / "mine.py").write_text("def model():\n    raise RuntimeError\n")
    made = cli(*asked, "--eps", "0.03", "--resume")
    assert made.code == 2
    assert made.err.count("\n") == 1
    assert "its eps is 0.02, now 0.03" in made.err


def test_several_radii_are_resumed(cli, tmp_path):
    asked = ("audit", "--model", "mine.py:model", *MINE, "--out", tmp_path / "run")
    assert cli(*asked, "--eps", "0.02,0.1").code == 0
    again = cli(*asked, "--eps", "0.02,0.1", "--resume", "--json")
    assert again.code == 0, again.err
