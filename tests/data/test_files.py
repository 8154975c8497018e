import hashlib
import http.server
import os
import threading
from pathlib import Path

import pytest

from classward.core.errors import InputError, SystemFaultError
from classward.data.files import absent, download, find

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def served():
    """A server of files: /whole.bin, /cut.bin, which ends early, and nothing else."""

    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in ("/whole.bin", "/cut.bin") else 404)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:3000] if self.path == "/cut.bin" else CONTENT)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_downloads_land_whole_in_their_folder(served, home):
    path = download(f"{served}/whole.bin", SHA256, "mnist")
    assert path == home / "mnist" / "whole.bin" and path.read_bytes() == CONTENT
    assert left(home) == ["whole.bin"]


def test_a_download_is_never_seen_unfinished(served, home, monkeypatch):
    before_rename = []

    def move(source, target):
        before_rename.append((Path(source).read_bytes() == CONTENT, Path(target).exists()))
        os.replace(source, target)

    monkeypatch.setattr("shutil.move", move)
    download(f"{served}/whole.bin", SHA256)
    assert before_rename == [(True, False)]


def test_an_interrupted_download_leaves_nothing(served, home):
    with pytest.raises(SystemFaultError, match=r"cut.bin cannot be downloaded \(\w+Error\)"):
        download(f"{served}/cut.bin", SHA256)
    assert left(home) == []


def test_another_file_than_the_published_one_is_refused_with_both_digests(served, home):
    said = (
        rf"whole.bin is not the published file: expected SHA-256 {'0' * 12}, got {SHA256[:12]}"
    )
    with pytest.raises(SystemFaultError, match=said):
        download(f"{served}/whole.bin", "0" * 64)
    assert left(home) == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [("{served}/none.bin", "HTTPError"), ("https://data.invalid/none.bin", "ProxyError")],
)
def test_a_file_that_cannot_be_had_says_where_to_put_it(served, home, address, reason):
    with pytest.raises(SystemFaultError) as caught:
        download(address.format(served=served), SHA256)
    assert str(caught.value) == (
        f"none.bin cannot be downloaded ({reason}): put it into {home}, "
        "or name its folder in CLASSWARD_DATA"
    )


def test_a_folder_that_cannot_be_made_is_told(served, home):
    home.write_text("a file, not a folder")
    with pytest.raises(SystemFaultError, match="cannot be downloaded"):
        download(f"{served}/whole.bin", SHA256, "mnist")


@pytest.fixture
def folders(tmp_path, home, monkeypatch):
    places = [tmp_path / "root", tmp_path / "environment", home, tmp_path / "system"]
    for place in places:
        place.mkdir()
    monkeypatch.setenv("CLASSWARD_DATA", str(places[1]))
    return places


@pytest.mark.parametrize("first", range(4))
def test_folders_are_searched_in_their_order(folders, first):
    for place in folders[first:]:
        (place / "a.zip").touch()
    assert find(["a.zip"], folders[0], folders[3]) == folders[first] / "a.zip"


def test_the_preferred_name_wins_within_a_folder_alone(folders):
    for place, name in [(0, "b.zip"), (1, "a.zip"), (1, "b.zip")]:
        (folders[place] / name).touch()
    assert find(["a.zip", "b.zip"], folders[0]) == folders[0] / "b.zip"
    assert find(["a.zip", "b.zip"], None) == folders[1] / "a.zip"
    assert find(["c.zip"], folders[0]) is None


def test_a_named_folder_that_is_none_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="root names no folder: .*missing"):
        find(["a.zip"], tmp_path / "missing")
    monkeypatch.setenv("CLASSWARD_DATA", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="CLASSWARD_DATA names no folder: .*gone"):
        find(["a.zip"], None)


def test_the_users_folder_is_that_of_the_platform(monkeypatch, tmp_path, home):
    assert str(home) in str(absent("a.zip"))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert "classward" in str(absent("a.zip"))
