"""What an owner remembers of a vault, away from its ledger.

Beside the owner key is kept how often the ledger was changed, and copies of the
vault's description and of the sealed list of what the ledger holds. So a ledger that
was put back from a backup is noticed, a ledger that was authenticated can't be passed
off as one that never was, nor another vault for this one, and a lost description or
list can be put back. Nothing of it is secret: the description's keys are sealed with
the owner key, the list with one of the vault's.

Several processes may have the vault open, some with an older view of it. What is kept
is read again under a lock before it is replaced, and its counter only goes up.

Whoever can replace this as well as the ledger can put both back to an earlier state.
"""

from __future__ import annotations

import base64
import contextlib
import json
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from fiftyone_reue.errors import OutputError, ReueError, TamperedLedgerError, VaultError
from fiftyone_reue.vault.file_lock import file_lock
from fiftyone_reue.vault.owner_keys import (
    KeyFile,
    KeyringKey,
    MidRotation,
    OwnerKeyProvider,
    keyring_entry,
)
from fiftyone_reue.vault.private_files import write_private

SUFFIX = ".counter"

_LARGEST = 16 << 20
_LONGEST_LIST = 8 << 20
_HIGHEST = (1 << 63) - 1
_ABOUT = (
    "How often the ledger of this vault was changed, and copies of its description and "
    "its sealed list. Keep it with the owner key; without it, an old ledger isn't "
    "noticed."
)


@dataclass(frozen=True)
class Remembered:
    """What is kept in one place.

    Attributes:
        vault_id: whose.
        counter: of the last change to the ledger.
        meta: the vault's description.
        listed: the sealed list of what the ledger holds, of that change or a later
            one; empty where a store doesn't keep it, or it is too long.
        ledger: which database its ledger is in, in words; "" for one in a folder.
    """

    vault_id: str
    counter: int
    meta: dict[str, Any]
    listed: bytes = b""
    ledger: str = ""

    def to_text(self) -> str:
        """As a file holds it."""
        content: dict[str, Any] = {
            "about": _ABOUT,
            "vault": self.vault_id,
            "counter": self.counter,
            "description": self.meta,
        }
        if self.listed:
            content["list"] = base64.b64encode(self.listed).decode()
        if self.ledger:
            content["ledger"] = self.ledger
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_text(cls, text: str, name: str) -> Remembered:
        """The inverse of :meth:`to_text`.

        Raises:
            VaultError: it is damaged.
        """
        try:
            content = json.loads(text)
            counter = content["counter"]
            if type(counter) is not int or not 0 <= counter <= _HIGHEST:
                raise ValueError
            listed = base64.b64decode(content.get("list", ""), validate=True)
            meta, ledger = dict(content["description"]), content.get("ledger", "")
            if not isinstance(ledger, str):
                raise ValueError
            return cls(str(content["vault"]), counter, meta, listed, ledger)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise VaultError(
                f"{name} is damaged, so it can't be told whether the ledger is the "
                "newest one. Put it back from a backup, or delete it if you know why"
            ) from None


class MemoStore(Protocol):
    """Somewhere that an owner's memo is kept."""

    def describe(self, vault_id: str) -> str:
        """In words."""
        ...

    def read(self, vault_id: str) -> Remembered | None:
        """What is kept, or None; VaultError if it is damaged."""
        ...

    def write(self, remembered: Remembered) -> None:
        """Replace it; OutputError or VaultError if that can't be done."""
        ...

    def locked(self, vault_id: str) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from replacing it; OutputError if that can't be done."""
        ...


