"""The manifest of a run: what was asked, so that only the same question is gone on with."""

import json
from pathlib import Path
from typing import Any

from classward.core.errors import InputError
from classward.records.sealed import SCHEMA, unseal


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the run in this folder.

    Raises:
        InputError: If there is none, or it is damaged.
    """
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        schema, kind = manifest["schema"], manifest.get("kind")
    except FileNotFoundError:
        raise InputError(f"{path}: not a run folder (no manifest.json in it)") from None
    except NotADirectoryError:
        raise InputError(f"{path}: a file, expected a run folder") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path / 'manifest.json'}: damaged, not a manifest") from None
    if schema not in range(1, SCHEMA + 1):
        raise InputError(f"{path}: run of schema {schema}, this version reads up to {SCHEMA}")
    manifest = unseal(manifest, path / "manifest.json", needed=sealed_run(manifest))
    if not isinstance(kind, str) or not isinstance(manifest.get("settings"), dict):
        raise InputError(f"{path / 'manifest.json'}: damaged, says no kind and settings")
    return manifest


def sealed_run(manifest: dict[str, Any]) -> bool:
    """Whether the JSON files of the run carry digests."""
    return manifest["schema"] > 1


def check_resumable(path: str | Path, kind: str, known: dict[str, Any]) -> None:
    """Whether a run that may be here can be gone on with; says so before any work is done.

    Args:
        path: The folder; one without a run is fine.
        kind: What the run is.
        known: The settings that are known so far, plain JSON values.

    Raises:
        InputError: If a run of another kind or with other settings is there.
    """
    path = Path(path)
    if (path / "manifest.json").exists():
        known = json.loads(json.dumps(known, allow_nan=False))
        check_same(path, kind, read_manifest(path)["settings"] | known)


def check_same(path: Path, kind: str, settings: dict[str, Any]) -> None:
    """Refuse to go on with a run as another one.

    Raises:
        InputError: If the run there is of another kind or has other settings.
    """
    there = read_manifest(path)
    if there["kind"] != kind:
        raise InputError(f"{path}: a run of '{there['kind']}', cannot go on as '{kind}'")
    for name in there["settings"] | settings:
        old, new = there["settings"].get(name), settings.get(name)
        if old != new:
            raise InputError(
                f"{path}: cannot go on, its {name} is {_short(old)}, now {_short(new)}"
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
