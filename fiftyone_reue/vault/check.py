"""Check everything that a ledger holds against the vault's keys.

Every row's MAC, the sealed list of what there should be, the counter beside the owner
key; and what no MAC tells: that sealed boxes open, that what is referred to exists,
and that releases are committed to the recipients that there were.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from fiftyone_reue.errors import DamagedRecordError, ReueError, TamperedLedgerError
from fiftyone_reue.vault import crypto, records
from fiftyone_reue.vault.commitments import leaf_of, list_commitments
from fiftyone_reue.vault.entities import (
    LICENCE_OF,
    PAPER_KINDS,
    Recipient,
    Record,
    Release,
)
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.ledger.problems import Problem
from fiftyone_reue.vault.ledger.rows import Entity, Table, pages
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.commitment import leaf, merkle_root

_EVERY = 256
_OF_RELEASES: tuple[Table, Table] = ("records", "withdrawn")
_PAGE = 16  # of records, which may be as large as images


@dataclass(frozen=True)
class CheckReport:
    """What was found.

    Attributes:
        vault_id: whose.
        rows: how many good rows each table has.
        problems: what is wrong.
        notes: what limits the check itself.
    """

    vault_id: str
    rows: dict[str, int]
    problems: list[Problem]
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "vault": self.vault_id,
            "ok": not self.problems,
            "rows": self.rows,
            "problems": [problem.to_dict() for problem in self.problems],
            "notes": self.notes,
        }


def check(vault: Vault) -> Generator[int, None, CheckReport]:
    """Check a vault's ledger.

    Args:
        vault: the owner's; it is only read, but for what an interrupted run left
            half-entered.

    Yields:
        Now and then, how many rows are behind us.
    """
    checker = _Checker(vault)
    yield from checker.run()
    return CheckReport(
        vault.vault_id, checker.rows, vault.ledger.problems, _notes(vault)
    )


class _Checker:
    def __init__(self, vault: Vault) -> None:
        self.rows: dict[str, int] = {}
        self._vault = vault
        self._ledger = vault.ledger
        self._owner_keys = vault.derive_all("owner-box")
        self._recipient_of: dict[str, Recipient] = {}
        self._keys: dict[str, RecipientKey] = {}
        self._seeds: list[tuple[Recipient, bytes]] = []

    def run(self) -> Generator[int, None, None]:
        self._ledger.settle()
        self._ledger.note_damage()
        self._recipients()
        fits = self._fits()
        self._papers()
        releases = self._ledger.present_releases()
        self.rows["releases"] = len(releases)
        for release in releases:
            self._release(release, fits)
        behind = 0
        for _ in self._ledger.images():
            behind += 1
            if behind % _EVERY == 0:
                yield behind
        self.rows["images"] = behind
        self.rows["records"] = self.rows["withdrawn"] = 0
        for release in releases:
            for table in _OF_RELEASES:
                found = self._ledger.present_records(table, release.id)
                for page in pages(found, _PAGE):
                    ids = [record.image_id for record in page]
                    images = self._ledger.macs("images", ids)
                    for record in page:
                        self._record(table, record, release, record.image_id in images)
                    self.rows[table] += len(page)
                    behind += len(page)
                    yield behind

        yield from self._records_of_others({release.id for release in releases})

    def _records_of_others(self, good: set[str]) -> Generator[int, None, None]:
        """Records of releases whose row is bad or missing, and of none at all."""
        listed = self._ledger.inventory()
        others = set() if listed is None else set(listed.members["releases"]) - good
        for release_id in sorted(others):
            for table in _OF_RELEASES:
                for _ in self._ledger.present_records(table, release_id):
                    self.rows[table] += 1
                    yield sum(self.rows.values())
        self._ledger.note_strays(good | others)

    def _note(self, table: Table, entity: Entity, what: str) -> None:
        self._ledger.note_row(table, entity, what)

    def _recipients(self) -> None:
        recipients = self._vault.recipients()
        self.rows["recipients"] = len(recipients)
        self._recipient_of = {person.id: person for person in recipients}
        for person, key, seed in self._vault.known_recipients():
            self._keys[key.key_id] = key
            self._seeds.append((person, seed))
            if crypto.key_id(key.key) != person.key_id:
                self._note("recipients", person, "its key isn't the one that it names")

    def _fits(self) -> set[str]:
        fits = self._ledger.fits()
        self.rows["fits"] = len(fits)
        for fit in fits:
            try:
                self._vault.unseal("fit", fit.id, fit.sealed)
            except ReueError as error:
                self._note("fits", fit, str(error))
        return {fit.id for fit in fits}

    def _papers(self) -> None:
        self.rows["papers"] = 0
        for kind in PAPER_KINDS:
            for paper in self._ledger.papers(kind):
                self.rows["papers"] += 1
                try:
                    self._vault.unseal(kind, paper.id, paper.sealed)
                except ReueError as error:
                    self._note("papers", paper, str(error))

    def _release(self, release: Release, fits: set[str]) -> None:
        try:
            self._vault.unseal("release-seed", release.id, release.sealed_seed)
        except ReueError as error:
            self._note("releases", release, str(error))
        if release.recipient_id not in self._recipient_of:
            self._note(
                "releases", release, f"{_no('recipient')} {release.recipient_id}"
            )
        if release.fit_id is not None and release.fit_id not in fits:
            self._note("releases", release, f"{_no('fit')} {release.fit_id}")
        if not self._is_committed(release):
            self._note(
                "releases",
                release,
                "its commitment isn't that of the recipients that there were",
            )

    def _is_committed(self, release: Release) -> bool:
        """Whether a release is committed to recipients of this vault, step by step."""
        root = release.commitment
        known = {leaf_of(self._vault, person) for person, _ in self._seeds}
        try:
            commitments = list_commitments(self._vault, release.id)
        except (TamperedLedgerError, DamagedRecordError):
            return False  # which of them is lost was noted when papers were read
        for one in reversed(commitments):
            if one.root.hex() != root or not known.issuperset(one.recipients):
                return False
            root = one.previous.hex()
        return self._is_of_the_oldest(release, root)

    def _is_of_the_oldest(self, release: Release, root: str) -> bool:
        """Whether a root is over the oldest so many recipients.

        Clocks may have gone backwards, so that it isn't looked at who was there when.
        """
        leaves = [leaf(person.id, seed) for person, seed in self._seeds]
        before = [
            one
            for one, (person, _) in zip(leaves, self._seeds, strict=True)
            if person.created <= release.created
        ]
        if merkle_root(before).hex() == root:
            return True
        return any(
            merkle_root(leaves[:count]).hex() == root
            for count in range(len(leaves), 0, -1)
        )

    def _record(
        self, table: Table, record: Record, release: Release, has_image: bool
    ) -> None:
        if not has_image:
            self._note(table, record, f"{_no('image')} {record.image_id}")
        try:
            what = self._wrong_with(record, release)
        except ReueError as error:
            what = str(error)
        if what is not None:
            self._note(table, record, what)

    def _wrong_with(self, record: Record, release: Release) -> str | None:
        envelope = records.unpack(record.blob)
        header = envelope.header
        if LICENCE_OF in release.parameters:
            return self._wrong_with_licensed(record, release, envelope)
        if header.release != release.id or header.digest != record.digest_p:
            return "its sealed record belongs to another image or release"
        key = self._keys.get(header.key)
        if key is None or key.recipient_id != release.recipient_id:
            return "its sealed record is another recipient's"
        part = records.open_recipient(envelope, key.key, key.key_id)
        if part.digest != record.digest_w:
            return "its sealed record leads to another licensed copy"
        owner = self._opened(envelope, record.digest_w)
        if (owner.recipient_id, owner.image_id) != (key.recipient_id, record.image_id):
            return "its sealed record names another recipient or image"
        return None

    def _wrong_with_licensed(
        self, record: Record, release: Release, envelope: records.Envelope
    ) -> str | None:
        header = envelope.header
        if header.release != release.id or header.digest != record.digest_w:
            return "its sealed record belongs to another image or licence"
        if header.tier != "licensed" or record.digest_p:
            return "it is a protected copy's, where only licensed ones are"
        key = self._keys.get(header.key)
        owner = self._opened(envelope, record.digest_w)
        names = (owner.recipient_id, owner.image_id)
        if key is None or names != (release.recipient_id, record.image_id):
            return "its sealed record names another recipient or image"
        return None

    def _opened(self, envelope: records.Envelope, digest: bytes) -> records.OwnerPart:
        problem: ReueError | None = None
        release = envelope.header.release
        for key in records.release_keys(self._owner_keys, release):
            try:
                return records.open_owner(envelope, key, self._vault.vault_id, digest)
            except ReueError as error:
                problem = error
        assert problem is not None
        raise problem


def _no(what: str) -> str:
    return f"the ledger has no {what}"


def _notes(vault: Vault) -> list[str]:
    notes = [f"{where} can't be written" for where in vault.memo.unkept]
    if not vault.memo.places:
        notes.append(
            "Nothing is kept beside the owner key, so a ledger that was put back from "
            "a backup as a whole isn't noticed"
        )
    return notes
