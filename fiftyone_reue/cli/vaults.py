"""Vaults in folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fiftyone_reue.cli.passphrases import ask_existing

if TYPE_CHECKING:
    from fiftyone_reue.vault.vault import Vault


@contextmanager
def opened(folder: Path) -> Iterator[Vault]:
    """Open the vault in a folder, and close its ledger at the end."""
    from fiftyone_reue.vault.vault import open_folder

    vault = open_folder(folder, ask=ask_existing)
    with vault.ledger:
        yield vault
