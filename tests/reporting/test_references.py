from importlib import resources

from classward.reporting.references import ROOMS, _named, papers, references

DOCSTRING = '''"""An attack.

Paper: One et al., "First
Title", 2020, Eq. 1.
Reading: how it was read.
Papers: Two et al., "Second", 2021.
"""
'''


def test_papers_are_read_from_the_docstring():
    assert _named(DOCSTRING) == [
        'One et al., "First Title", 2020, Eq. 1.',
        'Two et al., "Second", 2021.',
    ]
    assert _named("import os\n") == []


def test_names_files_classes_and_variants_lead_to_the_same_paper():
    (work,) = references(["pgd"])
    assert work.startswith("Madry et al.")
    assert references(["PGD(steps=20) on margin"]) == references(["pgd_margin"])
    assert references(["pgd", "PGD()"]) == references(["pgd"])


def test_what_has_no_paper_has_no_reference():
    assert references(["no_such_method", "", "???"]) == {}


def test_one_paper_is_listed_once_with_all_its_places():
    found = references(["symmetry", "attack_matrix"])
    (places,) = found.values()
    assert [place.split(":")[0] for place in places] == ["attack_matrix", "symmetry"]


def test_every_method_file_is_found():
    files = [
        file.name.removesuffix(".py")
        for room in ROOMS
        for file in resources.files("classward").joinpath(room).iterdir()
        if file.name.endswith(".py") and file.name != "__init__.py"
    ]
    assert set(files) <= set(papers())
