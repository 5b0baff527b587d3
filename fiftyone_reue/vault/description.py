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
import re
import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fiftyone_reue import prf
from fiftyone_reue.errors import UPDATE, DamagedRecordError, VaultError, WrongKeyError
from fiftyone_reue.vault import crypto

FORMAT = 2
UNAUTHENTICATED = 1

NO_DIGEST = bytes(32)
"""Of the first epoch, which found nothing."""

PASSPHRASE_KIND = "passphrase"

SHOWN_FOR_PASSPHRASE = "passphrase"
"""Stands for the ids that versions until 0.1 derived from passphrases."""

_MAC = "mac"
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, repr=False)
class Opened:
    """What an owner key opens.

    Attributes:
        keys: the vault's, of every epoch up to this owner key's, oldest first.
        digest: of the ledger as the newest of these epochs found it.
        id: of the wrap that it opened.
        shown: the same, for people: an id that derives from a passphrase isn't shown.
    """

    keys: list[bytes]
    digest: bytes = NO_DIGEST
    id: str = ""
    shown: str = ""


def wrap(
    owner_key: bytes,
    keys: Sequence[bytes],
    vault_id: str,
    digest: bytes = NO_DIGEST,
    *,
    kind: str = "",
) -> dict[str, Any]:
    """Seal a vault's keys for one owner key.

    Args:
        owner_key: 32 bytes.
        keys: of every epoch, oldest first.
        vault_id: whose.
        digest: see :class:`Opened`.
        kind: of the owner key's provider. The id of a random key is derived from it, so
            that a person can tell which key is meant. That of a passphrase is random:
            whatever derives from a passphrase tells guesses apart.
    """
    made = random.token_hex(8) if kind == PASSPHRASE_KIND else crypto.key_id(owner_key)
    newest, older = keys[-1], b"".join(keys[:-1])
    aad = _aad(vault_id, len(keys))
    return {
        "key_id": made,
        "epoch": len(keys),
        "wrapped": crypto.seal(
            _wrapping_key(owner_key, vault_id), newest + digest, aad
        ).hex(),
        "older": crypto.seal(_older_key(newest, vault_id), older, aad).hex(),
    }


def unwrap(
    meta: Mapping[str, Any], owner_key: bytes, source: str, *, kind: str = ""
) -> Opened:
    """Open a vault's keys.

    Args:
        meta: the description.
        owner_key: 32 bytes.
        source: where the owner key comes from, in words.
        kind: of its provider.

    Raises:
        WrongKeyError: the description has nothing for this owner key.
        VaultError: it was edited.
    """
    check_shape(meta)
    vault_id = meta["vault_id"]
    for one in meta["wraps"]:
        both = _opened(meta, one, owner_key)
        if both is None:
            continue
        shown = _shown_id(one, owner_key, kind)
        if meta["format"] == UNAUTHENTICATED:
            return Opened([both], id=one["key_id"], shown=shown)
        newest, digest = both[: prf.KEY_SIZE], both[prf.KEY_SIZE :]
        keys = [*_older(one, newest, vault_id), newest]
        if not hmac.compare_digest(str(one.get(_MAC)), _mac(newest, meta)):
            raise _edited()
        return Opened(keys, digest, one["key_id"], shown)
    if kind == PASSPHRASE_KIND or _has_passphrase(meta):
        raise WrongKeyError(
            f"The owner key offered ({source}) doesn't open the vault {vault_id}; "
            "offer the one of this vault"
        )
    expected = " or ".join(one["key_id"] for one in meta["wraps"])
    raise WrongKeyError(
        f"The owner key offered ({source}) has the id {crypto.key_id(owner_key)}, but "
        f"the vault {vault_id} expects {expected}; offer the key of this vault"
    )


def opens(meta: Mapping[str, Any], one: Mapping[str, Any], owner_key: bytes) -> bool:
    """Whether an owner key opens one wrap of a description.

    Raises:
        VaultError: the wrap was edited.
    """
    return _opened(meta, one, owner_key) is not None


def fits(meta: Mapping[str, Any], owner_key: bytes) -> bool:
    """Whether an owner key opens the vault of this description.

    Raises:
        VaultError: it was edited.
    """
    check_shape(meta)
    return any(opens(meta, one, owner_key) for one in meta["wraps"])


def _opened(
    meta: Mapping[str, Any], one: Mapping[str, Any], owner_key: bytes
) -> bytes | None:
    """What one wrap holds; None if it is under another owner key."""
    vault_id = meta["vault_id"]
    try:
        aad = vault_id.encode()
        if meta["format"] != UNAUTHENTICATED:
            aad = _aad(vault_id, int(one["epoch"]))
        wrapped = bytes.fromhex(one["wrapped"])
        return crypto.open_sealed(_wrapping_key(owner_key, vault_id), wrapped, aad)
    except WrongKeyError:
        return None
    except (DamagedRecordError, KeyError, TypeError, ValueError):
        raise _edited() from None


def _older(one: Mapping[str, Any], newest: bytes, vault_id: str) -> list[bytes]:
    """The keys of the epochs before, oldest first."""
    try:
        sealed = bytes.fromhex(one["older"])
        aad = _aad(vault_id, int(one["epoch"]))
        older = crypto.open_sealed(_older_key(newest, vault_id), sealed, aad)
    except (DamagedRecordError, WrongKeyError, KeyError, TypeError, ValueError):
        raise _edited() from None
    return [older[at : at + prf.KEY_SIZE] for at in range(0, len(older), prf.KEY_SIZE)]


def _shown_id(one: Mapping[str, Any], owner_key: bytes, kind: str) -> str:
    derived = one["key_id"] == crypto.key_id(owner_key)
    return (
        SHOWN_FOR_PASSPHRASE if derived and kind == PASSPHRASE_KIND else one["key_id"]
    )


def _has_passphrase(meta: Mapping[str, Any]) -> bool:
    providers = [meta.get(name) or {} for name in ("provider", "next_provider")]
    return any(one.get("kind") == PASSPHRASE_KIND for one in providers)


def check_shape(meta: Mapping[str, Any]) -> None:
    """Make sure that a description can be read, whoever wrote it.

    Raises:
        VaultError: it can't, or is of a newer version.
    """
    version = meta.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise VaultError(
            f"The vault was made by a newer version: {UPDATE}. If you never used one, "
            "the ledger was changed without you; put it back from a backup"
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
    if not all(_ID.fullmatch(one["key_id"]) for one in wraps):
        raise _edited()  # it is shown


def signed(meta: Mapping[str, Any], newest: Mapping[str, bytes]) -> dict[str, Any]:
    """A description with the MACs of the whole, one for each owner key.

    Args:
        meta: the description.
        newest: by the owner keys' ids, the newest key that each opens.
    """
    bare = [{k: v for k, v in one.items() if k != _MAC} for one in meta["wraps"]]
    wraps = [{**one, _MAC: _mac(newest[one["key_id"]], meta)} for one in bare]
    return {**meta, "wraps": wraps}


def is_signed_with(meta: Mapping[str, Any], keys: Sequence[bytes]) -> bool:
    """Whether a description was made with one of these keys of a vault.

    Raises:
        VaultError: it can't be read.
    """
    check_shape(meta)
    macs = [str(one.get(_MAC)) for one in meta["wraps"]]
    made = [_mac(key, meta) for key in keys]
    return any(hmac.compare_digest(one, mac) for one in made for mac in macs)


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
