"""The vault of the FiftyOne side: one for each of FiftyOne's databases."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fiftyone_reue.errors import OutputError, VaultError, WrongKeyError
from fiftyone_reue.progress import finish
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.vault.check import CheckReport, check
from fiftyone_reue.vault.description import check_shape
from fiftyone_reue.vault.ledger.mongo import MongoLedger
from fiftyone_reue.vault.memo import (
    SUFFIX,
    remembered_of,
    require_remembered,
    stores_for,
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
    Passphrase,
    choose,
    given_passphrase,
    plain_file,
    planned_kind,
    resolve,
    secret,
)
from fiftyone_reue.vault.passphrases import Ask
from fiftyone_reue.vault.rotation import Rotation, rotate_vault
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

NO_VAULT = (
    "There is no vault in FiftyOne's database yet. Make it in a terminal with `reue "
    "app confirm manage_recipients`, then add a recipient"
)

logger = logging.getLogger(__name__)


def known_secrets(look_up: Callable[[str], str | None]) -> dict[str, str]:
    """The variables that the owner key comes from, of those that are set.

    Args:
        look_up: gives a variable's value, as a FiftyOne context's ``secret`` does.
    """
    values = {name: look_up(name) for name in SECRETS}
    return {name: value for name, value in values.items() if value}


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

    Example::

        vault = reue.open_vault(plain_key_file=True)     # plain: to try it

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
    if meta is None and create:
        try:
            return _create(ledger, secrets, on_new_key, plain_key_file, ask_new)
        except VaultError:
            # Another process may have been faster; if not, the reason stands.
            if ledger.get_meta() is None:
                raise
    return _opened(ledger, secrets, ask)[0]


def _opened(
    ledger: MongoLedger, secrets: Mapping[str, str] | None, ask: Ask | None
) -> tuple[Vault, OwnerKeyProvider]:
    """The vault of a ledger, and where its owner key came from."""
    meta = described(ledger)
    folder, name = _memo_folder(), _database()
    require_remembered(meta["vault_id"], remembered_of(folder, name), folder)
    provider = resolve(meta, folder, secrets, ask)
    vault = Vault.open(ledger, provider, folder=folder, ledger_name=name)
    return vault, provider


def check_vault(
    secrets: Mapping[str, str] | None = None, *, vault: Vault | None = None
) -> CheckReport:
    """Verify every row of the ledger, as ``reue vault check`` does.

    Example::

        assert not reue.check_vault().problems

    Args:
        secrets: as for :func:`open_vault`.
        vault: by default the one in FiftyOne's database.

    Raises:
        VaultError: as for :func:`open_vault`.
    """
    return finish(check(vault or open_vault(secrets)))


def repair_vault(
    secrets: Mapping[str, str] | None = None, *, ask: Ask | None = None
) -> str:
    """Put back the vault's description, or the list of its rows, if it was lost.

    The copies beside the owner key are taken, if the owner key opens them.

    Args:
        secrets: as for :func:`open_vault`.

    Returns:
        The vault's id.

    Raises:
        VaultError: both are there and whole, or there is no copy.
        WrongKeyError: the owner key opens no copy.
    """
    return repair_ledger(
        open_ledger(),
        key_folder(),
        secrets=secrets,
        ask=ask,
        ledger_name=_database(),
    )


def rotate_key(
    secrets: Mapping[str, str] | None = None,
    *,
    passphrase: str | Ask | None = None,
    use_keyring: bool = False,
    key_file: str | os.PathLike[str] | None = None,
    plain_key_file: bool = False,
    provider: OwnerKeyProvider | None = None,
    ask: Ask | None = None,
    ask_new: Ask | None = None,
) -> Rotation:
    """Give the vault in FiftyOne's database a new owner key.

    As ``reue keys rotate --app`` does; see
    :func:`~fiftyone_reue.vault.rotation.rotate_vault`. Vaults that are open, a server
    that has the old key in its environment included, need the new one from then on.

    Example::

        for note in reue.rotate_key(plain_key_file=True).notes():
            print(note)

    Args:
        secrets: as for :func:`open_vault`, for the present key.
        passphrase: the new one, or a callback that asks for it.
        use_keyring: keep the new key in the operating system's keyring.
        key_file: keep it in a plain file, here.
        plain_key_file: keep it in a plain file in :func:`key_folder`.
        provider: of the new key.
        ask: asks a person for the present passphrase.
        ask_new: asks a person for a new passphrase.

    Returns:
        What became of both keys: ``print(*rotate_key(use_keyring=True).notes())``.

    Raises:
        VaultError: there is no vault, its owner key is missing, or it has to be said
            where the new one is to come from.
        WrongKeyError: the owner key is another vault's.
        OutputError: a key file can't be written, or ``key_file`` is there already.
        InputError: the present key's file opens other vaults too.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    vault, present = _opened(open_ledger(), secrets, ask)
    if plain_key_file:
        _make(key_folder())
    return rotate_vault(
        vault,
        present,
        key_folder(),
        passphrase=passphrase,
        use_keyring=use_keyring,
        key_file=key_file,
        plain_key_file=plain_key_file,
        provider=provider,
        ask_new=ask_new,
    )


