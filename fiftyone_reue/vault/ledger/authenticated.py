"""A ledger that notices what was written without the owner's key.

It wraps the ledger of a database and is one itself. Whatever is put gets a MAC, and
is entered in the sealed :mod:`inventory <fiftyone_reue.vault.ledger.inventory>`;
whatever is read is checked. Rows that fail are left out of lists and noted in
:attr:`AuthenticatedLedger.problems`, so that the others can still be used; asked for
by itself, such a row is an error.

Row and inventory must change together, or an interruption would look like tampering:

- SQLite writes both in one transaction.
- MongoDB has none on a single server. Under a lock, the inventory is written with what
  is about to change and both MACs of each row, then the rows, then the inventory
  without. Whoever finds such a list later, under the lock, enters those of the changes
  that arrived. A deletion is finished instead.

A reader takes no lock: rows and inventory are read one after the other and may differ
because of a writer between. Only where they differ, both are read again under the
lock, and what still differs is a problem.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from fiftyone_reue.errors import (
    DamagedRecordError,
    TamperedLedgerError,
    VaultError,
    WrongKeyError,
)
from fiftyone_reue.vault.entities import (
    PAPER_KINDS,
    Fit,
    Image,
    Paper,
    Recipient,
    Record,
    Release,
)
from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.ledger.inventory import (
    IMAGES,
    MEMBERS,
    Change,
    Deletion,
    Inventory,
    Member,
    Sum,
    name_of,
    scope_of,
)
from fiftyone_reue.vault.ledger.macs import (
    LedgerKeys,
    has_mac,
    is_usable,
    member_value,
    row_mac,
)
from fiftyone_reue.vault.ledger.problems import (
    BACKUP,
    DOUBLED,
    MISSING,
    NOT_ASKED_FOR,
    OLDER,
    REPAIR,
    STRAY,
    UNLISTED,
    Problem,
    quoted,
    row_of,
    wrong_with,
)
from fiftyone_reue.vault.ledger.rows import (
    E,
    Each,
    Entity,
    Key,
    Table,
    age,
    as_read,
    cut_short,
    key_of,
    pages,
    parsed,
)
from fiftyone_reue.vault.memo import Memo

_MOST_PROBLEMS = 10_000
_MORE = Problem("ledger", "", f"there are more problems than these; {BACKUP}")
_SOME = 16  # rows, which may be as large as images
L = TypeVar("L", Recipient, Fit, Paper, Release)


class AuthenticatedLedger:
    """See the module; implements :class:`~fiftyone_reue.vault.ledger.base.Ledger`.

    Args:
        raw: the database's
        vault_id: whose
        keys: what authenticates it
        memo: what is kept beside the owner key
        is_shut_out: tells whether the keys were replaced since

    Attributes:
        raw: the database's, which checks nothing
        problems: what was found to be wrong so far, each thing once
    """

    def __init__(
        self,
        raw: Ledger,
        vault_id: str,
        keys: LedgerKeys,
        memo: Memo,
        is_shut_out: Callable[[], bool] = lambda: False,
    ) -> None:
        self.raw = raw
        self._vault_id = vault_id
        self._keys = keys
        self._memo = memo
        self._is_shut_out = is_shut_out
        self._noted: dict[Problem, None] = {}
        self._noting = threading.Lock()
        self._known: tuple[bytes | None, Inventory | None] = (None, None)

    def __repr__(self) -> str:
        return f"AuthenticatedLedger({self.raw!r})"

    @property
    def problems(self) -> list[Problem]:
        """See the class."""
        with self._noting:
            return list(self._noted)

    def note(self, table: str, row: str, what: str) -> None:
        """Add to the problems, of which anybody could make more than memory holds."""
        problem = Problem(table, row, what)
        with self._noting:
            if len(self._noted) >= _MOST_PROBLEMS and problem not in self._noted:
                problem = _MORE if table != "ledger" else problem
            self._noted.setdefault(problem)

    def note_row(self, table: Table, entity: Entity, what: str) -> None:
        """Add a row to the problems."""
        self.note(table, row_of(table, entity), what)

    # -- the inventory

    def inventory(self) -> Inventory | None:
        """The ledger's list as it is now; not to be changed.

        None if there is none that can be trusted, which is noted: removed rows and
        rows from a backup can't be told then. So no release and none of its records
        is believed, and nothing is written, until the list is put back.

        Raises:
            VaultError: the owner key was rotated since the vault was opened.
        """
        # Before the list is read: what is remembered was in the ledger by then, also if
        # another thread or process writes at this moment.
        least = self._memo.counter
        sealed = self.raw.get_inventory()
        known, inventory = self._known
        if sealed is None or sealed != known:
            inventory = self._open(sealed)
            self._known = sealed, inventory
        if inventory is not None and inventory.counter < least:
            self.note("ledger", "", _rolled_back(inventory.counter, least))
            return None
        return inventory

    def _open(self, sealed: bytes | None) -> Inventory | None:
        if sealed is None:
            self.note("ledger", "", f"the list of its rows is missing; {REPAIR}")
            return None
        try:
            return Inventory.opened(self._keys, self._vault_id, sealed)
        except (DamagedRecordError, TypeError, WrongKeyError):
            if self._is_shut_out():
                raise VaultError(
                    "The owner key was replaced since this vault was opened; open it "
                    "again with the new one"
                ) from None
            self.note("ledger", "", f"the list of its rows was changed; {REPAIR}")
            return None

    def require_sound(self) -> Inventory:
        """The list, where decisions need it.

        Raises:
            TamperedLedgerError: there is none that can be trusted.
        """
        inventory = self.inventory()
        if inventory is None:
            raise self._without_list()
        return inventory

    def _without_list(self) -> TamperedLedgerError:
        of_all = [one for one in self.problems if one.table == "ledger"]
        return TamperedLedgerError(
            f"The ledger isn't as the owner left it: {of_all[-1]}"
        )

    def _put(self, inventory: Inventory) -> bytes:
        inventory.counter += 1
        sealed = inventory.sealed(self._keys, self._vault_id)
        self.raw.put_inventory(sealed)
        return sealed

    def remember(self) -> None:
        """Keep the list as it is now beside the owner key, if it can be trusted."""
        inventory = self.inventory()
        if inventory is not None:
            sealed = self._known[0] if inventory is self._known[1] else None
            whole = sealed if inventory.pending is None else None
            self._memo.keep_counter(inventory.counter, whole or b"")

    def _settled(self) -> Inventory:
        """A copy of the list with nothing pending; the lock must be held."""
        self.require_sound()
        sealed = self.raw.get_inventory()
        assert sealed is not None
        inventory = Inventory.opened(self._keys, self._vault_id, sealed)
        pending = inventory.pending
        if pending is None:
            return inventory
        if isinstance(pending, Deletion):
            self.raw.delete_release(pending.release_id)
            inventory.apply_deletion(pending)
        else:
            inventory.apply(self._keys, self._arrived(pending))
        inventory.pending = None
        self._put(inventory)
        return inventory

    def settle(self) -> None:
        """Enter or finish what an interrupted writer had begun."""
        if self.inventory() is not None:
            with self.raw.exclusive():
                self._settled()

    def _arrived(self, pending: list[Change]) -> list[Change]:
        """Those of an interrupted writer's changes that are in the rows."""
        tables = {change.table for change in pending}
        there = {
            table: self.raw.macs(table, [c.key for c in pending if c.table == table])
            for table in tables
        }
        return [c for c in pending if there[c.table].get(c.key) != c.old]

    @contextmanager
    def _writable(self) -> Iterator[tuple[Inventory, bool]]:
        with self.raw.exclusive() as atomic:
            inventory = self._settled()
            if inventory.rotating:
                raise VaultError(
                    "The owner key is being replaced, or that was interrupted; run "
                    "`reue keys rotate` again to finish it, then go on"
                )
            yield inventory, atomic

    def _write(
        self,
        changes: Callable[[], list[Change]],
        write: Callable[[], None],
        *,
        remember: bool = False,
    ) -> None:
        with self._writable() as (inventory, atomic):
            todo = changes()
            if not atomic:
                inventory.pending = todo
                self._put(inventory)
            write()
            inventory.apply(self._keys, todo)
            inventory.pending = None
            sealed = self._put(inventory)
        if remember:
            self._memo.keep_counter(inventory.counter, sealed)

    def _putting(self, table: Table, entities: Sequence[E]) -> list[Change]:
        old = self.raw.macs(table, [key_of(table, entity) for entity in entities])
        return [
            Change(
                table,
                scope_of(table, entity),
                key_of(table, entity),
                old.get(key_of(table, entity)),
                entity.mac,
                name_of(entity) if table in MEMBERS else "",
            )
            for entity in entities
        ]

    def _with_macs(self, table: Table, entities: Iterable[E]) -> list[E]:
        """With MACs, and only the last one of each key."""
        last = {key_of(table, entity): entity for entity in entities}
        return [
            replace(entity, mac=row_mac(self._keys, table, entity))
            for entity in last.values()
        ]

    # -- checking

    def _good(self, table: Table, entities: Iterable[E]) -> Iterator[E]:
        """Those whose MAC is right; the others are noted."""
        for entity in entities:
            if has_mac(self._keys, table, entity):
                yield entity
            else:
                self._require_no_rotation()
                self.note(
                    table,
                    row_of(table, entity),
                    f"{wrong_with(table, entity)}; {BACKUP}",
                )

    def _note_doubled(self, table: Table, entity: Entity) -> None:
        self.note_row(table, entity, f"{DOUBLED}; {BACKUP}")

    def _once(self, table: Table, entities: Iterable[E]) -> Iterator[E]:
        """Each once, where doubled ones follow each other; the others are noted."""
        last: Key | None = None
        for entity in entities:
            if key_of(table, entity) == last:
                self._note_doubled(table, entity)
            else:
                last = key_of(table, entity)
                yield entity

    def _asked_for(
        self, table: Table, entities: Iterable[E], wanted: Callable[[E], bool]
    ) -> Iterator[E]:
        """Those that are what was asked for; the others are noted.

        Which rows a query gives is the database's word, and an index or a collation
        can be made to give others, whose MACs are right.
        """
        for entity in entities:
            if wanted(entity):
                yield entity
            else:
                self.note(table, row_of(table, entity), f"{NOT_ASKED_FOR}; {BACKUP}")

    def _one(
        self, table: Table, entity: E | None, wanted: Callable[[E], bool]
    ) -> E | None:
        if entity is None:
            return None
        row = row_of(table, entity)
        for good in self._good(table, [entity]):
            for found in self._asked_for(table, [good], wanted):
                return found
            raise _tampered(Problem(table, row, NOT_ASKED_FOR))
        raise _tampered(Problem(table, row, wrong_with(table, entity)))

    def _require_no_rotation(self) -> None:
        """Make sure that a MAC fails for another reason than that it was replaced."""
        inventory = self.inventory()
        if inventory is not None and inventory.rotating:
            raise VaultError(
                "The owner key is being replaced; wait until that is done, then open "
                "the vault again"
            )

    def _listed(
        self, table: Table, read: Callable[[], list[L]], name: str | None = None
    ) -> list[L]:
        """All good members of a table; what is wrong with the others is noted.

        Args:
            table: which
            read: gives its rows
            name: only members that are listed under this name are read
        """
        rows = read()
        bad, found = self._judged(table, rows, self.inventory(), name)
        if found:
            with self.raw.exclusive():
                inventory = None if self.inventory() is None else self._settled()
                rows = read()
                bad, found = self._judged(table, rows, inventory, name)
            if found:
                self._require_no_rotation()
        for problem in found:
            self.note(problem.table, problem.row, problem.what)
        return [parsed(row) for index, row in enumerate(rows) if index not in bad]

    def _judged(
        self,
        table: Table,
        rows: Sequence[L],
        inventory: Inventory | None,
        name: str | None,
    ) -> tuple[set[int], list[Problem]]:
        """Which of the rows are bad, and what is wrong, missing ones included."""
        listed = None if inventory is None else inventory.members[table]
        bad, found = set(), []
        good: set[str] = set()
        for index, row in enumerate(rows):
            what = self._wrong(table, row, listed)
            if what is None and row.id in good:
                what = DOUBLED
            if what is None:
                good.add(row.id)
            if what is not None:
                bad.add(index)
                found.append(Problem(table, row_of(table, row), f"{what}; {BACKUP}"))
        there = {row.id for row in rows if isinstance(row.id, str)}
        for one, member in (listed or {}).items():
            if one not in there and name in (None, member.name):
                row_name = f"{quoted(member.name)} ({one})"
                found.append(Problem(table, row_name, f"{MISSING}; {BACKUP}"))
        return bad, found

    def _wrong(
        self, table: Table, row: L, listed: dict[str, Member] | None
    ) -> str | None:
        if not has_mac(self._keys, table, row):
            return wrong_with(table, row)
        if listed is None:
            return None
        member = listed.get(row.id)
        if member is None:
            return UNLISTED
        return None if member.mac == row.mac else OLDER

    def _member(
        self,
        table: Table,
        read: Callable[[], L | None],
        wanted: Callable[[str, Member], bool],
    ) -> L | None:
        """One member; `wanted` tells which, by id and what is listed.

        Raises:
            TamperedLedgerError: it isn't as the owner left it, or is missing.
        """
        row = read()
        problem = self._problem_with(table, row, wanted, self.inventory())
        if problem is not None:
            with self.raw.exclusive():
                inventory = None if self.inventory() is None else self._settled()
                row = read()
                problem = self._problem_with(table, row, wanted, inventory)
        if problem is None:
            return None if row is None else parsed(row)
        self._require_no_rotation()
        self.note(problem.table, problem.row, f"{problem.what}; {BACKUP}")
        raise _tampered(problem)

    def _problem_with(
        self,
        table: Table,
        row: L | None,
        wanted: Callable[[str, Member], bool],
        inventory: Inventory | None,
    ) -> Problem | None:
        listed = None if inventory is None else inventory.members[table]
        if row is not None:
            what = self._wrong(table, row, listed)
            if what is None and not wanted(row.id, Member(row.mac, name_of(row))):
                what = NOT_ASKED_FOR
            return None if what is None else Problem(table, row_of(table, row), what)
        for one, member in (listed or {}).items():
            if wanted(one, member):
                return Problem(table, f"{quoted(member.name)} ({one})", MISSING)
        return None

    def _counted(
        self, table: Table, scope: str, what: str, read: Iterator[E]
    ) -> Iterator[E]:
        """The good ones of a whole set, which is compared with its sum at the end.

        That can't be told where something was written meanwhile.
        """
        before = self.raw.get_inventory()
        total = Sum()
        bad = 0
        last: Key | None = None
        for entity in read:
            if has_mac(self._keys, table, entity):
                if key_of(table, entity) == last:
                    self._note_doubled(table, entity)
                    continue
                last = key_of(table, entity)
                total = total.plus(member_value(self._keys, entity.mac))
                yield entity
                continue
            self._require_no_rotation()
            bad += 1
            self.note(
                table, row_of(table, entity), f"{wrong_with(table, entity)}; {BACKUP}"
            )
        inventory = self.inventory()
        if inventory is None or inventory.pending is not None:
            return
        expected = inventory.sum_of(scope)
        if total == expected or self.raw.get_inventory() != before:
            return
        if not bad or total.count + bad != expected.count:
            self.note(table, what, f"{_differ(total.count, expected.count)}; {BACKUP}")

    # -- meta

    def get_meta(self) -> dict[str, Any] | None:
        """See :class:`~fiftyone_reue.vault.ledger.base.Ledger`, also for the rest."""
        return self.raw.get_meta()

    def create_meta(self, meta: dict[str, Any]) -> None:
        self.raw.create_meta(meta)

    def put_meta(self, meta: dict[str, Any]) -> None:
        self.raw.put_meta(meta)

    # -- recipients

    def put_recipient(self, recipient: Recipient) -> None:
        (row,) = self._with_macs("recipients", [recipient])
        self._write(
            lambda: self._putting("recipients", [row]),
            lambda: self.raw.put_recipient(row),
            remember=True,
        )

    def recipient(self, recipient_id: str) -> Recipient | None:
        return self._member(
            "recipients",
            lambda: self.raw.recipient(recipient_id),
            lambda one, member: one == recipient_id,
        )

    def recipient_by_name(self, name: str) -> Recipient | None:
        return self._member(
            "recipients",
            lambda: self.raw.recipient_by_name(name),
            lambda one, member: member.name == name,
        )

    def recipients(self) -> list[Recipient]:
        return self._listed("recipients", self.raw.recipients)

    # -- fits

    def put_fit(self, fit: Fit) -> None:
        (row,) = self._with_macs("fits", [fit])
        self._write(
            lambda: self._putting("fits", [row]),
            lambda: self.raw.put_fit(row),
            remember=True,
        )

    def fit(self, fit_id: str) -> Fit | None:
        return self._member(
            "fits", lambda: self.raw.fit(fit_id), lambda one, member: one == fit_id
        )

    def fits(self, each: Each[Fit] = as_read) -> list[Fit]:
        # Each may be as large as an image, and anybody can have put many there.
        def believed(fit: Fit) -> Fit:
            return fit if has_mac(self._keys, "fits", fit) else cut_short(fit)

        return [
            each(one) for one in self._listed("fits", lambda: self.raw.fits(believed))
        ]

    # -- papers

    def put_paper(self, paper: Paper) -> None:
        listed = self.inventory()
        known = listed is not None and paper.id in listed.members["papers"]
        if known and not self.raw.macs("papers", [key_of("papers", paper)]):
            raise TamperedLedgerError(
                f"The ledger's row {paper.id} is missing, and no other may take its "
                "place: somebody without the owner key removed it; restore the ledger "
                "from a backup"
            )
        (row,) = self._with_macs("papers", [paper])
        self._write(
            lambda: self._putting("papers", [row]),
            lambda: self.raw.put_paper(row),
            remember=True,
        )

    def papers(self, kind: str, each: Each[Paper] = as_read) -> list[Paper]:
        def believed(paper: Paper) -> Paper:
            good = has_mac(self._keys, "papers", paper)
            return paper if good else cut_short(paper)

        found = self._listed("papers", lambda: self.raw.papers(kind, believed), kind)
        # Which rows a query gives is the database's word.
        return [
            each(one)
            for one in self._asked_for("papers", found, lambda one: one.kind == kind)
        ]

    # -- releases

    def put_release(self, release: Release) -> None:
        (row,) = self._with_macs("releases", [release])
        self._write(
            lambda: self._putting("releases", [row]),
            lambda: self.raw.put_release(row),
            remember=True,
        )

    def release(self, release_id: str) -> Release | None:
        self.require_sound()
        return self._member(
            "releases",
            lambda: self.raw.release(release_id),
            lambda one, member: one == release_id,
        )

    def releases(self, recipient_id: str | None = None) -> list[Release]:
        self.require_sound()
        found = self.present_releases()
        return [
            one
            for one in found
            if recipient_id is None or one.recipient_id == recipient_id
        ]

    def present_releases(self) -> list[Release]:
        """Those with a good row, also where no list tells whether they were removed.

        For checks: nothing may be decided on their word.
        """
        return self._listed("releases", self.raw.releases)

    def delete_release(self, release_id: str) -> None:
        with self._writable() as (inventory, atomic):
            images = inventory.sum_of(IMAGES)
            for mac in self.raw.images_of_only(release_id):
                images = images.minus(member_value(self._keys, mac))
            deletion = Deletion(release_id, images)
            if not atomic:
                inventory.pending = deletion
                self._put(inventory)
            self.raw.delete_release(release_id)
            inventory.apply_deletion(deletion)
            inventory.pending = None
            sealed = self._put(inventory)
        self._memo.keep_counter(inventory.counter, sealed)

    # -- images

    def put_images(self, images: Sequence[Image]) -> None:
        rows = self._with_macs("images", images)
        if rows:
            self._write(
                lambda: self._putting("images", rows),
                lambda: self.raw.put_images(rows),
            )

    def image(self, image_id: str) -> Image | None:
        found = self.raw.image(image_id)
        return self._one("images", found, lambda one: one.id == image_id)

    def image_by_digest(self, digest: bytes) -> Image | None:
        found = self.raw.image_by_digest(digest)
        return self._one("images", found, lambda one: one.digest == digest)

    def find_images(self, image_ids: Iterable[str]) -> list[Image]:
        ids = list(image_ids)
        wanted = set(ids)
        found = self._good("images", self.raw.find_images(ids))
        return list(self._asked_for("images", found, lambda one: one.id in wanted))

    def images(self) -> Iterator[Image]:
        return self._counted("images", IMAGES, "all of them", self.raw.images())

    def image_macs(self) -> Iterator[tuple[str, bytes]]:
        """Unchecked; see :meth:`images_sum`."""
        return self.raw.image_macs()

    def images_sum(self, macs: Iterable[bytes]) -> Sum:
        """Of images with these MACs. Where it is :meth:`images_expected`, they are all
        that there should be and no others: what somebody else wrote into the database
        has no MAC of that sum."""
        total = Sum()
        for mac in macs:
            total = total.plus(member_value(self._keys, mac))
        return total

    def images_expected(self) -> Sum | None:
        """How many images there should be, and which; None if that can't be told."""
        inventory = self.inventory()
        if inventory is None or inventory.pending is not None:
            return None
        return inventory.sum_of(IMAGES)

    # -- records

    def put_records(self, records: Sequence[Record]) -> None:
        rows = self._with_macs("records", records)
        if rows:
            self._write(
                lambda: self._putting("records", rows),
                lambda: self.raw.put_records(rows),
            )

    def record(self, record_id: str) -> Record | None:
        found = self._one(
            "records", self.raw.record(record_id), lambda one: one.id == record_id
        )
        if found is not None:
            self.require_sound()
        if found is not None and not self._is_listed(found.release_id):
            raise _tampered(Problem("records", row_of("records", found), STRAY))
        return found

    def records(
        self, release_id: str, sample_ids: Iterable[str] | None = None
    ) -> Iterator[Record]:
        self.require_sound()
        if not self._is_listed(release_id):
            return self._strays_of("records", self.raw.records(release_id, sample_ids))
        if sample_ids is not None:
            wanted = set(sample_ids)
            good = self._good("records", self.raw.records(release_id, wanted))
            return self._asked_for(
                "records",
                self._once("records", good),
                lambda one: one.release_id == release_id and one.sample_id in wanted,
            )
        return self.present_records("records", release_id)

    def present_records(self, table: Table, release_id: str) -> Iterator[Record]:
        """A release's good rows, also where no list tells whether it was removed.

        For checks: nothing may be decided on their word.

        Args:
            table: records or withdrawn
            release_id: the release's
        """
        raw = self.raw.records if table == "records" else self.raw.withdrawn
        read = self._of_release(table, release_id, raw(release_id))
        what = f"those of release {quoted(release_id)}"
        return self._counted(table, f"{table}/{release_id}", what, read)

    def _strays_of(self, table: Table, rows: Iterable[Record]) -> Iterator[Record]:
        """Nothing: rows of a release that was removed, or never was, are noted."""
        for row in rows:
            self.note(table, row_of(table, row), f"{STRAY}; {BACKUP}")
        yield from ()

    def record_sample_ids(self, release_id: str) -> set[str]:
        # Whatever a row says counts only with its MAC, which is over all of it.
        return {record.sample_id for record in self.records(release_id)}

    def records_by_digest(self, digest: bytes) -> list[Record]:
        return self._good_of_both(
            self.raw.records_by_digest(digest),
            lambda one: digest in (one.digest_p, one.digest_w),
        )

    def records_by_image(self, image_id: str) -> list[Record]:
        return self._good_of_both(
            self.raw.records_by_image(image_id), lambda one: one.image_id == image_id
        )

    def _good_of_both(
        self, found: Iterable[Record], wanted: Callable[[Record], bool]
    ) -> list[Record]:
        """Of records and withdrawn ones, whose MACs tell the tables apart."""
        good: dict[tuple[str, str], Record] = {}
        for record in found:
            if has_mac(self._keys, "withdrawn", record):
                table: Table = "withdrawn"
                same = [record]
            else:
                table = "records"
                same = list(self._good(table, [record]))
            for one in self._asked_for(table, same, wanted):
                if self._is_listed(one.release_id):
                    good[table, one.id] = one
                elif self.inventory() is not None:
                    self.note(table, row_of(table, one), f"{STRAY}; {BACKUP}")
        return [one for _, one in sorted(good.items(), key=_records_first)]

    def _is_listed(self, release_id: str) -> bool:
        """Whether a release is there; not if no list can tell, which is noted."""
        inventory = self.inventory()
        return inventory is not None and release_id in inventory.members["releases"]

    def _of_release(
        self, table: Table, release_id: str, read: Iterable[Record]
    ) -> Iterator[Record]:
        return self._asked_for(table, read, lambda one: one.release_id == release_id)

    def count_records(self, release_id: str) -> int:
        # Not of the rows, which anybody may have added or removed.
        inventory = self.require_sound()
        if inventory.pending is not None:
            self.settle()
            inventory = self.require_sound()
        return inventory.sum_of(f"records/{release_id}").count

    def delete_records(self, release_id: str, sample_ids: Sequence[str]) -> None:
        keys: list[Key] = [(release_id, one) for one in dict.fromkeys(sample_ids)]
        if not keys:
            return

        def changes() -> list[Change]:
            there = self.raw.macs("records", keys)
            scope = f"records/{release_id}"
            return [Change("records", scope, k, mac, None) for k, mac in there.items()]

        self._write(changes, lambda: self.raw.delete_records(release_id, sample_ids))

    def put_withdrawn(self, records: Sequence[Record]) -> None:
        rows = self._with_macs("withdrawn", records)
        if rows:
            self._write(
                lambda: self._putting("withdrawn", rows),
                lambda: self.raw.put_withdrawn(rows),
            )

    def withdrawn(self, release_id: str) -> Iterator[Record]:
        self.require_sound()
        if not self._is_listed(release_id):
            return self._strays_of("withdrawn", self.raw.withdrawn(release_id))
        return self.present_records("withdrawn", release_id)

    def note_strays(self, release_ids: set[str]) -> None:
        """Note records that belong to none of some releases."""
        tables: tuple[Table, Table] = ("records", "withdrawn")
        for table in tables:
            for record in self.raw.strays(table, release_ids):
                self.note(table, row_of(table, record), f"{STRAY}; {BACKUP}")

    def note_damage(self) -> None:
        """Note what the database's own check finds."""
        for what in self.raw.damage():
            self.note("ledger", "", f"its database is damaged: {what}; {BACKUP}")

    # -- the whole ledger

    def begin(self) -> None:
        """Enter the first inventory of a ledger without rows."""
        self._put(Inventory())

    def authenticate(self) -> None:
        """Give every row that is there its MAC, and enter them all.

        For a ledger that wasn't authenticated before. Interrupted, it can be repeated.
        """
        with self.raw.exclusive():
            for table, rows in self._all_rows():
                self._set_macs(table, rows)
            self._put(self._taken(max(self._memo.counter, 0)))

    def accept(self) -> None:
        """Take the rows that are there for what should be there.

        Rows whose MAC is wrong stay as they are: they are left out further on.
        """
        with self.raw.exclusive():
            sealed = self.raw.get_inventory()
            before = None if sealed is None else self._open(sealed)
            if before is not None and isinstance(before.pending, Deletion):
                self.raw.delete_release(before.pending.release_id)
            counter = 0 if before is None else before.counter
            inventory = self._taken(max(counter, self._memo.counter))
            sealed = self._put(inventory)
        with self._noting:
            self._noted.clear()
        self._memo.keep_counter(inventory.counter, sealed)

    def _taken(self, counter: int) -> Inventory:
        """The list of all rows with a right MAC."""
        inventory = Inventory(counter)
        for table, rows in self._all_rows():
            ours = (row for row in rows if has_mac(self._keys, table, row))
            for good in pages(self._once(table, ours), _SOME):
                inventory.apply(
                    self._keys,
                    [replace(c, old=None) for c in self._putting(table, good)],
                )
        return inventory

    def _all_rows(self) -> Iterator[tuple[Table, Iterator[Any]]]:
        """Every table's rows, in an order of their own, in bounded memory."""
        yield "recipients", iter(self.raw.recipients())
        yield "fits", iter(self.raw.fits())
        for kind in PAPER_KINDS:
            yield "papers", iter(self.raw.papers(kind))
        releases = self.raw.releases()
        yield "releases", iter(releases)
        yield "images", self.raw.images()
        for release in releases:
            if isinstance(release.id, str):
                yield "records", self.raw.records(release.id)
                yield "withdrawn", self.raw.withdrawn(release.id)

    def _set_macs(self, table: Table, rows: Iterable[Any]) -> None:
        # Whoever writes the database may have given a row anything for an id.
        ours = (row for row in rows if isinstance(row.id, str) and is_usable(row))
        for page in pages(ours, _SOME):
            macs = {row.id: row_mac(self._keys, table, row) for row in page}
            self.raw.set_macs(table, macs)

    # -- rotation

    def begin_rotation(self) -> None:
        """Keep everybody from writing until :meth:`rekey`; once is enough."""
        with self.raw.exclusive():
            inventory = self._settled()
            if not inventory.rotating:
                inventory.rotating = True
                self._put(inventory)

    def digest(self, also: LedgerKeys | None = None) -> bytes:
        """SHA-256 over the list and all good rows, of a ledger that nobody may write.

        Args:
            also: rows may have their MAC under these keys already.

        Returns:
            32 bytes; none where the list can't be read.
        """
        inventory = self._open(self.raw.get_inventory())
        if inventory is None:
            return b""
        state = hashlib.sha256(inventory.pack())
        for table, rows in self._all_rows():
            for row in rows:
                mac = row_mac(self._keys, table, row)
                others = () if also is None else (row_mac(also, table, row),)
                if row.mac in (mac, *others):
                    state.update(mac)
        return state.digest()

    def rekey(self, keys: LedgerKeys) -> None:
        """Replace every good row's MAC and the list's seal; ends a rotation.

        Interrupted, it can be repeated, and somebody else who opened the vault may
        have done it already. This object has the new keys then.
        """
        with self.raw.exclusive():
            if Inventory.is_sealed_with(keys, self.raw.get_inventory() or b""):
                self._keys = keys
                self.require_sound()
            else:
                inventory = self._replaced(keys)
                self._keys = keys
                self._put(inventory)
        self.remember()

    def _replaced(self, keys: LedgerKeys) -> Inventory:
        """Give good rows MACs under other keys; the list of them.

        What the list and the rows differ in before, they differ in afterwards.
        """
        old, listed = self._keys, self._open(self.raw.get_inventory())
        if listed is None:
            raise self._without_list()
        new = Inventory(listed.counter, sums=dict(listed.sums))
        for table, members in listed.members.items():
            new.members[table].update(members)
        for table, rows in self._all_rows():
            for page in pages(rows, _SOME):
                macs = {}
                for row in page:
                    was, now = row_mac(old, table, row), row_mac(keys, table, row)
                    if row.mac not in (was, now):
                        continue
                    macs[row.id] = now
                    if table not in new.members:
                        scope = scope_of(table, row)
                        new.sums[scope] = new.sum_of(scope).with_other_number(
                            member_value(old, was), member_value(keys, now)
                        )
                    elif listed.members[table].get(row.id) == Member(was, name_of(row)):
                        new.members[table][row.id] = Member(now, name_of(row))
                self.raw.set_macs(table, macs)
        return new

    # -- for wrappers, and life

    def exclusive(self) -> Any:
        return self.raw.exclusive()

    def get_inventory(self) -> bytes | None:
        return self.raw.get_inventory()

    def put_inventory(self, sealed: bytes) -> None:
        self.raw.put_inventory(sealed)

    def macs(self, table: Table, keys: Sequence[Key]) -> dict[Key, bytes]:
        return self.raw.macs(table, keys)

    def set_macs(self, table: Table, macs: Any) -> None:
        self.raw.set_macs(table, macs)

    def images_of_only(self, release_id: str) -> Iterator[bytes]:
        return self.raw.images_of_only(release_id)

    def damage(self) -> list[str]:
        return self.raw.damage()

    def strays(self, table: Table, release_ids: set[str]) -> Iterator[Record]:
        return self.raw.strays(table, release_ids)

    def has_rows(self) -> bool:
        return self.raw.has_rows()

    def back_up(self) -> str:
        return self.raw.back_up()

    def close(self) -> None:
        self.raw.close()

    def __enter__(self) -> Self:
        self.raw.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.raw.__exit__(kind, error, trace)


def _records_first(one: tuple[tuple[str, str], Record]) -> tuple[str, float, str]:
    (table, _), record = one
    return table, *age(record)


def _tampered(problem: Problem) -> TamperedLedgerError:
    return TamperedLedgerError(
        f"The ledger isn't as the owner left it: {problem}; {BACKUP}"
    )


def _differ(there: int, expected: int) -> str:
    if there < expected:
        return f"{expected - there} of {expected} are missing"
    if there > expected:
        return f"{there - expected} are there that were removed before"
    return "some were put back from an earlier state of the ledger"


def _rolled_back(counter: int, known: int) -> str:
    return (
        f"it is older than what the owner wrote last (change {counter}, not {known}): "
        "it was put back from a backup. If that was you, say so: `reue vault check "
        "--accept`"
    )
