"""The vault of the FiftyOne side: one for each of FiftyOne's databases."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from fiftyone_reue.errors import OutputError, VaultError
from fiftyone_reue.samples.trouble import plain_errors
from fiftyone_reue.steps import finish
from fiftyone_reue.vault.check import CheckReport, check
from fiftyone_reue.vault.ledger.mongo import MongoLedger
from fiftyone_reue.vault.memo import places_for
from fiftyone_reue.vault.owner_keys import (
    KEY_FILE_NAME,
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    KeyFile,
    choose,
    resolve,
)
from fiftyone_reue.vault.vault import (
    Vault,
    new_vault_id,
    repair_ledger,
    require_no_vault,
)

SECRETS = (
    KEY_VARIABLE,
    KEY_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
)
"""The variables that an owner key can come from, as ``fiftyone.yml`` declares them."""

logger = logging.getLogger(__name__)


def open_ledger() -> MongoLedger:
    """The ledger in FiftyOne's database; no key is needed for it.

    Raises:
        LedgerUnavailableError: MongoDB can't be reached.
    """
    import fiftyone.core.odm as foo

    with plain_errors():
        return MongoLedger(foo.get_db_conn())


def open_vault(
    secrets: Mapping[str, str] | None = None,
    *,
    on_new_key: Callable[[str], None] = logger.warning,
) -> Vault:
    """The vault in FiftyOne's database; the first use creates it.

    The owner key of a new vault is ``REUE_OWNER_KEY`` if that is set, else computed
    from a passphrase (``REUE_OWNER_PASSPHRASE``), else in a new key file in
    :func:`key_folder`.

    Args:
        secrets: where to look up the variables, by default the environment.
        on_new_key: told once where the key file is, in a sentence.

    Raises:
        VaultError: the owner key is missing.
        WrongKeyError: the owner key is another vault's.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    secrets = os.environ if secrets is None else secrets
    ledger = open_ledger()
    meta = ledger.get_meta()
    if meta is None:
        try:
            return _create(ledger, secrets, on_new_key)
        except VaultError:
            # Another process may have been faster; if not, the reason stands.
            meta = ledger.get_meta()
            if meta is None:
                raise
    folder = key_folder()
    return Vault.open(ledger, resolve(meta, folder, secrets), folder=folder)


def check_vault(
    secrets: Mapping[str, str] | None = None, *, vault: Vault | None = None
) -> CheckReport:
    """Verify every row of the ledger, as ``reue vault check`` does.

    Args:
        secrets: as for :func:`open_vault`.
        vault: by default the one in FiftyOne's database.

    Raises:
        VaultError: as for :func:`open_vault`.
    """
    return finish(check(vault or open_vault(secrets)))


def repair_vault(secrets: Mapping[str, str] | None = None) -> str:
    """Put the vault's description back that the ledger has lost.

    The copy beside the owner key is taken, if the owner key opens it.

    Args:
        secrets: as for :func:`open_vault`.

    Returns:
        The vault's id.

    Raises:
        VaultError: the description is there and whole, or there is no copy.
        WrongKeyError: the owner key opens no copy.
    """
    return repair_ledger(open_ledger(), key_folder(), secrets=secrets)


def key_folder() -> Path:
    """Where the owner key file is, unless a variable names another place."""
    config = os.environ.get("FIFTYONE_CONFIG_PATH")
    folder = Path(config).parent if config else Path.home() / ".fiftyone"
    return folder / "reue"


def _create(
    ledger: MongoLedger, secrets: Mapping[str, str], on_new_key: Callable[[str], None]
) -> Vault:
    require_no_vault(ledger)
    folder = key_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: this folder for the owner key can't be made: "
            f"{error.strerror}; set {KEY_VARIABLE} to 64 random hex digits instead"
        ) from error
    vault_id = new_vault_id()
    provider = choose(vault_id, folder, secrets=secrets)
    places = places_for(provider, folder)
    vault = Vault.create(ledger, provider, vault_id=vault_id, places=places)
    if isinstance(provider, KeyFile):
        on_new_key(
            f"A vault was created; its owner key is {provider.path}. Whoever has it "
            "can restore every original: keep a copy in a safe place"
        )
    return vault


__all__ = [
    "KEY_FILE_NAME",
    "SECRETS",
    "check_vault",
    "key_folder",
    "open_ledger",
    "open_vault",
    "repair_vault",
]
