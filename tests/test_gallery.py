"""The gallery shows every plot, with the code that drew it."""

import importlib.util
from pathlib import Path

import classward

ROOT = Path(__file__).parents[1]


def gallery():
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "results/gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_script():
    made = gallery()
    assert (made.FOLDER / "index.md").read_text() == made.page()
    assert {path.stem for path in made.FOLDER.glob("*.png")} == {
        plot.__name__ for plot in made.PLOTS
    }


def test_every_plot_is_shown():
    page = (ROOT / "docs/gallery/index.md").read_text()
    plots = [name for name in classward._WHERE if name.startswith("plot_")]
    assert [name for name in plots if f"ax = classward.{name}(" not in page] == []
