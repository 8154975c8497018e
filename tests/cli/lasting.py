"""What of a run must not differ from one time to another."""

import hashlib
import json

from classward.records.locks import is_lock

TIMES = ("seconds", "sha256", "training_seconds")


def content(out):
    """Digest of every file of a folder, or of the file itself, without its times."""
    paths = sorted(out.rglob("*")) if out.is_dir() else [out]
    return {
        str(path.relative_to(out)): hashlib.sha256(_lasting(path)).hexdigest()
        for path in paths
        if path.is_file() and not is_lock(path) and not path.match("notes-*.json")
        if path.suffix != ".html"  # of the result beside it
    }


def _lasting(path):
    read = path.read_bytes()
    if path.suffix != ".json" or path.name.startswith("shard"):
        return read
    return json.dumps(_without_times(json.loads(read))).encode()


def _without_times(value):
    if isinstance(value, list):
        return [_without_times(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _without_times(of) for key, of in value.items() if key not in TIMES}
    return value
