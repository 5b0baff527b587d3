"""What the owner must know of the owner key, told once and confirmed.

It is noted beside the vault, in FiftyOne's database, for the key as it is: another key,
or another place for it, has to be confirmed anew. Nothing secret is in it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fiftyone_reue.samples import runs
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.vaults import described, key_notice, open_ledger
from fiftyone_reue.vault.owner_keys import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    EnvironmentKey,
    KeyFile,
    KeyringKey,
    Passphrase,
    secret,
)

CONFIRMED = "reue_confirmed_keys"
"""The collection of what was confirmed."""

WITHOUT = (
    "Without it no original can be restored, no leak traced and no copy made, by you "
    "or by anybody: there is no second key, and nobody to ask for one. Recipients can "
    "still restore their licensed copies with their own keys."
)
"""What it means to lose the owner key."""

DATABASE = (
    "The key alone is not enough: records and recipients are in FiftyOne's database, "
    "so keep a backup of that too."
)


@dataclass(frozen=True)
class OwnerKeyFacts:
    """What to know of a vault's owner key; sentences for a person.

    Attributes:
        where: where it is kept.
        backup: how to keep a copy of it.
        without: what happens without it.
        warning: what is dangerous about where it is, or None.
        confirmed: when somebody confirmed that they know, or None.
    """

    where: str
    backup: str
    without: str
    warning: str | None
    confirmed: str | None


def owner_key_facts(secrets: Mapping[str, str] | None = None) -> OwnerKeyFacts:
    """What the owner must know of the owner key; needs no key and makes none.

    Example::

        print(reue.owner_key_facts().where)

    Args:
        secrets: where to look up the variables, by default the environment.

    Raises:
        VaultError: there is no vault yet; says how one is made.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    secrets = os.environ if secrets is None else secrets
    meta = described(open_ledger())
    where, backup = _place(str(meta["provider"]["kind"]), secrets)
    with plain_errors():
        noted = _collection().find_one({"_id": _mark(meta, secrets)})
    return OwnerKeyFacts(
        where=where,
        backup=f"{backup} {DATABASE}",
        without=WITHOUT,
        warning=key_notice(secrets),
        confirmed=None if noted is None else str(noted["at"]),
    )


def confirm_owner_key(secrets: Mapping[str, str] | None = None) -> None:
    """Note that the owner knows where the owner key is, and has a copy of it.

    Example::

        reue.confirm_owner_key()

    Args:
        secrets: as for :func:`owner_key_facts`.

    Raises:
        VaultError: there is no vault yet.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    secrets = os.environ if secrets is None else secrets
    mark = _mark(described(open_ledger()), secrets)
    with plain_errors():
        _collection().update_one(
            {"_id": mark}, {"$setOnInsert": {"at": runs.now()}}, upsert=True
        )


def _place(kind: str, secrets: Mapping[str, str]) -> tuple[str, str]:
    """Where the key is, and how to keep a copy of it."""
    match _source(kind, secrets):
        case EnvironmentKey.kind:
            return (
                f"The owner key is in the variable {KEY_VARIABLE} of the App's server.",
                "Keep its 64 hex digits where you keep passwords, apart from this "
                "machine.",
            )
        case KeyFile.kind:
            return (
                "The owner key is a file on the App's machine, which was named when it "
                f"was made, or is named by {KEY_FILE_VARIABLE}.",
                "Copy it to where nobody else reads it, apart from this machine.",
            )
        case Passphrase.kind:
            named = secret(secrets, PASSPHRASE_FILE_VARIABLE)
            found = PASSPHRASE_FILE_VARIABLE if named else PASSPHRASE_VARIABLE
            return (
                "The owner key is computed from your passphrase, which the App's "
                f"server reads from {found}.",
                "Keep the passphrase where you keep passwords; it can't be reset.",
            )
        case KeyringKey.kind:
            return (
                "The owner key is in the keyring of the user that runs the App's "
                "server.",
                "A keyring goes with its user and machine: back it up, or move the key "
                "to a passphrase with `reue keys rotate --app --passphrase`.",
            )
        case other:
            return (
                f"The owner key comes from {other}.",
                "Keep a copy of it apart from this machine.",
            )


def _source(kind: str, secrets: Mapping[str, str]) -> str:
    """Which kind of place the key is read from now."""
    if secret(secrets, KEY_VARIABLE):
        return EnvironmentKey.kind
    if kind == EnvironmentKey.kind and secret(secrets, KEY_FILE_VARIABLE):
        return KeyFile.kind
    return kind


def _mark(meta: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """A name for the key as it is: no other vault, key or place has it."""
    kind = str(meta["provider"]["kind"])
    ids = sorted(str(one.get("key_id")) for one in meta.get("wraps", []))
    known = [meta["vault_id"], ids, meta["provider"], _source(kind, secrets)]
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _collection() -> Any:
    import fiftyone.core.odm as foo

    return foo.get_db_conn()[CONFIRMED]
