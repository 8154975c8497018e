"""Every block of code in the tutorials, run in order in an empty folder, as a reader would."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from classward.cli.main import run

PAGES = sorted((Path(__file__).parents[1] / "docs/tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)(?: title=\"([\w.]+)\")?\n(.*?)^```$", re.M | re.S)
EXIT = re.compile(r"#\s*exit (\d+)\s*$")


def commands(block):
    """Arguments and exit code of each command: that of `# exit 1` at the end, or 0."""
    for line in block.replace("\\\n", " ").splitlines():
        word, *arguments = shlex.split(line, comments=True)
        assert word == "classward", f"cannot run {line!r}"
        said = EXIT.search(line)
        yield arguments, int(said[1]) if said else 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_runs_as_it_is_written(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, seen = page.read_text(), {"__name__": "tutorial"}
    blocks = list(BLOCK.finditer(text))
    assert blocks
    with torch.random.fork_rng():
        for block in blocks:
            language, file, code = block.groups()
            if file:
                Path(file).write_text(code)
            elif language == "python":
                above = "\n" * text.count("\n", 0, block.start(3))  # so that errors name lines
                exec(compile(above + code, str(page), "exec"), seen)
            elif language == "sh":
                for arguments, code_said in commands(code):
                    assert run(arguments) == code_said, shlex.join(arguments)


def test_there_is_a_tutorial_for_each_kind_of_user():
    assert [page.stem for page in PAGES] == ["from_logits", "release_gate", "researcher"]
