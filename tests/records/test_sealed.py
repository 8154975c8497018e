import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classward.core.errors import InputError
from classward.records.sealed import digest, seal, unseal

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TABLES = st.dictionaries(st.text().filter(lambda name: name != "sha256"), VALUES, min_size=1)


@given(TABLES)
def test_what_is_sealed_is_read_back(table):
    assert unseal(json.loads(seal(table)), "a.json", needed=True) == table


def test_keys_that_json_makes_text_are_sealed_as_text():
    told = json.loads(seal({"by_class": {10: 1, 9: 2}}))
    assert unseal(told, "a.json", needed=True) == {"by_class": {"10": 1, "9": 2}}


@given(TABLES, st.data())
def test_any_other_content_is_refused(table, data):
    told = json.loads(seal(table))
    name = data.draw(st.sampled_from(sorted(told)))
    changed = told | {name: [told[name]]}
    with pytest.raises(InputError, match=r"^a.json: damaged"):
        unseal(changed, "a.json", needed=True)


@pytest.mark.parametrize("told", [[], None, {}, {"sha256": digest({})}, 3, {"a": float("nan")}])
def test_what_is_no_table_is_refused(told):
    for needed in (True, False):
        with pytest.raises(InputError, match="damaged"):
            unseal(told, "a.json", needed=needed)


def test_an_old_file_has_no_seal_and_a_wrong_one_is_refused_there_too():
    assert unseal({"a": 1}, "a.json", needed=False) == {"a": 1}
    with pytest.raises(InputError):
        unseal({"a": 1}, "a.json", needed=True)
    with pytest.raises(InputError):
        unseal({"a": 1, "sha256": "0"}, "a.json", needed=False)
