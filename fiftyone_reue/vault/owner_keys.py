"""Where the owner's 32-byte key comes from.

It is never stored in a ledger, never shown in a message, and no provider's repr
contains it. What a vault remembers about its provider is public: its kind, and what
is needed to find or compute the key again.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import importlib
import os
import re
import secrets as random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from fiftyone_reue import prf
from fiftyone_reue.errors import UPDATE, InputError, ReueError, VaultError
from fiftyone_reue.vault import crypto, description
from fiftyone_reue.vault.armour import Armour, decode, encode
from fiftyone_reue.vault.key_files import read_text
from fiftyone_reue.vault.passphrases import (
    DEFAULT_N,
    LEAST_N_VARIABLE,
    Ask,
    ScryptParameters,
    WeakScryptError,
    chosen,
    spoken,
)
from fiftyone_reue.vault.private_files import write_private
from fiftyone_reue.vault.small_files import others_can_read

KEY_VARIABLE = "REUE_OWNER_KEY"
KEY_FILE_VARIABLE = "REUE_OWNER_KEY_FILE"
PASSPHRASE_VARIABLE = "REUE_OWNER_PASSPHRASE"
PASSPHRASE_FILE_VARIABLE = "REUE_OWNER_PASSPHRASE_FILE"

KEY_FILE_NAME = "owner.key"
FORMER = ".old-"
"""Stands between the name of a former owner key's file and the key's id."""

KEYRING_SERVICE = "fiftyone-reue"

_KIND = "OWNER"
_PROMPT = "Passphrase of the vault"
_NEW_PROMPT = "New passphrase of the vault"

PLAIN_FILE_WARNING = (
    "It is a plain file, and FiftyOne's server sends every file that its user can read "
    "to whoever reaches the server: with it, every original. For images that matter, "
    "keep the owner key in the keyring, or use a passphrase that is in no file"
)
"""What to tell whoever has the owner key or its passphrase in a file."""


class OwnerKeyProvider(Protocol):
    """Something that knows the owner key.

    `kind` is one word for the vault's description; :meth:`public` is all of what the
    description holds, and contains `kind`.
    """

    @property
    def kind(self) -> str: ...

    def describe(self) -> str:
        """Where the key comes from, in words, for messages."""
        ...

    def public(self) -> dict[str, Any]:
        """What a vault remembers of this provider, as JSON can hold it."""
        ...

    def load(self) -> bytes:
        """The 32-byte key.

        Raises:
            VaultError: if it isn't there or can't be read
        """
        ...


class EnvironmentKey:
    """The raw key in ``REUE_OWNER_KEY``: 64 hex digits, or base64 of 32 bytes.

    Args:
        secrets: where to look it up, by default the environment
    """

    kind = "environment"

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self._secrets = os.environ if secrets is None else secrets

    def __repr__(self) -> str:
        return "EnvironmentKey()"

    def describe(self) -> str:
        return f"the variable {KEY_VARIABLE}"

    def public(self) -> dict[str, Any]:
        return {"kind": self.kind}

    def load(self) -> bytes:
        text = secret(self._secrets, KEY_VARIABLE)
        if text is None:
            raise VaultError(
                f"The owner key is missing. Set {KEY_VARIABLE} to the key of this "
                f"vault, or {KEY_FILE_VARIABLE} to the file that holds it"
            )
        key = _parse_raw_key(text.strip())
        if key is None:
            raise VaultError(
                f"{KEY_VARIABLE} isn't a key: it must be 64 hex digits, or base64 of "
                "32 random bytes"
            )
        return key


class KeyFile:
    """The key in an armoured text file.

    Args:
        path: the file
        reference: what the vault remembers of the path, by default all of it. A name
            without a folder means a file in the vault's folder
        private: whether to refuse a file that others than its owner may read
    """

    kind = "key-file"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        reference: str | None = None,
        private: bool = True,
    ) -> None:
        self.path = Path(path)
        self.reference = str(self.path.absolute()) if reference is None else reference
        self._private = private

    def __repr__(self) -> str:
        return f"KeyFile({str(self.path)!r})"

    def describe(self) -> str:
        return f"the key file {self.path}"

    def public(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": self.reference}

    def load(self) -> bytes:
        if not self.path.exists():
            raise VaultError(
                f"The owner key file {self.path} is missing. Put it back, or set "
                f"{KEY_FILE_VARIABLE} to where it is, or {KEY_VARIABLE} to the key"
                f"{self._former()}"
            )
        if self._private:
            self._require_private()
        try:
            armour = decode(read_text(self.path), str(self.path))
        except InputError as error:
            raise VaultError(str(error)) from None
        if armour.kind != _KIND:
            raise VaultError(
                f"{self.path} is a recipient's key where the owner key is expected"
            )
        if len(armour.body) != prf.KEY_SIZE:
            raise VaultError(f"{self.path} doesn't hold a key of 32 bytes")
        return armour.body

    def _former(self) -> str:
        """Which files a rotation put away, for who opens a backup."""
        former = sorted(self.path.parent.glob(f"{self.path.name}{FORMER}*"))
        if not former:
            return ""
        return (
            ". For a ledger from before a rotation, that is the former key: "
            + " or ".join(map(str, former))
        )

    def _require_private(self) -> None:
        if others_can_read(self.path):
            raise VaultError(
                f"The owner key file {self.path} can be read by others; run "
                f"`chmod 600 {self.path}` (and consider a new key: `reue keys rotate`)"
            )

    def create(self, *, overwrite: bool = False) -> None:
        """Writes a new random key with mode 0600.

        Raises:
            FileExistsError: if the file is there and `overwrite` is False
            OutputError: if it can't be written
        """
        key = random.token_bytes(prf.KEY_SIZE)
        text = encode(Armour(_KIND, {"Key-Id": crypto.key_id(key)}, key))
        write_private(self.path, text, overwrite=overwrite)


class Passphrase:
    """A key computed from a passphrase with scrypt.

    Args:
        passphrase: the passphrase, or a callback that asks for it
        scrypt: scrypt's parameters, which the vault remembers
    """

    kind = description.PASSPHRASE_KIND

    def __init__(self, passphrase: str | Ask, scrypt: ScryptParameters) -> None:
        self._passphrase = passphrase
        self._scrypt = scrypt

    def __repr__(self) -> str:
        return "Passphrase()"

    @classmethod
    def new(cls, passphrase: str | Ask, *, n: int = DEFAULT_N) -> Passphrase:
        """A provider with a random salt, for a new vault or a rotation."""
        if isinstance(passphrase, str):
            passphrase = chosen(passphrase, _NEW_PROMPT)
        return cls(passphrase, ScryptParameters.new(n))

    def describe(self) -> str:
        return "the passphrase"

    def public(self) -> dict[str, Any]:
        return {"kind": self.kind, **self._scrypt.parameters()}

    def load(self) -> bytes:
        return self._scrypt.key(spoken(self._passphrase, _PROMPT))


class KeyringKey:
    """The key in the operating system's keyring, under service ``fiftyone-reue``.

    Args:
        account: the keyring's account; the vault's id, unless the key was rotated
    """

    kind = "keyring"

    def __init__(self, account: str) -> None:
        self.account = account

    def __repr__(self) -> str:
        return f"KeyringKey({self.account!r})"

    def describe(self) -> str:
        return f"the keyring's entry {KEYRING_SERVICE}/{self.account}"

    def public(self) -> dict[str, Any]:
        return {"kind": self.kind, "account": self.account}

    def load(self) -> bytes:
        text = keyring_entry("get_password", self.account)
        key = None if text is None else _parse_raw_key(text)
        if key is None:
            raise VaultError(
                f"The keyring holds no owner key for {KEYRING_SERVICE}/{self.account}. "
                f"Log in as the user who made the vault, or set {KEY_VARIABLE}"
            )
        return key

    def create(self) -> None:
        """Stores a new random key.

        Raises:
            VaultError: if there is no keyring, or it refuses or forgets it, or keeps
                it in a plain file
        """
        _require_no_plain_file()
        key = random.token_hex(prf.KEY_SIZE)
        keyring_entry("set_password", self.account, key)
        if keyring_entry("get_password", self.account) != key:
            raise VaultError(
                "The system's keyring doesn't keep what it is given. Set up another "
                f"one, or set {PASSPHRASE_VARIABLE} to a passphrase"
            )


def keyring_entry(action: str, account: str, *values: str) -> str | None:
    """Gets or sets an entry of the operating system's keyring.

    Args:
        action: ``get_password`` or ``set_password``
        account: which entry
        *values: what to set

    Raises:
        VaultError: if there is no keyring, or it refuses
    """
    keyring = load_keyring()
    from keyring.errors import KeyringError

    try:
        return getattr(keyring, action)(KEYRING_SERVICE, account, *values)
    except KeyringError as error:
        raise VaultError(
            f"The system's keyring can't be used ({type(error).__name__}). Unlock "
            f"it, or set {KEY_VARIABLE} to the owner key"
        ) from None


class MidRotation:
    """Either of two providers: a rotation was interrupted between them.

    `found` is the one whose key fits, once it is loaded.
    """

    kind = "mid-rotation"

    def __init__(
        self,
        makers: Sequence[Callable[[], OwnerKeyProvider]],
        fits: Callable[[bytes], bool],
    ) -> None:
        self._makers = makers
        self._fits = fits
        self.found: OwnerKeyProvider | None = None

    def describe(self) -> str:
        return "the old or the new owner key of an interrupted rotation"

    def public(self) -> dict[str, Any]:
        raise VaultError("An interrupted rotation can't be the provider of a new vault")

    def load(self) -> bytes:
        other: bytes | None = None
        first_error: ReueError | None = None
        for make in self._makers:
            try:
                provider = make()
                key = provider.load()
            except ReueError as error:
                first_error = first_error or error
                continue
            if self._fits(key):
                self.found = provider
                return key
            other = key
        if other is not None:
            return other
        raise first_error or VaultError("The vault names no owner key provider")


def resolve(
    meta: Mapping[str, Any],
    folder: Path | None = None,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> OwnerKeyProvider:
    """Finds the provider of an existing vault.

    ``REUE_OWNER_KEY`` wins over every kind; ``REUE_OWNER_KEY_FILE`` names another
    place for a key file.

    Args:
        meta: the vault's description
        folder: the vault's folder, where a key file without a folder is
        secrets: where to look up the variables, by default the environment
        ask: asks a person for the passphrase if no variable has it

    Raises:
        VaultError: if what is needed isn't there; says what to set
    """
    secrets = os.environ if secrets is None else secrets
    if secret(secrets, KEY_VARIABLE):
        return EnvironmentKey(secrets)
    stored = [meta[name] for name in ("provider", "next_provider") if name in meta]
    if len(stored) == 1:
        return _stored_provider(stored[0], folder, secrets, ask)
    ask = None if ask is None else functools.cache(ask)
    makers = [
        functools.partial(_stored_provider, public, folder, secrets, ask)
        for public in stored
    ]
    return MidRotation(makers, functools.partial(description.fits, meta))


def _stored_provider(
    public: Mapping[str, Any],
    folder: Path | None,
    secrets: Mapping[str, str],
    ask: Ask | None,
) -> OwnerKeyProvider:
    match public.get("kind"):
        case EnvironmentKey.kind:
            elsewhere = _named_key_file(secrets)
            return elsewhere or EnvironmentKey(secrets)
        case KeyFile.kind:
            return _named_key_file(secrets, public["path"]) or _key_file(
                public["path"], folder
            )
        case Passphrase.kind:
            return Passphrase(_required_passphrase(secrets, ask), _scrypt_of(public))
        case KeyringKey.kind:
            return KeyringKey(public["account"])
        case other:
            raise VaultError(
                f"The vault's owner key comes from {other!r}, which this version "
                f"doesn't know; {UPDATE}. Or set {KEY_VARIABLE}"
            )


def planned_kind(
    *,
    passphrase: str | Ask | None = None,
    use_keyring: bool = False,
    key_file: str | os.PathLike[str] | None = None,
    plain_key_file: bool = False,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> str:
    """The kind of provider that :func:`choose` would choose; nothing is made.

    Raises:
        VaultError: if none is possible; says what there is to choose from
    """
    secrets = os.environ if secrets is None else secrets
    if secret(secrets, KEY_VARIABLE):
        return EnvironmentKey.kind
    if passphrase is not None or given_passphrase(secrets) is not None:
        return Passphrase.kind
    if use_keyring:
        return KeyringKey.kind
    if key_file or plain_key_file or secret(secrets, KEY_FILE_VARIABLE):
        return KeyFile.kind
    problem = keyring_problem()
    if problem is None:
        return KeyringKey.kind
    if ask is not None:
        return Passphrase.kind
    raise VaultError(
        f"A new vault needs an owner key, and {problem}. Set {PASSPHRASE_VARIABLE} to "
        f"a passphrase of several words, {PASSPHRASE_FILE_VARIABLE} to a file that "
        f"holds one, or {KEY_VARIABLE} to 64 random hex digits. To try things out, "
        "have a plain key file made, which FiftyOne's server would show to whoever "
        f"reaches it: where {KEY_FILE_VARIABLE} says, or by `reue init "
        "--plain-key-file` in a vault's folder, or in Python by plain_key_file=True"
    )


def choose(
    vault_id: str,
    folder: Path | None = None,
    *,
    passphrase: str | Ask | None = None,
    use_keyring: bool = False,
    key_file: str | os.PathLike[str] | None = None,
    plain_key_file: bool = False,
    secrets: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> OwnerKeyProvider:
    """Chooses the provider of a new vault, and makes its key where it needs one.

    In this order what was chosen: ``REUE_OWNER_KEY``; a passphrase, given or in the
    environment; the keyring; a key file at `key_file`, ``REUE_OWNER_KEY_FILE`` or, if
    `plain_key_file`, in the folder, which is used as it is if it's there already. If
    nothing was chosen, the keyring where there is one, else a passphrase that is
    asked for: never a key file.

    Args:
        vault_id: the new vault's
        folder: the vault's
        passphrase: or a callback that asks for it
        use_keyring: keep the key in the operating system's keyring
        key_file: where the key file is to be
        plain_key_file: whether a key file in the folder will do
        secrets: where to look up the variables, by default the environment
        ask: asks a person for a new passphrase, if nothing else is left

    Raises:
        VaultError: if none is possible; says what there is to choose from
        OutputError: if the key file can't be written
    """
    secrets = os.environ if secrets is None else secrets
    kind = planned_kind(
        passphrase=passphrase,
        use_keyring=use_keyring,
        key_file=key_file,
        plain_key_file=plain_key_file,
        secrets=secrets,
        ask=ask,
    )
    match kind:
        case EnvironmentKey.kind:
            return EnvironmentKey(secrets)
        case Passphrase.kind:
            given = given_passphrase(secrets) if passphrase is None else passphrase
            words = ask if given is None else given
            assert words is not None
            return Passphrase.new(chosen(words, _NEW_PROMPT))
        case KeyringKey.kind:
            keyring_key = KeyringKey(vault_id)
            keyring_key.create()
            return keyring_key
        case _:
            return _new_key_file(folder, key_file or secret(secrets, KEY_FILE_VARIABLE))


def _new_key_file(
    folder: Path | None, key_file: str | os.PathLike[str] | None
) -> KeyFile:
    if key_file is not None:
        provider = KeyFile(key_file)
    elif folder is not None:
        provider = KeyFile(folder / KEY_FILE_NAME, reference=KEY_FILE_NAME)
    else:
        raise VaultError(
            f"The new owner key file has no folder here; set {KEY_FILE_VARIABLE} to "
            "where it is to be"
        )
    try:
        provider.create()
    except FileExistsError:
        # Left by an interrupted start, or the one key of an owner of several vaults.
        provider.load()
    return provider


def load_keyring() -> Any:
    """The library `keyring`, so that FiftyOne can still be imported afterwards.

    Before Python 3.12 it loads another reader of packages' descriptions, which
    FiftyOne's part `eta` fails with; so that goes first, where it is.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("eta.constants")
    import keyring

    return keyring


