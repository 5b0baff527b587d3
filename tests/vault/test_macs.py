from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.vault.entities import Fit, Image, Recipient, Record, Release
from fiftyone_reue.vault.ledger.macs import LedgerKeys, has_mac, member_value, row_mac
from fiftyone_reue.vault.ledger.rows import TABLES, Entity, Table, from_row, to_row

pytestmark = pytest.mark.unit

KEYS = LedgerKeys.of(bytes(range(32)))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TIME = st.floats(allow_nan=False)
JSON = st.dictionaries(
    TEXT, st.none() | st.booleans() | st.integers() | TIME | TEXT, max_size=3
)
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "bytes": st.binary(max_size=8),
    "float": TIME,
    "int": st.integers(),
    "float | None": st.none() | TIME,
    "str | None": st.none() | TEXT,
    "dict[str, Any]": JSON,
    "ReleaseState": st.sampled_from(["running", "done"]),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner),
    max_leaves=4,
)
KINDS = (Recipient, Fit, Release, Image, Record)


def entities(kind: type[Entity]) -> st.SearchStrategy[Any]:
    values = {f.name: OF_TYPE[str(f.type)] for f in fields(kind) if f.name != "mac"}
    return st.builds(kind, **values)


@pytest.mark.slow
@given(st.sampled_from(KINDS).flatmap(entities), st.sampled_from(list(TABLES)))
def test_a_row_keeps_its_mac_in_a_database(entity: Entity, table: Table) -> None:
    row = to_row(replace(entity, mac=row_mac(KEYS, table, entity)))
    assert has_mac(KEYS, table, from_row(type(entity), row))


@pytest.mark.slow
@given(st.data())
def test_every_change_of_a_field_changes_the_mac(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    entity = data.draw(entities(kind))
    name = data.draw(st.sampled_from([f.name for f in fields(kind) if f.name != "mac"]))
    value = data.draw(ANYTHING)
    other = replace(entity, **{name: value})
    was, now = getattr(entity, name), value
    same = repr(was) == repr(now) or (
        isinstance(was, float) and not isinstance(now, bool) and was == now
    )
    table: Table = "records"
    assert (row_mac(KEYS, table, entity) == row_mac(KEYS, table, other)) == same


def test_borders_and_tables_matter() -> None:
    one = Image("ab", b"d", "c", "e", 1, 2, b"")
    assert row_mac(KEYS, "images", one) != row_mac(
        KEYS, "images", replace(one, id="a", source="bc")
    )
    record = Record("i", "r", "s", "i", None, "", "", b"", b"", b"", 1.0, 1.0)
    assert row_mac(KEYS, "records", record) != row_mac(KEYS, "withdrawn", record)
    other = LedgerKeys.of(bytes(32))
    assert row_mac(KEYS, "records", record) != row_mac(other, "records", record)


def test_databases_may_give_ints_for_floats_and_lose_the_sign_of_zero() -> None:
    one = Fit("f", b"", "m", {}, 3.0)
    assert row_mac(KEYS, "fits", one) == row_mac(KEYS, "fits", replace(one, created=3))
    zero = replace(one, created=0.0)
    assert row_mac(KEYS, "fits", zero) == row_mac(
        KEYS, "fits", replace(one, created=-0.0)
    )


@pytest.mark.parametrize("mac", [b"", bytes(32), "text", None, 7])
def test_whatever_is_there_for_a_mac_is_refused(mac: Any) -> None:
    assert not has_mac(KEYS, "fits", Fit("f", b"", "m", {}, 3.0, mac=mac))


def test_what_a_row_adds_to_a_sum_needs_the_key() -> None:
    other = LedgerKeys.of(bytes(32))
    assert member_value(KEYS, b"a") != member_value(KEYS, b"b")
    assert member_value(KEYS, b"a") != member_value(other, b"a")
    assert 2**200 < member_value(KEYS, b"a") < 2**256
