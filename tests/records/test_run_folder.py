import errno
import json
import os
import subprocess
import sys
import textwrap

import pytest

import classward.records.run_folder as run_folder
from classward.core.errors import InputError, SystemFaultError
from classward.records.atomic import atomic_write, sha256
from classward.records.run_folder import RunFolder, next_free

SETTINGS = {"eps": 0.1, "seed": 0}


def make(path, settings=SETTINGS, kind="attack", **how):
    with RunFolder.create(path, kind, settings, **how) as folder:
        folder.write("a.bin", b"1")
    return folder


def content(path):
    return {p.name: p.read_bytes() for p in path.iterdir() if p.name != ".lock"}


def test_what_was_written_is_read_back(tmp_path):
    make(tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    assert (folder.kind, folder.settings) == ("attack", SETTINGS)
    assert (tmp_path / "run" / "a.bin").read_bytes() == b"1"
    assert sha256(tmp_path / "run" / "a.bin").startswith("6b86b273")


def test_an_existing_run_is_neither_lost_nor_mixed(tmp_path):
    make(tmp_path / "run")
    before = content(tmp_path / "run")
    for wrong, said in [
        ({}, "holds a run; pass --resume to go on or --overwrite"),
        ({"resume": True, "settings": SETTINGS | {"eps": 0.2}}, "its eps is 0.1, now 0.2"),
        ({"resume": True, "kind": "audit"}, "a run of 'attack', cannot go on as 'audit'"),
        ({"resume": True, "overwrite": True}, "exclude each other"),
    ]:
        with pytest.raises(InputError, match=said):
            make(tmp_path / "run", **wrong)
    assert content(tmp_path / "run") == before
    make(tmp_path / "run", resume=True)
    assert content(tmp_path / "run") == before


def test_overwrite_removes_the_old_run_alone(tmp_path):
    make(tmp_path / "run")
    (tmp_path / "run" / "old").mkdir()
    (tmp_path / "beside").write_text("kept")
    make(tmp_path / "run", {"eps": 0.3}, overwrite=True)
    assert not (tmp_path / "run" / "old").exists()
    assert RunFolder.open(tmp_path / "run").settings == {"eps": 0.3}
    assert (tmp_path / "beside").read_text() == "kept"


def test_a_folder_of_other_files_is_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for how in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(InputError, match="holds files that are not of a run"):
            make(tmp_path, **how)
    assert content(tmp_path) == {"thesis.tex": b"years of work"}


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match="run: a file, expected a folder"):
        make(tmp_path / "run")


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, call, fault
):
    atomic_write(tmp_path / "a", b"old")

    def fail(*_):
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(run_folder.os, call, fail)
    with pytest.raises(SystemFaultError, match="disk full" if fault == errno.ENOSPC else "a: "):
        atomic_write(tmp_path / "a", b"new")
    assert content(tmp_path) == {"a": b"old"}


def test_a_failed_start_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(run_folder.os, "replace", fail)
    with pytest.raises(SystemFaultError, match="disk full"):
        make(tmp_path / "deep" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_a_fault_of_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((InputError, SystemFaultError)) as caught:
        make(tmp_path / "file" / "run")
    assert "\n" not in str(caught.value) and "file" in str(caught.value)


def test_two_processes_cannot_share_a_run(tmp_path):
    script = textwrap.dedent(
        """
        import sys
        from classward.core.errors import InputError
        from classward.records.run_folder import RunFolder
        try:
            with RunFolder.create(sys.argv[1], "attack", {"eps": 0.1, "seed": 0}, resume=True):
                print("got it")
        except InputError as error:
            print(error)
        """
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def other():
        command = [sys.executable, "-c", script, str(tmp_path / "run")]
        return subprocess.run(command, capture_output=True, text=True, env=env).stdout

    with RunFolder.create(tmp_path / "run", "attack", SETTINGS):
        assert "in use by another process" in other()
    assert "got it" in other()


def test_leftovers_of_a_kill_are_swept(tmp_path):
    make(tmp_path / "run")
    (tmp_path / "run" / ".a.bin.99.partial").write_bytes(b"half")
    make(tmp_path / "run", resume=True)
    assert not list((tmp_path / "run").glob(".*.partial"))


@pytest.mark.parametrize("name", ["../a", "/a", "", ".a", "a/b", "a\n", "-rf", "a" * 101, "ä"])
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name):
    with (
        RunFolder.create(tmp_path / "run", "attack", SETTINGS) as folder,
        pytest.raises(InputError, match="letters, digits"),
    ):
        folder.write(name, b"")


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (None, "not a run folder"),
        ("{", "damaged, not a manifest"),
        ("[]", "damaged, not a manifest"),
        (json.dumps({"schema": 99}), "schema 99, this version reads up to 2"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path, manifest, said):
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match=said):
        RunFolder.open(tmp_path)


def test_nan_is_never_written(tmp_path):
    with (
        RunFolder.create(tmp_path / "run", "attack", SETTINGS) as folder,
        pytest.raises(ValueError, match="JSON"),
    ):
        folder.write_json("a.json", {"a": float("nan")})


def test_the_next_free_folder_is_counted(tmp_path):
    assert next_free(tmp_path, "audit").name == "audit-1"
    (tmp_path / "audit-1").mkdir()
    assert next_free(tmp_path, "audit").name == "audit-2"


def test_nothing_else_in_the_package_opens_files_for_writing():
    package = os.path.dirname(run_folder.__file__) + "/.."
    writing = r"open\([^)]*[\"'][wax]b?[\"']|write_(text|bytes)\(|np\.save\(\S*path"
    found = subprocess.run(
        ["grep", "-rnE", writing, "--include=*.py", package],
        capture_output=True,
        text=True,
    ).stdout
    assert [line for line in found.splitlines() if "atomic.py" not in line] == []
