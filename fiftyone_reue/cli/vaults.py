"""Vaults in folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fiftyone_reue.cli.passphrases import ask_existing
from fiftyone_reue.cli.printing import err, plain

if TYPE_CHECKING:
    from fiftyone_reue.vault.vault import Vault


@contextmanager
def opened(folder: Path, *, tell: bool = True) -> Iterator[Vault]:
    """Open the vault in a folder, and close its ledger at the end.

    Args:
        folder: the vault's.
        tell: whether to say what of the ledger was left out; else the caller does.
    """
    from fiftyone_reue.vault.vault import open_folder

    vault = open_folder(folder, ask=ask_existing)
    with vault.ledger:
        yield vault
        for problem in vault.ledger.problems if tell else ():
            err.print(f"[yellow]Wrong in the ledger:[/] {plain(str(problem))}")
