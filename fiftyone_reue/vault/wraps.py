"""The vault's key under the owner key: once, and twice while that is being replaced.

Each wrap in the vault's description has an id. Of a random owner key it is derived
from the key, so that a person can tell which key is meant. Of a passphrase it is
random: whatever derives from a passphrase tells guesses apart, and ids are shown.
"""

from __future__ import annotations

import re
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fiftyone_reue import prf
from fiftyone_reue.errors import VaultError, WrongKeyError
from fiftyone_reue.vault import crypto

_ID = re.compile(r"[0-9a-f]{16}")

PASSPHRASE_KIND = "passphrase"

SHOWN_FOR_PASSPHRASE = "passphrase"
"""Stands for the ids that versions until 0.1 derived from passphrases."""


@dataclass(frozen=True)
class Unwrapped:
    """What an owner key opened: the vault's key, and the wrap's id, to be shown."""

    id: str
    key: bytes = field(repr=False)


def wrap(kind: str, owner_key: bytes, key: bytes, vault_id: str) -> dict[str, str]:
    """The vault's `key` under an owner key.

    Args:
        kind: of the owner key's provider
        owner_key: 32 bytes
        key: what is wrapped
        vault_id: which the wrap is bound to

    Returns:
        the wrap as the description holds it
    """
    made = random.token_hex(8) if kind == PASSPHRASE_KIND else crypto.key_id(owner_key)
    wrapped = crypto.seal(_wrapping_key(owner_key, vault_id), key, vault_id.encode())
    return {"key_id": made, "wrapped": wrapped.hex()}


def opens(one: Mapping[str, str], owner_key: bytes, vault_id: str) -> bytes | None:
    """The vault's key in one wrap, or None if it is under another owner key.

    Raises:
        DamagedRecordError: if the wrap was edited
        VaultError: if it can't be read
    """
    try:
        blob = bytes.fromhex(one["wrapped"])
    except (KeyError, TypeError, ValueError):
        raise _damaged() from None
    try:
        return crypto.open_sealed(
            _wrapping_key(owner_key, vault_id), blob, vault_id.encode()
        )
    except WrongKeyError:
        return None


def fits(meta: Mapping[str, Any], owner_key: bytes) -> bool:
    """Whether an owner key opens the vault of this description.

    Raises:
        DamagedRecordError, VaultError: see :func:`opens`
    """
    return any(
        opens(one, owner_key, meta["vault_id"]) is not None for one in meta["wraps"]
    )


def unwrap(
    meta: Mapping[str, Any], owner_key: bytes, kind: str, source: str
) -> Unwrapped:
    """Opens the vault of a description.

    Args:
        meta: the description
        owner_key: 32 bytes
        kind: of the owner key's provider
        source: where the owner key came from, in words

    Raises:
        WrongKeyError: if the owner key is another vault's
        DamagedRecordError, VaultError: see :func:`opens`
    """
    vault_id = meta["vault_id"]
    for one in meta["wraps"]:
        key = opens(one, owner_key, vault_id)
        if key is not None:
            return Unwrapped(_shown_id(one, owner_key, kind), key)
    if kind == PASSPHRASE_KIND or _has_passphrase(meta):
        raise WrongKeyError(
            f"The owner key offered ({source}) doesn't open the vault {vault_id}; "
            "offer the one of this vault"
        )
    expected = " or ".join(_id_of(one) for one in meta["wraps"])
    raise WrongKeyError(
        f"The owner key offered ({source}) has the id {crypto.key_id(owner_key)}, but "
        f"the vault {vault_id} expects {expected}; offer the key of this vault"
    )


def _shown_id(one: Mapping[str, str], owner_key: bytes, kind: str) -> str:
    given = _id_of(one)
    derived = given == crypto.key_id(owner_key)
    return SHOWN_FOR_PASSPHRASE if derived and kind == PASSPHRASE_KIND else given


def _id_of(one: Mapping[str, str]) -> str:
    given = one.get("key_id")
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise _damaged()
    return given


def _has_passphrase(meta: Mapping[str, Any]) -> bool:
    providers = [meta.get(name) or {} for name in ("provider", "next_provider")]
    return any(one.get("kind") == PASSPHRASE_KIND for one in providers)


def _wrapping_key(owner_key: bytes, vault_id: str) -> bytes:
    return prf.derive(owner_key, "vault-wrap", vault_id)


def _damaged() -> VaultError:
    return VaultError(
        "The vault's description is damaged: a wrapped key can't be read; put the "
        "ledger back from a backup"
    )