def plain_file(kind: str, secrets: Mapping[str, str]) -> str | None:
    """What of a vault's owner key is in a plain file, in words; None if nothing is.

    Args:
        kind: of its provider
        secrets: where to look up the variables
    """
    if secret(secrets, KEY_VARIABLE):
        return "The owner key" if kind == KeyFile.kind else None
    if kind == Passphrase.kind:
        in_file = secret(secrets, PASSPHRASE_FILE_VARIABLE)
        said = secret(secrets, PASSPHRASE_VARIABLE)
        return "The owner's passphrase" if in_file and not said else None
    named = kind == EnvironmentKey.kind and secret(secrets, KEY_FILE_VARIABLE)
    return "The owner key" if kind == KeyFile.kind or named else None


def keyring_problem() -> str | None:
    """Why the operating system's keyring can't keep a key, in words; None if it can."""
    try:
        backend: Any = load_keyring().get_keyring()
        kept_by = getattr(backend, "backends", [backend])
        module = type(kept_by[0]).__module__ if kept_by else _NO_KEYRINGS[0]
        recommended = backend.priority >= 1
    except Exception as error:  # whatever a system's backend raises
        return f"the keyring here can't be used ({type(error).__name__})"
    if module.startswith(_NO_KEYRINGS):
        return "there is no keyring here"
    if module.startswith(_PLAIN_KEYRINGS) or not recommended:
        return "the keyring here is none of the operating system's"
    return None


