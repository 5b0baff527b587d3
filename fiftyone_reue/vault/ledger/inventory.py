"""The sealed list of what a ledger should hold.

MACs of single rows don't tell whether a row was removed, or put back from a backup.
So the ledger also keeps, sealed with a key of the vault, which recipients, fits and
releases there are and which MAC each has now; and of the images, and of each
release's records, how many there are and the sum of a pseudo-random number for each,
modulo 2^256. A sum takes a few bytes for a million rows, and is brought up to date
without reading them. The numbers and the sums are never seen without the key, or sets
of other rows with the same sum could be looked for.

A counter goes up with every change. What is about to change is named (`pending`)
where the database can't write rows and list as one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from fiftyone_reue.errors import DamagedRecordError, WrongKeyError
from fiftyone_reue.vault import crypto
from fiftyone_reue.vault.entities import (
    Fit,
    Image,
    Paper,
    Recipient,
    Record,
    Release,
)
from fiftyone_reue.vault.ledger.macs import LedgerKeys, member_value
from fiftyone_reue.vault.ledger.rows import Entity, Key, Table

IMAGES = "images"

MEMBERS: tuple[Table, ...] = ("recipients", "fits", "papers", "releases")
"""Tables whose rows are listed one by one."""

_MODULUS = 2**256


@dataclass(frozen=True)
class Member:
    """What is listed of such a row: its MAC, and its name."""

    mac: bytes
    name: str


@dataclass(frozen=True)
class Sum:
    """How many rows a set has, and the sum of their numbers modulo 2^256."""

    count: int = 0
    total: int = 0

    def plus(self, value: int) -> Sum:
        """With another row."""
        return Sum(self.count + 1, (self.total + value) % _MODULUS)

    def minus(self, value: int) -> Sum:
        """Without one of the rows."""
        return Sum(self.count - 1, (self.total - value) % _MODULUS)

    def to_bytes(self) -> bytes:
        """40 bytes."""
        return self.count.to_bytes(8, "big") + self.total.to_bytes(32, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of :meth:`to_bytes`."""
        return cls(int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big"))

    def with_other_number(self, old: int, new: int) -> Sum:
        """With one of the rows having another number than before."""
        return Sum(self.count, (self.total - old + new) % _MODULUS)


@dataclass(frozen=True)
class Change:
    """One row that is put or removed.

    Attributes:
        table: where.
        scope: the set that it belongs to, see :func:`scope_of`; the table itself
            where members are listed one by one.
        key: what is one of a kind there.
        old: the MAC before, or None if there was no such row.
        new: the MAC after, or None if it is removed.
        name: of a listed member.
    """

    table: Table
    scope: str
    key: Key
    old: bytes | None
    new: bytes | None
    name: str = ""


@dataclass(frozen=True)
class Deletion:
    """A release that is deleted, and what the images come to by that."""

    release_id: str
    images: Sum


@dataclass
class Inventory:
    """What a ledger should hold.

    Attributes:
        counter: goes up with every change.
        members: of MEMBERS, by table and id.
        sums: of images, and of each release's records, by scope.
        rotating: the owner key is being replaced, so that nothing may be written.
        pending: what was being written when this list was.
    """

    counter: int = 0
    members: dict[str, dict[str, Member]] = field(
        default_factory=lambda: {table: {} for table in MEMBERS}
    )
    sums: dict[str, Sum] = field(default_factory=dict)
    rotating: bool = False
    pending: list[Change] | Deletion | None = None

    def sum_of(self, scope: str) -> Sum:
        """Of a set; that of nothing if it isn't known."""
        return self.sums.get(scope, Sum())

    def apply(self, keys: LedgerKeys, changes: Iterable[Change]) -> None:
        """Take changes over."""
        for change in changes:
            if change.table in self.members:
                self._apply_to_members(change)
            else:
                self._apply_to_sums(keys, change)

    def _apply_to_members(self, change: Change) -> None:
        listed = self.members[change.table]
        assert isinstance(change.key, str)
        if change.new is None:
            listed.pop(change.key, None)
        else:
            listed[change.key] = Member(change.new, change.name)

    def _apply_to_sums(self, keys: LedgerKeys, change: Change) -> None:
        now = self.sum_of(change.scope)
        if change.old is not None:
            now = now.minus(member_value(keys, change.old))
        if change.new is not None:
            now = now.plus(member_value(keys, change.new))
        self._set(change.scope, now)

    def apply_deletion(self, deletion: Deletion) -> None:
        """Take a release's deletion over."""
        self.members["releases"].pop(deletion.release_id, None)
        for table in ("records", "withdrawn"):
            self._set(f"{table}/{deletion.release_id}", Sum())
        self._set(IMAGES, deletion.images)

    def _set(self, scope: str, now: Sum) -> None:
        if now == Sum():
            self.sums.pop(scope, None)
        else:
            self.sums[scope] = now

    def sealed(self, keys: LedgerKeys, vault_id: str) -> bytes:
        """As the ledger keeps it."""
        return crypto.seal(keys.inventory, self.pack(), vault_id.encode())

    def pack(self) -> bytes:
        """As bytes, the same for equal inventories."""
        return json.dumps(self._to_json(), sort_keys=True).encode()

    @classmethod
    def opened(cls, keys: LedgerKeys, vault_id: str, sealed: bytes) -> Self:
        """The inverse of :meth:`sealed`.

        Raises:
            WrongKeyError: it was sealed with other keys.
            DamagedRecordError: it was edited.
        """
        plain = crypto.open_sealed(keys.inventory, sealed, vault_id.encode())
        try:
            return cls._from_json(json.loads(plain))
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedRecordError("The ledger's list can't be read") from error

    @staticmethod
    def is_sealed_with(keys: LedgerKeys, sealed: bytes) -> bool:
        """Whether a list was sealed with these keys, edited or not."""
        try:
            crypto.open_sealed(keys.inventory, sealed)
        except WrongKeyError:
            return False
        except DamagedRecordError:  # of a vault's id, which is all right
            return len(sealed) >= crypto.SEAL_OVERHEAD
        return True

    def _to_json(self) -> dict[str, Any]:
        return {
            "counter": self.counter,
            "members": {
                table: {one: [m.mac.hex(), m.name] for one, m in listed.items()}
                for table, listed in self.members.items()
                if listed or table != "papers"  # a list from before is packed as it was
            },
            "sums": {scope: _sum_to_json(s) for scope, s in self.sums.items()},
            "rotating": self.rotating,
            "pending": _pending_to_json(self.pending),
        }

    @classmethod
    def _from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(
            counter=content["counter"],
            members={
                table: {
                    one: Member(bytes.fromhex(mac), name)
                    for one, (mac, name) in listed.items()
                }
                for table, listed in ({"papers": {}} | content["members"]).items()
            },
            sums={scope: _sum_from_json(s) for scope, s in content["sums"].items()},
            rotating=content["rotating"],
            pending=_pending_from_json(content["pending"]),
        )


def scope_of(table: Table, entity: Entity) -> str:
    """The set that a row is counted in."""
    if table in ("records", "withdrawn") and isinstance(entity, Record):
        return f"{table}/{entity.release_id}"
    return table


def name_of(entity: Entity) -> str:
    """What a person knows a listed row by."""
    match entity:
        case Recipient() | Release():
            return entity.name
        case Fit():
            return entity.method
        case Paper():
            return entity.kind
        case Image() | Record():
            return entity.source


def _sum_to_json(one: Sum) -> list[Any]:
    return [one.count, f"{one.total:064x}"]


def _sum_from_json(content: list[Any]) -> Sum:
    count, total = content
    return Sum(int(count), int(total, 16))


def _pending_to_json(pending: list[Change] | Deletion | None) -> Any:
    if pending is None:
        return None
    if isinstance(pending, Deletion):
        return {"delete": pending.release_id, "images": _sum_to_json(pending.images)}
    return [
        [c.table, c.scope, c.key, _hex(c.old), _hex(c.new), c.name] for c in pending
    ]


def _pending_from_json(content: Any) -> list[Change] | Deletion | None:
    if content is None:
        return None
    if isinstance(content, dict):
        return Deletion(content["delete"], _sum_from_json(content["images"]))
    return [
        Change(
            table,
            scope,
            key if isinstance(key, str) else (key[0], key[1]),
            _bytes(old),
            _bytes(new),
            name,
        )
        for table, scope, key, old, new, name in content
    ]


def _hex(mac: bytes | None) -> str | None:
    return None if mac is None else mac.hex()


def _bytes(mac: str | None) -> bytes | None:
    return None if mac is None else bytes.fromhex(mac)
