"""Tracing and restoring with a ledger that somebody wrote without the owner key.

Before rows had MACs, swapped names accused the wrong recipient, and a missing recipient
ended every job with a KeyError.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.errors import LedgerUnavailableError, TamperedLedgerError
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_original

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Case:
    """A vault with releases to alice and bob, and leaks of both as JPEG."""

    root: Path

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Whoever may write the database."""
        with sqlite3.connect(self.root / "vault" / "ledger.sqlite") as attacker:
            return attacker.execute(statement, values).fetchall()

    def open(self) -> Vault:
        return open_folder(self.root / "vault")

    def extract(self, folder: str) -> ExtractSummary:
        vault = self.open()
        with vault.ledger:
            return finish(extract(vault, suspect_items(self.root / folder)))


@pytest.fixture(scope="module")
def built(tmp_path_factory, write_folder: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("tampered")
    source = write_folder(root / "source", classes=3, each=4, side=48)
    vault = create_folder(root / "vault", plain_key_file=True)
    with vault.ledger:
        for who in ("alice", "bob"):
            vault.add_recipient(who)
        for who in ("alice", "bob"):
            steps = protect(
                vault,
                who,
                labelled_items(source),
                root / who,
                name=who,
                source=str(source),
                config=ProtectConfig("lsp"),
            )
            assert not finish(steps).outcome.failures
            (root / f"leak-{who}").mkdir()
            for number, item in enumerate(image_items(root / who)):
                leaked = root / f"leak-{who}" / f"{number}.jpg"
                Image.open(item.path).save(leaked, quality=90)
    return root


@pytest.fixture
def case(built: Path, tmp_path: Path) -> Iterator[Case]:
    """The same, with a vault of its own to write to."""
    kept = tmp_path / "kept"
    shutil.copytree(built / "vault", kept)
    yield Case(built)
    shutil.rmtree(built / "vault")
    shutil.copytree(kept, built / "vault")


LEAKS = ["alice", "bob", "leak-alice", "leak-bob"]


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS)
def test_an_untouched_ledger_names_whose_copy_it_is(case, leak):
    summary = case.extract(leak)
    assert summary.named == leak.removeprefix("leak-")
    assert summary.ledger_problems == []
    assert summary.to_dict()["ledger_problems"] == []


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS)
def test_swapped_names_accuse_nobody(case, leak):
    for old, new in (("alice", "x"), ("bob", "alice"), ("x", "bob")):
        case.sql("UPDATE recipients SET name = ? WHERE name = ?", new, old)
    summary = case.extract(leak)
    assert summary.named is None
    assert len([p for p in summary.ledger_problems if "recipients, " in p]) == 2
    assert "reue vault check" in summary.ledger_problems[0]


@pytest.mark.parametrize("leak", LEAKS)
def test_swapped_seeds_accuse_nobody(case, leak):
    columns = "id, wrapped_code_seed"
    alice, bob = case.sql(f"SELECT {columns} FROM recipients ORDER BY name")
    for (one, _), (_, seed) in ((alice, bob), (bob, alice)):
        case.sql("UPDATE recipients SET wrapped_code_seed = ? WHERE id = ?", seed, one)
    assert case.extract(leak).named is None


@pytest.mark.parametrize("how", ["removed", "renamed"])
@pytest.mark.parametrize("leak", ["alice", "leak-alice"])
def test_a_bad_recipient_keeps_nobody_else_from_being_traced(case, leak, how):
    if how == "removed":
        case.sql("DELETE FROM recipients WHERE name = 'bob'")
    else:
        case.sql("UPDATE recipients SET name = 'robert' WHERE name = 'bob'")
    summary = case.extract(leak)
    assert summary.named == "alice"
    assert summary.evidence.p_value < 1e-6
    bob = [line for line in summary.ledger_problems if line.startswith("recipients, ")]
    assert len(bob) == 1
    assert ("'bob'" if how == "removed" else "'robert'") in bob[0]


@pytest.mark.parametrize("leak", ["bob", "leak-bob"])
def test_the_copy_of_a_removed_recipient_is_no_elses(case, leak):
    case.sql("DELETE FROM recipients WHERE name = 'bob'")
    summary = case.extract(leak)
    assert summary.named is None
    assert any("'bob'" in line for line in summary.ledger_problems)


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE images SET height = 60000 WHERE rowid > 1",
        "UPDATE images SET descriptor = x'00' WHERE rowid > 1",
        "UPDATE images SET height = 'x' WHERE rowid = 1",
        "DELETE FROM images WHERE rowid < 4",
        "UPDATE records SET blob = x'00' WHERE rowid < 4",
        "UPDATE records SET image_id = 'x' WHERE rowid < 4",
        "DELETE FROM records WHERE rowid < 4",
        "UPDATE releases SET output = '/'",
        "DELETE FROM releases",
        "DELETE FROM inventory",
    ],
)
@pytest.mark.parametrize("leak", ["bob", "leak-bob"])
def test_damaged_rows_never_accuse_another_and_never_crash(case, leak, statement):
    case.sql(statement)
    summary = case.extract(leak)
    assert summary.named in ("bob", None)
    assert summary.named == "bob" or "images" in statement or "records" in statement
    if "images" in statement or "inventory" in statement:
        assert summary.ledger_problems