def _require_no_plain_file() -> None:
    """Refuses a keyring that writes what it is given into a file in clear.

    Who asks for the keyring hasn't asked for a plain file.
    """
    backend: Any = load_keyring().get_keyring()
    for one in getattr(backend, "backends", [backend])[:1]:  # the first keeps it
        module, name = type(one).__module__, type(one).__name__
        if module.startswith(_PLAIN_KEYRINGS) and "plaintext" in name.lower():
            raise VaultError(
                f"The keyring here ({name}) is a plain file. {PLAIN_FILE_WARNING}. If "
                "a plain file will do, say so: --plain-key-file"
            )


_NO_KEYRINGS = ("keyring.backends.fail", "keyring.backends.null")
_PLAIN_KEYRINGS = "keyrings.alt"  # files, some of them in clear


def given_passphrase(secrets: Mapping[str, str]) -> str | None:
    """The passphrase in the variable, or in the file that the other one names.

    Raises:
        VaultError: if the file can't be read
    """
    passphrase = secret(secrets, PASSPHRASE_VARIABLE)
    path = secret(secrets, PASSPHRASE_FILE_VARIABLE)
    if passphrase is not None or path is None:
        return passphrase
    try:
        return read_text(Path(path)).rstrip("\r\n")
    except InputError:
        raise VaultError(
            f"{PASSPHRASE_FILE_VARIABLE} names {path}, which can't be read as text; "
            "check the path and permissions"
        ) from None


