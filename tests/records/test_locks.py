import os
import signal
import time

import pytest

import classward.records.run_folder as run_folder
from classward.core.errors import InputError, SystemFaultError
from classward.records.locks import opened
from classward.records.run_folder import RunFolder

SETTINGS = {"eps": 0.1, "seed": 0}


def create(path, settings=SETTINGS, **how):
    return RunFolder.create(path, "attack", settings, **how)


def in_child(work):
    """A process that does `work`, and ends with 0 if it ended well."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_who_joins_shares_and_who_does_not_is_refused(tmp_path):
    with (
        create(tmp_path / "run", join=True) as one,
        create(tmp_path / "run", join=True) as other,
    ):
        assert one.joined and other.joined
        for how in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(InputError, match="in use by another process"):
                create(tmp_path / "run", **how).__enter__()
    with create(tmp_path / "run", resume=True) as alone:
        assert not alone.joined
        with pytest.raises(InputError, match="in use by another process"):
            create(tmp_path / "run", join=True).__enter__()


def test_joining_asks_the_same_question(tmp_path):
    with (
        create(tmp_path / "run", join=True),
        pytest.raises(InputError, match="cannot go on, its eps is 0.1, now 0.2"),
    ):
        create(tmp_path / "run", SETTINGS | {"eps": 0.2}, join=True).__enter__()
    with pytest.raises(InputError, match="join and overwrite exclude each other"):
        create(tmp_path / "run", join=True, overwrite=True).__enter__()


def test_a_part_is_claimed_once_until_it_is_made(tmp_path):
    with (
        create(tmp_path / "run", join=True) as one,
        create(tmp_path / "run", join=True) as other,
    ):
        with one.claimed("00000") as mine, other.claimed("00000") as theirs:
            assert (mine, theirs) == (True, False)
            with other.claimed("00001") as another:
                assert another
        with other.claimed("00000") as theirs:
            assert theirs
    assert not list((tmp_path / "run").glob(".claim-*"))
    with create(tmp_path / "run", resume=True) as alone, alone.claimed("00000") as mine:
        assert mine and not list((tmp_path / "run").glob(".claim-*"))


def test_what_failed_or_died_is_claimed_anew_and_its_leftovers_go(tmp_path):
    def die():
        with create(tmp_path / "run", join=True) as folder, folder.claimed("00003"):
            for name in (
                "shard-00003-ids.npy.7",
                "notes-00003.json.7",
                "shard-00004-l2.npy.00003",
            ):
                (tmp_path / f"run/.{name}.partial").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    with create(tmp_path / "run", join=True) as folder:
        assert ended(in_child(die)) == -signal.SIGKILL
        with folder.claimed("00003") as mine:
            left = [path.name for path in (tmp_path / "run").glob(".*.partial")]
            assert mine and left == [".shard-00004-l2.npy.00003.partial"], "another's is kept"
        with pytest.raises(OSError, match="broke"), folder.claimed("00005"):
            raise OSError("broke")
        with folder.claimed("00005") as mine:
            assert mine


def test_claims_of_the_dead_are_swept_by_who_comes_alone(tmp_path):
    with create(tmp_path / "run"):
        (tmp_path / "run/.claim-00003.lock").touch()
    with create(tmp_path / "run", resume=True):
        assert not list((tmp_path / "run").glob(".claim-*"))


def test_all_who_start_at_once_join(tmp_path):
    for number in range(5):
        gate, opener = os.pipe()
        path = tmp_path / f"run-{number}/deep"

        def join(gate=gate, opener=opener, path=path):
            os.close(opener)
            os.read(gate, 1)  # returns when the other end is closed
            with create(path, join=True) as folder:
                assert RunFolder.open(path).settings == folder.settings == SETTINGS

        children = [in_child(join) for _ in range(8)]
        os.close(opener)
        assert [ended(child) for child in children] == [0] * 8
        os.close(gate)
        assert sorted(p.name for p in path.iterdir()) == [
            ".lock",
            ".turn.lock",
            "manifest.json",
        ]


def test_joined_processes_take_turns(tmp_path):
    def work():
        with create(tmp_path / "run", join=True) as folder, folder.turn():
            os.mkdir(tmp_path / "alone")  # fails if another is in its turn
            time.sleep(0.05)
            os.rmdir(tmp_path / "alone")

    assert [ended(child) for child in [in_child(work) for _ in range(4)]] == [0] * 4


def test_a_failed_start_of_who_joins_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "")

    monkeypatch.setattr(run_folder.os, "replace", fail)
    with pytest.raises(SystemFaultError, match="disk full"):
        create(tmp_path / "deep/run", join=True).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_made_is_a_fault_of_one_line(tmp_path):
    with (
        pytest.raises(SystemFaultError, match="absent: No such file"),
        opened(tmp_path / "absent/.lock"),
    ):
        pass
