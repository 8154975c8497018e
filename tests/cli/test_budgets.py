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
