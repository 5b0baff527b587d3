"""Names that recipients are shown by, and revocations that were taken back."""

import sqlite3
from dataclasses import replace

import pytest

from fiftyone_reue.errors import (
    InputError,
    ReueError,
    RevokedKeyError,
    TamperedLedgerError,
)
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger
from fiftyone_reue.vault.recipient_events import (
    list_events,
    reinstate,
    rename,
)
from fiftyone_reue.vault.vault import Vault

pytestmark = pytest.mark.unit


def test_another_name_is_shown_and_nothing_else_changes(vault: Vault) -> None:
    before = vault.recipient("alice")
    key, seed = vault.recipient_key(before), vault.code_seed(before)
    rename(vault, "alice", "Alice of Example")
    rename(vault, "alice", "A. Smith")
    assert vault.names_shown() == {before.id: "A. Smith"}
    after = vault.recipient("alice")
    assert after == before
    assert (vault.recipient_key(after), vault.code_seed(after)) == (key, seed)
    assert vault.recipient("A. Smith") == after
    with pytest.raises(InputError, match="no recipient 'Alice of Example'; known are"):
        vault.recipient("Alice of Example")
    rename(vault, "alice", "")
    assert vault.names_shown() == {}
    said = [(one.what, one.name) for one in list_events(vault)]
    assert said == [
        ("shown as", "Alice of Example"),
        ("shown as", "A. Smith"),
        ("shown as", ""),
    ]


@pytest.mark.parametrize("taken", ["bob", "BOB", "Robert", "robert"])
def test_nobody_is_shown_by_the_name_of_somebody_else(vault: Vault, taken: str) -> None:
    rename(vault, "bob", "Robert")
    with pytest.raises(InputError, match="Somebody else is called"):
        rename(vault, "alice", taken)
    assert set(vault.names_shown()) == {vault.recipient("bob").id}
    rename(vault, "bob", "bob")  # their own


@pytest.mark.parametrize("name", ["a/b", "x" * 65, "\x1b[2J", " alice", "(published)"])
def test_a_name_that_nobody_could_have_is_not_shown(vault: Vault, name: str) -> None:
    with pytest.raises(InputError):
        rename(vault, "alice", name)
    assert vault.names_shown() == {}


@pytest.mark.parametrize("name", ["Alice", "ALICE"])
def test_nobody_new_is_called_as_somebody_but_for_capitals(
    vault: Vault, name: str
) -> None:
    with pytest.raises(InputError, match="There is 'alice' already, and a verdict"):
        vault.add_recipient(name)
    with pytest.raises(ReueError, match="alice"):
        vault.add_recipient("alice")


def test_spaces_make_no_other_name(vault: Vault) -> None:
    rename(vault, "bob", "Robert of Example")
    for name in ("Robert  of Example", "robert of  example"):
        with pytest.raises(InputError, match="bob is shown as 'Robert of Example'"):
            vault.add_recipient(name)
        with pytest.raises(InputError, match="Somebody else is called"):
            rename(vault, "alice", name)


def test_ones_own_name_is_no_other_name(vault: Vault) -> None:
    rename(vault, "bob", "Robert")
    rename(vault, "bob", "bob")
    assert vault.names_shown() == {}


@pytest.mark.parametrize("name", ["Robert", "robert"])
def test_nobody_new_is_called_what_somebody_is_shown_as(
    vault: Vault, name: str
) -> None:
    rename(vault, "bob", "Robert")
    with pytest.raises(InputError, match=r"bob is shown as 'Robert'.*rename"):
        vault.add_recipient(name)
    rename(vault, "bob", "Bobby")
    vault.add_recipient(name)
    assert set(vault.names_shown().values()) == {"Bobby"}


def test_a_name_that_a_new_recipient_has_is_shown_no_more(vault: Vault) -> None:
    """An older program added them."""
    rename(vault, "bob", "Robert")
    vault._add("robert")
    assert vault.names_shown() == {}


def test_a_revocation_is_taken_back_and_stays_in_the_history(vault: Vault) -> None:
    revoked = vault.revoke("alice")
    with pytest.raises(RevokedKeyError):
        vault.require_active(revoked)
    active = reinstate(vault, "alice")
    assert active == replace(revoked, revoked_at=None) == vault.recipient("alice")
    vault.require_active(active)
    again = vault.revoke("alice")
    events = list_events(vault)
    assert [one.what for one in events] == ["revoked", "reinstated", "revoked"]
    times = [one.time for one in events]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (revoked.revoked_at, again.revoked_at)


def test_who_is_not_revoked_is_not_reinstated(vault: Vault) -> None:
    with pytest.raises(InputError, match="alice isn't revoked"):
        reinstate(vault, "alice")
    vault.published()
    with pytest.raises(InputError, match="stands for everybody"):
        reinstate(vault, "(published)")
    assert list_events(vault) == []


def test_what_happened_is_sealed_and_missed_when_it_is_gone(vault: Vault) -> None:
    vault.revoke("alice")
    reinstate(vault, "alice")
    rename(vault, "bob", "Robert")
    (first, *_) = vault.ledger.papers("recipient")
    assert b"revoked" not in first.sealed
    raw = vault.ledger.raw
    raw._connection.execute("DELETE FROM papers WHERE id = ?", [first.id])
    list_events(vault)
    assert [one.table for one in vault.ledger.problems] == ["papers"]


def test_a_row_that_was_removed_is_not_covered_up(vault: Vault) -> None:
    rename(vault, "alice", "A1")
    rename(vault, "alice", "A2")
    raw = vault.ledger.raw
    (last,) = (one for one in raw.papers("recipient") if one.id.endswith("2"))
    remove(raw, last.id)
    with pytest.raises(TamperedLedgerError, match=r"-00000002 is missing"):
        rename(vault, "alice", "A3")
    assert any("00000002" in str(one) for one in vault.ledger.problems)


def test_a_row_in_between_is_not_written_over(vault: Vault) -> None:
    for shown in ("A1", "A2", "A3"):
        rename(vault, "alice", shown)
    remove(vault.ledger.raw, "recipient-00000002")
    rename(vault, "alice", "A4")
    assert [one.name for one in list_events(vault)] == ["A1", "A3", "A4"]
    assert any("00000002" in str(one) for one in vault.ledger.problems)


def remove(raw: Ledger, paper_id: str) -> None:
    """Take a row out as somebody does who has the file alone."""
    assert isinstance(raw, SqliteLedger)
    with sqlite3.connect(raw.path) as there:
        there.execute("delete from papers where id = ?", (paper_id,))