def secret(secrets: Mapping[str, str], name: str) -> str | None:
    """A variable's value; one that is empty counts as not set."""
    return secrets.get(name) or None


def _required_passphrase(secrets: Mapping[str, str], ask: Ask | None) -> str | Ask:
    passphrase = given_passphrase(secrets)
    if passphrase is not None:
        return passphrase
    if ask is not None:
        return ask
    raise VaultError(
        f"The vault's passphrase is missing. Set {PASSPHRASE_VARIABLE}, or "
        f"{PASSPHRASE_FILE_VARIABLE} to a text file that holds it, or {KEY_VARIABLE} "
        "to the owner key"
    )


def _scrypt_of(public: Mapping[str, Any]) -> ScryptParameters:
    try:
        return ScryptParameters.from_parameters(public)
    except WeakScryptError as error:
        raise VaultError(
            f"The vault's description can't be trusted: {error}. Somebody may have "
            "changed the ledger; put it back from a backup. If you chose that cost "
            f"yourself, set {LEAST_N_VARIABLE}={error.n} for one command, `reue keys "
            "rotate --passphrase`"
        ) from None
    except ValueError as error:
        raise VaultError(
            f"The vault's description is damaged: {error}; put the ledger back from a "
            "backup"
        ) from None


def _named_key_file(
    secrets: Mapping[str, str], reference: str | None = None
) -> KeyFile | None:
    path = secret(secrets, KEY_FILE_VARIABLE)
    if path is None:
        return None
    # Secrets that a container mounts are often readable by all in it: who names the
    # file is taken to know that.
    return KeyFile(path, reference=reference, private=False)


def _key_file(reference: str, folder: Path | None) -> KeyFile:
    if Path(reference).is_absolute():
        return KeyFile(reference, reference=reference)
    if folder is None:
        raise VaultError(
            f"The owner key file {reference} has no folder here. Set "
            f"{KEY_FILE_VARIABLE} to where it is, or {KEY_VARIABLE} to the key"
        )
    return KeyFile(folder / reference, reference=reference)


def _parse_raw_key(text: str) -> bytes | None:
    try:
        if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
            return bytes.fromhex(text)
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        key = base64.b64decode(padded.translate(_URL_SAFE), validate=True)
    except (ValueError, binascii.Error):
        return None
    return key if len(key) == prf.KEY_SIZE else None


_URL_SAFE = str.maketrans("-_", "+/")
