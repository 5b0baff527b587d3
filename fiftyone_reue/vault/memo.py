"""What an owner remembers of a vault, away from its ledger.

Beside the owner key is kept how often the ledger was changed, and a copy of the
vault's description. So a ledger that was put back from a backup is noticed, a ledger
that was authenticated can't be passed off as one that never was, nor another vault
for this one, and a lost description can be put back. Nothing of it is secret: the
description's keys are sealed with the owner key.

Whoever can replace this as well as the ledger can put both back to an earlier state.
"""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fiftyone_reue.errors import (
    OutputError,
    ReueError,
    TamperedLedgerError,
    VaultError,
)
from fiftyone_reue.vault.owner_keys import (
    KeyFile,
    KeyringKey,
    MidRotation,
    OwnerKeyProvider,
    keyring_entry,
)
from fiftyone_reue.vault.private_files import write_private

SUFFIX = ".counter"

_LARGEST = 1 << 20
_HIGHEST = (1 << 63) - 1
_ABOUT = (
    "How often the ledger of this vault was changed, and a copy of its description. "
    "Keep it with the owner key; without it, an old ledger isn't noticed."
)


@dataclass(frozen=True)
class Remembered:
    """What is kept in one place.

    Attributes:
        vault_id: whose.
        counter: of the last change to the ledger.
        meta: the vault's description.
        ledger: which database its ledger is in, in words; "" for one in a folder.
    """

    vault_id: str
    counter: int
    meta: dict[str, Any]
    ledger: str = ""

    def to_text(self) -> str:
        """As a file holds it."""
        content = {
            "about": _ABOUT,
            "vault": self.vault_id,
            "counter": self.counter,
            "description": self.meta,
        }
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
            meta, ledger = dict(content["description"]), content.get("ledger", "")
            return cls(str(content["vault"]), counter, meta, str(ledger))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise VaultError(
                f"{name} is damaged, so it can't be told whether the ledger is the "
                "newest one. Put it back from a backup, or delete it if you know why"
            ) from None


class Place(Protocol):
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


class FolderPlace:
    """A file in a folder, named after the vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FolderPlace) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    def path(self, vault_id: str) -> Path:
        """The file."""
        return self.folder / f"{vault_id}{SUFFIX}"

    def describe(self, vault_id: str) -> str:
        return str(self.path(vault_id))

    def read(self, vault_id: str) -> Remembered | None:
        return _read(self.path(vault_id))

    def write(self, remembered: Remembered) -> None:
        path = self.path(remembered.vault_id)
        write_private(path, remembered.to_text(), overwrite=True)


class KeyringPlace:
    """An entry of the operating system's keyring."""

    def describe(self, vault_id: str) -> str:
        return f"the keyring's entry {vault_id}{SUFFIX}"

    def read(self, vault_id: str) -> Remembered | None:
        text = keyring_entry("get_password", f"{vault_id}{SUFFIX}")
        if text is None:
            return None
        return Remembered.from_text(text, self.describe(vault_id))

    def write(self, remembered: Remembered) -> None:
        account = f"{remembered.vault_id}{SUFFIX}"
        keyring_entry("set_password", account, remembered.to_text())


class Memo:
    """What is remembered of one vault, in all its places.

    Args:
        vault_id: whose.
        places: beside the owner key and beside the ledger; none remembers nothing
            beyond this process.
        ledger: see :class:`Remembered`.

    Attributes:
        counter: the highest that any place had, or that was kept since.
        unkept: the places that can't be written, in words.
        known: whether any place knew the vault.
        found_in: the places that knew it, in words.
        descriptions: of the vault, as these had them.

    Raises:
        VaultError: what a place has is damaged.
    """

    def __init__(
        self, vault_id: str, places: Sequence[Place] = (), ledger: str = ""
    ) -> None:
        self._vault_id = vault_id
        self._ledger = ledger
        self._places = list(places)
        found = [place.read(vault_id) for place in self._places]
        there = [one for one in found if one is not None]
        self.counter = max((one.counter for one in there), default=0)
        self.known = bool(there)
        self.found_in = [
            place.describe(vault_id)
            for place, one in zip(self._places, found, strict=True)
            if one is not None
        ]
        self.descriptions = [one.meta for one in there if one.meta]
        self.unkept: list[str] = []
        self._meta: dict[str, Any] = {}
        self._kept = found

    @property
    def places(self) -> list[str]:
        """Where it is kept, in words."""
        return [
            where
            for place in self._places
            for where in [place.describe(self._vault_id)]
            if where not in self.unkept
        ]

    def keep_counter(self, counter: int) -> None:
        """Remember a change to the ledger that is there by now."""
        self.counter = max(self.counter, counter)
        self._write()

    def keep_meta(self, meta: Mapping[str, Any]) -> None:
        """Remember the vault's description as it is now."""
        self._meta = dict(meta)
        self._write()

    def _write(self) -> None:
        if not self._meta:
            return
        remembered = Remembered(self._vault_id, self.counter, self._meta, self._ledger)
        for number, place in enumerate(self._places):
            if self._kept[number] == remembered:
                continue
            where = place.describe(self._vault_id)
            try:
                place.write(remembered)
            except (OutputError, VaultError):
                # A mounted secret, or a locked keyring: `reue vault check` says so.
                if where not in self.unkept:
                    self.unkept.append(where)
                continue
            self._kept[number] = remembered
            if where in self.unkept:
                self.unkept.remove(where)


def places_for(provider: OwnerKeyProvider, folder: Path | None) -> list[Place]:
    """Where to remember a vault: beside its owner key, and in its folder.

    Args:
        provider: of the owner key.
        folder: the vault's, or the one for owner keys.
    """
    found = provider.found if isinstance(provider, MidRotation) else provider
    places: list[Place] = []
    if isinstance(found, KeyFile):
        places.append(FolderPlace(found.path.absolute().parent))
    if isinstance(found, KeyringKey):
        places.append(KeyringPlace())
    beside = None if folder is None else FolderPlace(folder.absolute())
    if beside is not None and beside not in places:
        places.append(beside)
    return places


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
