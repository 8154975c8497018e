import re

from classward.reporting.bibtex import bibtex
from classward.reporting.references import papers, references


def entries(text):
    return [dict(re.findall(r"(\w+) = \{(.*)\},", entry)) for entry in text.split("\n\n")]


def test_every_paper_has_an_entry_of_its_own():
    shown = references(list(papers()))
    text = bibtex(shown)
    keys = re.findall(r"^@misc\{([a-z0-9]+),$", text, re.M)
    assert len(keys) == len(set(keys)) == len(shown)
    assert text.count("{") == text.count("}")
    for work, entry in zip(shown, entries(text), strict=True):
        assert entry["title"].strip("{}") in work
        assert entry["author"].split(" and ")[0] in work


def test_where_it_appeared_is_read_from_the_same_line():
    (madry,) = entries(bibtex(references(["pgd"])))
    assert (madry["eprint"], madry["year"]) == ("1706.06083", "2017") and "note" not in madry
    (carlini,) = entries(bibtex(references(["carlini_wagner"])))
    assert carlini["note"] == r"S\&P 2017" and carlini["author"] == "Carlini and Wagner"
    (mei,) = entries(bibtex(references(["symmetry_aware"])))
    assert (mei["note"], mei["year"]) == ("AAAI 2023", "2023") and "eprint" not in mei


def test_keys_are_plain_and_differ():
    works = {
        'Ödön et al., "The Same"': ["a: X 2018."],
        'Ödön et al., "Same Again"': ["b: 2018"],
    }
    assert re.findall(r"@misc\{(\w+),", bibtex(works)) == ["odon2018same", "odon2018sameb"]


def test_nothing_cited_is_nothing():
    assert bibtex({}) == ""
