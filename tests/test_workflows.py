"""What runs on the host: readable, with least rights, on every Python that is promised."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture
def read():
    yaml = pytest.importorskip("yaml")
    return lambda path: yaml.safe_load(path.read_text())


def test_there_are_tests_docs_and_release():
    assert [path.stem for path in WORKFLOWS] == ["docs", "release", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_well_formed_and_may_only_read(path, read):
    made = read(path)
    assert made.keys() >= {"name", "permissions", "jobs"} and (made.get("on") or made[True])
    assert made["permissions"] == {"contents": "read"}
    for name, job in made["jobs"].items():
        assert job["runs-on"] == "ubuntu-latest" and job["timeout-minutes"] > 0
        assert set(job.get("needs", "").split()) <= made["jobs"].keys()
        for step in job["steps"]:
            assert len(step.keys() & {"uses", "run"}) == 1, name
            assert re.fullmatch(r"[\w-]+/[\w-]+@[\w./-]+", step.get("uses", "a/b@v1"))


def test_the_promised_pythons_run_what_a_submission_must_pass(read):
    job = read(ROOT / ".github/workflows/tests.yml")["jobs"]["tests"]
    pythons = job["strategy"]["matrix"]["python"]
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert promised["requires-python"] == f">={pythons[0]}"
    assert {"run": ".ci/run"} in job["steps"] and (ROOT / ".ci/run").stat().st_mode & 0o100


def test_only_the_last_step_of_a_release_may_publish(read):
    jobs = read(ROOT / ".github/workflows/release.yml")["jobs"]
    assert "permissions" not in jobs["build"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "build" and jobs["publish"]["environment"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_password_and_no_host_is_named(path):
    assert not re.search(r"secrets\.|https?://|password:", path.read_text())
