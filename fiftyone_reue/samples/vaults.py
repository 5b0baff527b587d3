"""The vault of the FiftyOne side: one for each of FiftyOne's databases."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from fiftyone_reue.errors import OutputError, VaultError
from fiftyone_reue.samples.trouble import plain_errors
from fiftyone_reue.steps import finish
from fiftyone_reue.vault.check import CheckReport, check
from fiftyone_reue.vault.description import check_shape
from fiftyone_reue.vault.ledger.mongo import MongoLedger
from fiftyone_reue.vault.memo import (
    SUFFIX,
    Remembered,
    places_for,
    remembered_in,
    require_remembered,
)
from fiftyone_reue.vault.owner_keys import (
    KEY_FILE_NAME,
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    PLAIN_FILE_WARNING,
    KeyFile,
    KeyringKey,
    OwnerKeyProvider,
    choose,
    plain_file,
    planned_kind,
    resolve,
    secret,
)
from fiftyone_reue.vault.stretch import Ask
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
    plain_key_file: bool = False,
    ask_new: Ask | None = None,
    create: bool = True,
    ask: Ask | None = None,
) -> Vault:
    """The vault in FiftyOne's database; the first use creates it.

    The owner key of a new vault is ``REUE_OWNER_KEY`` if that is set, else computed
    from a passphrase (``REUE_OWNER_PASSPHRASE``), else in a plain file if that is
    wanted: ``REUE_OWNER_KEY_FILE`` names one, `plain_key_file` makes ``owner.key`` in
    :func:`key_folder`. If nothing was chosen it is in the operating system's keyring.

    Args:
        secrets: where to look up the variables, by default the environment.
        on_new_key: told once where the key of a new vault is, in a sentence.
        plain_key_file: whether a plain file will do for a new vault, to try things
            out: FiftyOne's server sends it to whoever reaches the server.
        ask_new: asks a person for a new vault's passphrase if nothing else is left.
        create: whether to create the vault if there is none.
        ask: asks a person for the passphrase if no variable has it.

    Raises:
        VaultError: the owner key is missing, or a new vault has nowhere to keep it
            (says what there is to choose from), or there is none and ``create`` is
            False.
        WrongKeyError: the owner key is another vault's.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    secrets = os.environ if secrets is None else secrets
    ledger = open_ledger()
    meta = ledger.get_meta()
    if meta is None and not create:
        raise VaultError(
            "There is no vault in FiftyOne's database yet. Make it in a terminal with "
            "`reue app confirm manage_recipients`, then add a recipient"
        )
    if meta is None:
        try:
            return _create(ledger, secrets, on_new_key, plain_key_file, ask_new)
        except VaultError:
            # Another process may have been faster; if not, the reason stands.
            meta = ledger.get_meta()
            if meta is None:
                raise
    folder, name = key_folder(), _database()
    check_shape(meta)
    require_remembered(meta["vault_id"], _remembered(folder, name), folder)
    provider = resolve(meta, folder, secrets, ask)
    _make_for_memo(folder)
    return Vault.open(ledger, provider, folder=folder, ledger_name=name)


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


def key_notice(secrets: Mapping[str, str] | None = None) -> str | None:
    """What the owner should know of where the owner key is, or where a new one goes.

    No key is needed for it, and nothing is made.

    Args:
        secrets: where to look up the variables, by default the environment.

    Returns:
        A sentence, or None if there is nothing to say.

    Raises:
        VaultError: there is no vault yet, and nowhere to keep the key of a new one.
    """
    secrets = os.environ if secrets is None else secrets
    meta = open_ledger().get_meta()
    kind = planned_kind(secrets=secrets) if meta is None else meta["provider"]["kind"]
    in_file = plain_file(kind, secrets)
    if in_file:
        return f"{in_file} is in a file. {PLAIN_FILE_WARNING}"
    if meta is None and kind == KeyringKey.kind:
        return "The owner key will be made, and kept in this user's keyring"
    return None


def _create(
    ledger: MongoLedger,
    secrets: Mapping[str, str],
    on_new_key: Callable[[str], None],
    plain_key_file: bool,
    ask_new: Ask | None,
) -> Vault:
    require_no_vault(ledger)
    vault_id = new_vault_id()
    folder, name = key_folder(), _database()
    for one in _remembered(folder, name):
        raise VaultError(
            f"A vault was in this database ({name}), and its ledger is gone: put the "
            "database back from a backup. For a new vault, remove "
            f"{folder / (one.vault_id + SUFFIX)} and the old owner key"
        )
    kind = planned_kind(secrets=secrets, plain_key_file=plain_key_file, ask=ask_new)
    if kind == KeyFile.kind and not secret(secrets, KEY_FILE_VARIABLE):
        _make(folder)
    provider = choose(
        vault_id,
        folder,
        plain_key_file=plain_key_file,
        secrets=secrets,
        ask=ask_new,
    )
    _make_for_memo(folder)
    places = places_for(provider, folder)
    vault = Vault.create(
        ledger, provider, vault_id=vault_id, places=places, ledger_name=name
    )
    text = _told(provider)
    if text:
        on_new_key(text)
    return vault


def _database() -> str:
    """Which database FiftyOne's is, without what may be secret in its address."""
    import fiftyone as fo

    address = fo.config.database_uri or Path(fo.config.database_dir).absolute()
    bare = re.sub(r"//.*@", "//", str(address)).partition("?")[0]
    return f"{bare.rstrip('/')}/{fo.config.database_name}"


def _remembered(folder: Path, database: str) -> list[Remembered]:
    return [one for one in remembered_in([folder]) if one.ledger == database]


def _make_for_memo(folder: Path) -> None:
    """Make a place for what is remembered of the vault, also without a key file."""
    with contextlib.suppress(OSError):  # `reue vault check` says so
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: this folder for the owner key can't be made: "
            f"{error.strerror}; set {PASSPHRASE_VARIABLE} to a passphrase instead"
        ) from error


def _told(provider: OwnerKeyProvider) -> str | None:
    """What the owner of a new vault has to know, but for what they set themselves."""
    match provider:
        case KeyFile():
            where = f"its owner key is {provider.path}"
            warning = f". {PLAIN_FILE_WARNING}"
        case KeyringKey():
            where, warning = f"its owner key is {provider.describe()}", ""
        case _:
            return None
    return (
        f"A vault was created; {where}. Whoever has it can restore every original, "
        f"and without it nobody can: keep a copy in a safe place{warning}"
    )


__all__ = [
    "KEY_FILE_NAME",
    "SECRETS",
    "check_vault",
    "key_folder",
    "key_notice",
    "open_ledger",
    "open_vault",
    "repair_vault",
]