def key_folder() -> Path:
    """Where the owner key file is, unless a variable names another place."""
    config = os.environ.get("FIFTYONE_CONFIG_PATH")
    folder = Path(config).parent if config else Path.home() / ".fiftyone"
    return folder / "reue"


def key_notice(secrets: Mapping[str, str] | None = None) -> str | None:
    """What the owner should know of where the owner key is.

    No key is needed for it, and nothing is made.

    Args:
        secrets: where to look up the variables, by default the environment.

    Returns:
        A sentence, or None if there is nothing to say.

    Raises:
        VaultError: there is no vault yet; says how one is made.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    secrets = os.environ if secrets is None else secrets
    in_file = plain_file(described(open_ledger())["provider"]["kind"], secrets)
    return f"{in_file} is in a file. {PLAIN_FILE_WARNING}" if in_file else None


def require_vault() -> None:
    """Make sure that there is a vault; no key is needed for it.

    Raises:
        VaultError: there is none yet, and how one is made, or it lost its description.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    described(open_ledger())


def require_key(secrets: Mapping[str, str]) -> None:
    """Make sure that there is a vault, and that its owner key is here and right.

    A form asks that at every keystroke, and a panel whenever it looks for news, and a
    passphrase takes half a second; so a key that was looked at once is not tried again
    for as long as the vault's description stays. Whether its file is there, and holds
    the same, is looked at each time; a keyring, which may ask somebody to unlock it,
    isn't.

    Args:
        secrets: as for :func:`open_vault`.

    Raises:
        VaultError: there is no vault yet, or its owner key is missing.
        WrongKeyError: the owner key is another vault's.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    meta = described(open_ledger())
    try:
        mark = _key_mark(meta, secrets)
    except VaultError as error:
        raise VaultError(f"{error}\n{HOW_SEEN}") from error
    if mark in _wrong:
        raise WrongKeyError(_wrong[mark])
    if mark in _right:
        return
    try:
        open_vault(secrets, create=False)
    except WrongKeyError as error:
        _wrong[mark] = f"{error}\n{HOW_SEEN}"
        raise WrongKeyError(_wrong[mark]) from error
    _right.add(mark)


HOW_SEEN = (
    "A file is seen as soon as it is there. A variable is read when the App's server "
    "starts: set it, and start the App again."
)
"""What to know of an owner key that is missing or wrong while the App runs."""

_RIGHT_SALT = os.urandom(16)
_right: set[bytes] = set()
_wrong: dict[bytes, str] = {}


def _key_mark(meta: dict[str, Any], secrets: Mapping[str, str]) -> bytes:
    """Text that tells owner keys, and what they are to open, apart.

    Raises:
        VaultError: there is no owner key.
    """
    provider = resolve(meta, key_folder(), secrets)
    match provider:
        case Passphrase():
            found: str | bytes | None = given_passphrase(secrets)
        case KeyringKey():
            found = None
        case _:
            found = provider.load()
    known = json.dumps([meta, dict(secrets)], sort_keys=True, default=str)
    return hashlib.sha256(_RIGHT_SALT + f"{known}{found!r}".encode()).digest()


def described(ledger: MongoLedger) -> dict[str, Any]:
    """The description of the vault that a ledger has.

    Raises:
        VaultError: there is no vault yet; says how one is made.
    """
    meta = ledger.get_meta()
    if meta is None:
        require_no_vault(ledger)  # or it lost its description
        raise VaultError(NO_VAULT)
    check_shape(meta)
    return meta


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
    for one in remembered_of(folder, name):
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
    stores = stores_for(provider, _memo_folder())
    vault = Vault.create(
        ledger, provider, vault_id=vault_id, stores=stores, ledger_name=name
    )
    text = _key_notice(provider)
    if text:
        on_new_key(text)
    return vault


def _memo_folder() -> Path:
    """The folder for owner keys, where what is remembered of the ledger goes too.

    Also if the key is elsewhere. Where it can't be made, `reue vault check` says so.
    """
    folder = key_folder()
    with contextlib.suppress(OutputError):
        _make(folder)
    return folder


def _database() -> str:
    """Which database FiftyOne's is, without what may be secret in its address."""
    import fiftyone as fo

    address = fo.config.database_uri or Path(fo.config.database_dir).absolute()
    bare = re.sub(r"//.*@", "//", str(address)).partition("?")[0]
    return f"{bare.rstrip('/')}/{fo.config.database_name}"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: this folder for the owner key can't be made: "
            f"{error.strerror}; set {PASSPHRASE_VARIABLE} to a passphrase instead"
        ) from error


def _key_notice(provider: OwnerKeyProvider) -> str | None:
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
    "described",
    "key_folder",
    "key_notice",
    "open_ledger",
    "open_vault",
    "repair_vault",
    "require_key",
    "require_vault",
    "rotate_key",
]