def test_if_no_original_is_left_that_is_said(case):
    case.sql("UPDATE images SET height = 60000")
    with pytest.raises(TamperedLedgerError, match=r"no original left.*images, "):
        case.extract("leak-bob")


def test_the_owner_restores_what_has_nothing_to_do_with_a_bad_row(case, tmp_path):
    case.sql("DELETE FROM recipients WHERE name = 'bob'")
    vault = case.open()
    with vault.ledger:
        for who, done in (("alice", 12), ("bob", 0)):
            items = image_items(case.root / who)
            summary = finish(restore_original(vault, items, tmp_path / who))
            assert summary.outcome.done == done
        assert "ledger has lost" in summary.outcome.failures[0].reason


def test_no_release_is_begun_while_a_recipient_is_not_known(case, tmp_path):
    case.sql("DELETE FROM recipients WHERE name = 'bob'")
    vault = case.open()
    with vault.ledger:
        steps = protect(
            vault,
            "alice",
            labelled_items(case.root / "source"),
            tmp_path / "out",
            name="new",
            source="elsewhere",
            config=ProtectConfig("lsp"),
        )
        with pytest.raises(TamperedLedgerError, match="'bob'"):
            finish(steps)
    assert not (tmp_path / "out").exists()


def test_what_a_bad_row_keeps_from_being_read_is_undecided(case):
    """A tampered row isn't evidence that a copy was never handed out."""
    case.sql("DELETE FROM recipients WHERE name = 'bob'")
    summary = case.extract("bob")
    assert not any(suspect.image_id for suspect in summary.suspects)
    assert summary.verdict().startswith("Undecided: ")
    assert "None of these images matches" not in summary.verdict()
    assert summary.ledger_problems[0] in summary.verdict()
    assert summary.decision == summary.to_dict()["decision"] == "undecided"


@pytest.mark.slow
def test_a_leak_of_somebody_whose_row_is_bad_is_undecided(case):
    """Its images match, and it points to nobody who is left."""
    case.sql("UPDATE recipients SET revoked_at = 1 WHERE name = 'bob'")
    summary = case.extract("leak-bob")
    assert any(suspect.image_id for suspect in summary.suspects)
    assert (summary.decision, summary.named) == ("undecided", None)
    assert "point to nobody who is left" in summary.verdict()
    assert "'bob'" in summary.verdict()


@pytest.mark.slow
def test_a_bad_row_undoes_no_match(case):
    case.sql("DELETE FROM recipients WHERE name = 'bob'")
    summary = case.extract("leak-alice")
    assert (summary.decision, summary.named) == ("match", "alice")
    assert summary.ledger_problems


def swap_roots(case: Case, one: str, other: str) -> None:
    """Give the one's pages to the other, as whoever writes the file can."""
    with sqlite3.connect(case.root / "vault" / "ledger.sqlite") as attacker:
        attacker.execute("PRAGMA writable_schema = ON")
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        pages = [attacker.execute(query, [name]).fetchone()[0] for name in (one, other)]
        for name, page in zip((other, one), pages, strict=True):
            statement = "UPDATE sqlite_master SET rootpage = ? WHERE name = ?"
            attacker.execute(statement, [page, name])
    attacker.close()


@pytest.mark.parametrize("leak", ["bob", "leak-bob"])
def test_originals_that_are_not_found_by_their_ids_hide_no_leak(case, leak):
    """The verdict was that these images say nothing about anybody."""
    swap_roots(case, "sqlite_autoindex_images_1", "sqlite_autoindex_images_2")
    summary = case.extract(leak)
    assert summary.named is None
    assert summary.verdict().startswith("Undecided: ")
    assert any("doesn't find its row" in line for line in summary.ledger_problems)


@pytest.mark.parametrize("leak", ["bob", "leak-bob"])
def test_a_ledger_that_can_not_be_read_is_no_verdict(case, leak):
    """Neither is one whose server went away meanwhile."""
    swap_roots(case, "records", "withdrawn")
    with pytest.raises(LedgerUnavailableError):
        case.extract(leak)