class FolderStore:
    """A file in a folder, named after the vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FolderStore) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    def path(self, vault_id: str) -> Path:
        """The file."""
        return self.folder / f"{vault_id}{SUFFIX}"

    def describe(self, vault_id: str) -> str:
        return str(self.path(vault_id))

    def read(self, vault_id: str) -> Remembered | None:
        path = self.path(vault_id)
        found = _read(path)
        return None if found is None else _of(vault_id, found, str(path))

    def write(self, remembered: Remembered) -> None:
        path = self.path(remembered.vault_id)
        if len(remembered.listed) > _LONGEST_LIST:
            remembered = replace(remembered, listed=b"")
        write_private(path, remembered.to_text(), overwrite=True)

    def locked(self, vault_id: str) -> contextlib.AbstractContextManager[None]:
        path = self.path(vault_id)
        return file_lock(path.with_name(f"{path.name}.lock"))


class KeyringStore:
    """An entry of the operating system's keyring, which holds no long ones.

    Args:
        beside: a folder that all processes with the vault have, for the lock.
    """

    def __init__(self, beside: Path | None = None) -> None:
        self._beside = beside

    def describe(self, vault_id: str) -> str:
        return f"the keyring's entry {vault_id}{SUFFIX}"

    def read(self, vault_id: str) -> Remembered | None:
        text = keyring_entry("get_password", f"{vault_id}{SUFFIX}")
        if text is None:
            return None
        where = self.describe(vault_id)
        return _of(vault_id, Remembered.from_text(text, where), where)

    def write(self, remembered: Remembered) -> None:
        account = f"{remembered.vault_id}{SUFFIX}"
        text = replace(remembered, listed=b"").to_text()
        keyring_entry("set_password", account, text)

    @contextmanager
    def locked(self, vault_id: str) -> Iterator[None]:
        if self._beside is None or not self._beside.is_dir():
            yield
            return
        with FolderStore(self._beside).locked(vault_id):
            yield


class Memo:
    """What is remembered of one vault, in all its stores.

    Args:
        vault_id: whose.
        stores: beside the owner key and beside the ledger; none remembers nothing
            beyond this process.
        ledger: see :class:`Remembered`; "" leaves what the stores have.

    Attributes:
        ledger: as it was given.
        counter: the highest that any store had, or that was kept since.
        unkept: the stores that can't be written, in words.
        known: whether any store knew the vault.
        found_in: the stores that knew it, in words.
        descriptions: of the vault, as these had them.

    Raises:
        VaultError: what a store has is damaged.
    """

    def __init__(
        self, vault_id: str, stores: Sequence[MemoStore] = (), ledger: str = ""
    ) -> None:
        self._vault_id = vault_id
        self.ledger = ledger
        self._stores = list(stores)
        self._threads = threading.Lock()
        found = [store.read(vault_id) for store in self._stores]
        there = [one for one in found if one is not None]
        self.counter = max((one.counter for one in there), default=0)
        self.known = bool(there)
        self.found_in = [
            store.describe(vault_id)
            for store, one in zip(self._stores, found, strict=True)
            if one is not None
        ]
        self.descriptions = [one.meta for one in there if one.meta]
        self.unkept: list[str] = []
        self._meta: dict[str, Any] = {}

    @property
    def places(self) -> list[str]:
        """Where it is kept, in words."""
        return [
            where
            for store in self._stores
            for where in [store.describe(self._vault_id)]
            if where not in self.unkept
        ]

    def keep_counter(self, counter: int, listed: bytes = b"") -> None:
        """Remember a change to the ledger that is there by now.

        Where a later one is remembered already, by another process, that stays.

        Args:
            counter: of the change.
            listed: the ledger's sealed list after it.
        """
        with self._threads:
            self.counter = max(self.counter, counter)
            for store in self._stores:
                self._keep(
                    store, lambda kept: self._with_counter(kept, counter, listed)
                )

    def _with_counter(
        self, kept: Remembered | None, counter: int, listed: bytes
    ) -> Remembered | None:
        if kept is None:
            if not self._meta:
                return None
            kept = Remembered(self._vault_id, 0, self._meta, ledger=self.ledger)
        highest = max(kept.counter, self.counter)
        if counter < highest or not listed:
            # A list of before that change would tell less than none.
            listed = kept.listed if kept.counter == highest else b""
        return replace(kept, counter=highest, listed=listed)

    def keep_meta(
        self, meta: Mapping[str, Any], is_current: Callable[[], bool] = lambda: True
    ) -> None:
        """Remember the vault's description.

        Args:
            meta: the description.
            is_current: tells whether the ledger still has it. It is asked under the
                lock, so that a description from before a rotation, with its seal for
                the old owner key, never replaces the one from after it.
        """
        with self._threads:
            self._meta = dict(meta)
            for store in self._stores:
                self._keep(store, lambda kept: self._with_meta(kept, is_current))

    def _with_meta(
        self, kept: Remembered | None, is_current: Callable[[], bool]
    ) -> Remembered | None:
        if kept is None:
            kept = Remembered(self._vault_id, 0, {})
        new = replace(
            kept,
            meta=self._meta,
            counter=max(kept.counter, self.counter),
            ledger=self.ledger or kept.ledger,
        )
        return new if new == kept or is_current() else None

    def _keep(
        self, store: MemoStore, change: Callable[[Remembered | None], Remembered | None]
    ) -> None:
        """Replace what a store has by what `change` makes of it; None: by nothing."""
        where = store.describe(self._vault_id)
        try:
            kept = store.read(self._vault_id)
            if change(kept) != kept:
                with store.locked(self._vault_id):
                    kept = store.read(self._vault_id)
                    new = change(kept)
                    if new is not None and new != kept:
                        store.write(new)
                    kept = new or kept
        except (OutputError, VaultError):
            # A mounted secret, or a locked keyring: `reue vault check` says so.
            if where not in self.unkept:
                self.unkept.append(where)
            return
        if kept is not None:
            self.counter = max(self.counter, kept.counter)
        if where in self.unkept:
            self.unkept.remove(where)


def stores_for(provider: OwnerKeyProvider, folder: Path | None) -> list[MemoStore]:
    """Where to remember a vault: beside its owner key, and in its folder.

    Args:
        provider: of the owner key.
        folder: the vault's, or the one for owner keys.
    """
    found = provider.found if isinstance(provider, MidRotation) else provider
    stores: list[MemoStore] = []
    if isinstance(found, KeyFile):
        stores.append(FolderStore(found.path.absolute().parent))
    if isinstance(found, KeyringKey):
        stores.append(KeyringStore(None if folder is None else folder.absolute()))
    beside = None if folder is None else FolderStore(folder.absolute())
    if beside is not None and beside not in stores:
        stores.append(beside)
    return stores


def remembered_in(folders: Iterable[Path]) -> list[Remembered]:
    """Of all vaults that are remembered in folders; damaged files are left out."""
    found: dict[str, Remembered] = {}
    for folder in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            with contextlib.suppress(ReueError):
                one = _read(path)
                if one is not None and path.name == f"{one.vault_id}{SUFFIX}":
                    known = found.setdefault(one.vault_id, one)
                    if known.counter < one.counter:
                        found[one.vault_id] = one
    return list(found.values())


def remembered_of(folder: Path, ledger: str = "") -> list[Remembered]:
    """Of the vaults that one ledger was of, as a folder remembers them.

    Args:
        folder: the vault's, or the one for owner keys.
        ledger: see :class:`Remembered`.
    """
    return [one for one in remembered_in([folder]) if one.ledger == ledger]


def _of(vault_id: str, found: Remembered, where: str) -> Remembered:
    if found.vault_id != vault_id:
        raise VaultError(
            f"{where} is of another vault, so it can't be told whether the ledger is "
            "the newest one. Put it back from a backup, or delete it if you know why"
        )
    return found


def require_remembered(
    vault_id: str, known: Sequence[Remembered], folder: Path
) -> None:
    """Make sure that a ledger's vault is among those that are remembered of it.

    Args:
        vault_id: as the ledger says.
        known: what is remembered of this ledger; nothing makes every vault good.
        folder: where it is remembered, for an error.

    Raises:
        TamperedLedgerError: it is another.
    """
    if not known or any(one.vault_id == vault_id for one in known):
        return
    former = known[0].vault_id
    raise TamperedLedgerError(
        f"The ledger is now of a vault {vault_id}, and was of {former}: somebody put "
        "another vault in its place, whose key may be theirs. Put the ledger back from "
        "a backup; if only the description is wrong, `reue vault repair`. If you did "
        f"that yourself, remove {folder / (former + SUFFIX)} first"
    )


def _read(path: Path) -> Remembered | None:
    try:
        # A pipe would be waited for until somebody writes to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise VaultError(
                f"{path} isn't a file, so it can't be told whether the ledger is the "
                "newest one. Put the file back from a backup"
            )
        with path.open("rb") as file:
            data = file.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultError(
            f"{path} can't be read: {error.strerror}; check its permissions"
        ) from error
    return Remembered.from_text(data.decode(errors="replace"), str(path))
