from hypothesis import given
from hypothesis import strategies as st

from classward.reporting.wording import label, listed, printable


@given(text=st.text(st.characters(), max_size=60), width=st.integers(1, 40))
def test_text_of_strangers_is_short_visible_and_on_one_line(text, width):
    shown = printable(text, width)
    assert len(shown) <= width and shown.isprintable()
    assert printable(shown, width) == shown
    shown.encode()  # no surrogates


@given(text=st.text(st.characters(categories=["L", "N", "P"]), max_size=40))
def test_plain_text_is_left_alone(text):
    assert printable(text) == text


def test_a_long_name_is_cut_once_for_all():
    assert label("x" * 10_000, width=24) == "x" * 23 + "…"
    assert label("\u202e") == "\ufffd"


def test_many_names_are_counted():
    assert listed([str(i) for i in range(9)], most=3) == "0, 1, 2 and 6 more"
    assert listed([]) == ""
