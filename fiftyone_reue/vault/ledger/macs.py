"""Message authentication codes of rows, under keys of the vault."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Any, Self

from fiftyone_reue import prf
from fiftyone_reue.vault.ledger.rows import (
    DICTIONARIES,
    TABLES,
    Entity,
    Table,
    Unusable,
    columns,
    to_json,
)

MAC_SIZE = 32

_ROW, _MEMBER = b"reue-row", b"reue-member"
_LENGTH = struct.Struct(">Q")
_FLOAT = struct.Struct(">d")
# Of these, one database gives an int back where another gives a float.
_FLOATS = frozenset({"created", "updated", "finished", "revoked_at", "psnr"})


@dataclass(frozen=True, repr=False)
class LedgerKeys:
    """The keys that a ledger is authenticated with, 32 bytes each.

    Attributes:
        row: of rows' MACs.
        member: of what a row adds to the sum over a set.
        inventory: seals the list of what the ledger holds.
    """

    row: bytes
    member: bytes
    inventory: bytes

    @classmethod
    def of(cls, root: bytes) -> Self:
        """The keys that derive from one, the vault's ``ledger-mac``."""
        parts = ("row", "member", "inventory")
        return cls(*(prf.derive(root, part) for part in parts))


def row_mac(keys: LedgerKeys, table: Table, entity: Entity) -> bytes:
    """The MAC of a row over its table, and names, types and values of its fields.

    It is defined for whatever a damaged row may hold.

    Args:
        keys: the ledger's.
        table: where the row is.
        entity: the row; its own `mac` doesn't count.

    Returns:
        32 bytes.
    """
    state = hashlib.blake2b(key=keys.row, digest_size=MAC_SIZE, person=_ROW)
    state.update(_prefixed(b"t", table.encode()))
    for name, label in _LABELS[type(entity)]:
        kind, data = _encoded(name, getattr(entity, name))
        state.update(label)
        state.update(kind + _LENGTH.pack(len(data)))
        state.update(data)
    return state.digest()


def has_mac(keys: LedgerKeys, table: Table, entity: Entity) -> bool:
    """Whether a row has the MAC that its content should have."""
    mac = entity.mac
    if not isinstance(mac, bytes) or not is_usable(entity):
        return False
    return hmac.compare_digest(mac, row_mac(keys, table, entity))


def is_usable(entity: Entity) -> bool:
    """Whether a row holds nothing that no row of ours can hold."""
    return not any(isinstance(value, Unusable) for value in vars(entity).values())


def member_value(keys: LedgerKeys, mac: bytes) -> int:
    """What a row adds to the sum over its set: pseudo-random, below 2^256."""
    digest = hashlib.blake2b(mac, key=keys.member, digest_size=32, person=_MEMBER)
    return int.from_bytes(digest.digest(), "big")


def _prefixed(kind: bytes, data: bytes) -> bytes:
    return kind + _LENGTH.pack(len(data)) + data


def _labels(kind: type[Entity]) -> list[tuple[str, bytes]]:
    names = [name for name in columns(kind) if name != "mac"]
    return [(name, _prefixed(b"n", name.encode())) for name in names]


_LABELS = {kind: _labels(kind) for kind in TABLES.values()}


def _encoded(name: str, value: Any) -> tuple[bytes, bytes]:
    """One letter for a value's type, and bytes that are its own."""
    if isinstance(value, str) and name in DICTIONARIES:
        # As it was stored: nothing is parsed before its MAC is known to be right.
        return b"d", value.encode("utf-8", "surrogatepass")
    if isinstance(value, str):
        return b"s", value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return b"b", value
    if value is None:
        return b"0", b""
    if isinstance(value, bool):
        return b"t", b"%d" % value
    if isinstance(value, float) or (isinstance(value, int) and name in _FLOATS):
        try:
            # Not every database keeps the sign of zero.
            return b"f", _FLOAT.pack(float(value) + 0.0)
        except OverflowError:
            return b"x", hex(int(value)).encode()
    if isinstance(value, int):
        return b"i", hex(value).encode()
    if isinstance(value, dict):
        try:
            return b"d", to_json(value).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError, RecursionError):
            return b"?", b""
    return b"?", b""
