"""Vaults in folders, and the one in FiftyOne's database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiftyone_reue.cli.passphrases import ask_existing
from fiftyone_reue.cli.printing import err, plain

if TYPE_CHECKING:
    from fiftyone_reue.vault.vault import Vault


def opened(folder: Path, *, tell: bool = True) -> AbstractContextManager[Vault]:
    """Open the vault in a folder, and close its ledger at the end.

    Args:
        folder: the vault's.
        tell: whether to say what of the ledger was left out; else the caller does.
    """
    from fiftyone_reue.vault.vault import open_folder

    return _closing(open_folder(folder, ask=ask_existing), tell)


def opened_either(
    folder: Path | None, app: bool, *, tell: bool = True
) -> AbstractContextManager[Vault]:
    """Open the vault in a folder, or the one in FiftyOne's database."""
    require_one(folder, app)
    if folder is not None:
        return opened(folder, tell=tell)
    from fiftyone_reue.samples.vaults import open_vault

    return _closing(open_vault(create=False, ask=ask_existing), tell)


def require_one(folder: Path | None, app: bool) -> None:
    """Check that it was said which vault is meant.

    Raises:
        click.UsageError: says how.
    """
    if (folder is None) != app:
        raise click.UsageError(
            "give --vault FOLDER, or --app for the vault in FiftyOne's database"
        )


@contextmanager
def _closing(vault: Vault, tell: bool) -> Iterator[Vault]:
    with vault.ledger:
        yield vault
        for problem in vault.ledger.problems if tell else ():
            err.print(f"[yellow]Wrong in the ledger:[/] {plain(str(problem))}")
