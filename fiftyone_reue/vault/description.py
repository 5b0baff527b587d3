"""The vault's description: what the owner key opens, and how to find that key.

A vault has one key an epoch; a rotation begins the next. The newest is sealed with the
owner key, together with a digest of the ledger as the epoch found it, and the older
ones are sealed with the newest. So a former owner key, and whatever it once opened,
tells nothing about the keys of later epochs, while the owner can open what was made
before.

Format 1 had one key and a ledger that wasn't authenticated. A key that was sealed in
one format doesn't open in the other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fiftyone_reue import prf
from fiftyone_reue.errors import DamagedRecordError, VaultError, WrongKeyError
from fiftyone_reue.vault import crypto

FORMAT = 2
UNAUTHENTICATED = 1

NO_DIGEST = bytes(32)
"""Of the first epoch, which found nothing."""

_MAC = "mac"


@dataclass(frozen=True, repr=False)
class Opened:
    """What an owner key opens.

    Attributes:
        keys: the vault's, of every epoch up to this owner key's, oldest first.
        digest: of the ledger as the newest of these epochs found it.
    """

    keys: list[bytes]
    digest: bytes = NO_DIGEST


def wrap(
    owner_key: bytes, keys: Sequence[bytes], vault_id: str, digest: bytes = NO_DIGEST
) -> dict[str, Any]:
    """Seal a vault's keys for one owner key.

    Args:
        owner_key: 32 bytes.
        keys: of every epoch, oldest first.
        vault_id: whose.
        digest: see :class:`Opened`.
    """
    newest, older = keys[-1], b"".join(keys[:-1])
    aad = _aad(vault_id, len(keys))
    return {
        "key_id": crypto.key_id(owner_key),
        "epoch": len(keys),
        "wrapped": crypto.seal(
            _wrapping_key(owner_key, vault_id), newest + digest, aad
        ).hex(),
        "older": crypto.seal(_older_key(newest, vault_id), older, aad).hex(),
    }


def unwrap(meta: Mapping[str, Any], owner_key: bytes, source: str) -> Opened:
    """Open a vault's keys.

    Args:
        meta: the description.
        owner_key: 32 bytes.
        source: where the owner key comes from, in words.

    Raises:
        WrongKeyError: the description has nothing for this owner key.
        VaultError: it was edited.
    """
    check_shape(meta)
    vault_id, offered = meta["vault_id"], crypto.key_id(owner_key)
    wraps = {one["key_id"]: one for one in meta["wraps"]}
    if offered not in wraps:
        raise WrongKeyError(
            f"The owner key offered ({source}) has the id {offered}, but the vault "
            f"{vault_id} expects {' or '.join(wraps)}; offer the key of this vault"
        )
    mine = wraps[offered]
    wrapping_key = _wrapping_key(owner_key, vault_id)
    wrapped = bytes.fromhex(mine["wrapped"])
    try:
        if meta["format"] == UNAUTHENTICATED:
            key = crypto.open_sealed(wrapping_key, wrapped, vault_id.encode())
            return Opened([key])
        aad = _aad(vault_id, int(mine["epoch"]))
        both = crypto.open_sealed(wrapping_key, wrapped, aad)
        newest, digest = both[: prf.KEY_SIZE], both[prf.KEY_SIZE :]
        sealed = bytes.fromhex(mine["older"])
        older = crypto.open_sealed(_older_key(newest, vault_id), sealed, aad)
    except (DamagedRecordError, KeyError, TypeError, ValueError):
        raise _edited() from None
    keys = [older[at : at + prf.KEY_SIZE] for at in range(0, len(older), prf.KEY_SIZE)]
    if not hmac.compare_digest(str(mine.get(_MAC)), _mac(newest, meta)):
        raise _edited()
    return Opened([*keys, newest], digest)


def check_shape(meta: Mapping[str, Any]) -> None:
    """Make sure that a description can be read, whoever wrote it.

    Raises:
        VaultError: it can't, or is of a newer version.
    """
    version = meta.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise VaultError(
            "The vault was made by a newer version of fiftyone-reue; update it"
        )
    providers = [meta[p] for p in ("provider", "next_provider") if p in meta]
    wraps = meta.get("wraps")
    texts = [meta.get("vault_id")]
    if not isinstance(wraps, list) or version not in (UNAUTHENTICATED, FORMAT):
        raise _edited()
    for one in [*wraps, *providers]:
        if not isinstance(one, dict):
            raise _edited()
    texts += [one.get(name) for one in wraps for name in ("key_id", "wrapped")]
    texts += [one.get("kind") for one in providers]
    texts += [one.get("path", "") for one in providers]
    texts += [one.get("account", "") for one in providers]
    if not providers or not all(isinstance(text, str) for text in texts):
        raise _edited()


def signed(meta: Mapping[str, Any], newest: Mapping[str, bytes]) -> dict[str, Any]:
    """A description with the MACs of the whole, one for each owner key.

    Args:
        meta: the description.
        newest: by the owner keys' ids, the newest key that each opens.
    """
    bare = [{k: v for k, v in one.items() if k != _MAC} for one in meta["wraps"]]
    wraps = [{**one, _MAC: _mac(newest[one["key_id"]], meta)} for one in bare]
    return {**meta, "wraps": wraps}


def _mac(key: bytes, meta: Mapping[str, Any]) -> str:
    wraps = [{k: v for k, v in one.items() if k != _MAC} for one in meta["wraps"]]
    text = json.dumps({**meta, "wraps": wraps}, sort_keys=True).encode()
    mac_key = prf.derive(key, "description-mac")
    return hashlib.blake2b(text, key=mac_key, digest_size=32).hexdigest()


def _aad(vault_id: str, epoch: int) -> bytes:
    return f"reue vault\0{FORMAT}\0{vault_id}\0{epoch}".encode()


def _wrapping_key(owner_key: bytes, vault_id: str) -> bytes:
    return prf.derive(owner_key, "vault-wrap", vault_id)


def _older_key(newest: bytes, vault_id: str) -> bytes:
    return prf.derive(newest, "older-epochs", vault_id)


def _edited() -> VaultError:
    return VaultError(
        "The vault's description was changed without the owner key. Put the ledger "
        "back from a backup; if only the description is wrong, `reue vault repair` "
        "puts back the copy of it beside the owner key"
    )
