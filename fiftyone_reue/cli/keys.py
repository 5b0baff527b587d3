"""``reue keys``: rotate."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    FOLDER,
    json_option,
    plain_key_file_option,
    vault_option,
)
from fiftyone_reue.cli.passphrases import ask_existing, ask_new, can_ask
from fiftyone_reue.cli.printing import out, plain


@click.group()
def keys() -> None:
    """Manage the owner key."""


@keys.command()
@vault_option
@click.option("--passphrase", is_flag=True, help="Ask for the new passphrase.")
@click.option("--keyring", is_flag=True, help="Keep the new key in the OS keyring.")
@click.option("--key-file", type=FOLDER, help="Where to put the new owner key.")
@plain_key_file_option
@json_option
@guarded
def rotate(
    vault_folder: Path,
    passphrase: bool,
    keyring: bool,
    key_file: Path | None,
    plain_key_file: bool,
    as_json: bool,
) -> None:
    """Replace the owner key. Touches no image and no recipient's key.

    The new key is REUE_OWNER_KEY_NEW if that is set (then set REUE_OWNER_KEY to it
    afterwards), else a passphrase (--passphrase, or REUE_OWNER_PASSPHRASE_NEW), else
    in the keyring (--keyring), else in a new plain file: --key-file or
    --plain-key-file. Without any of these the new key is kept as the old one is.
    """
    from fiftyone_reue.vault.owner_keys import EnvironmentKey
    from fiftyone_reue.vault.vault import rotate_folder

    new = os.environ.get("REUE_OWNER_KEY_NEW")
    phrase = os.environ.get("REUE_OWNER_PASSPHRASE_NEW")
    old_id, new_id = rotate_folder(
        vault_folder,
        provider=EnvironmentKey({"REUE_OWNER_KEY": new}) if new else None,
        passphrase=phrase or (ask_new if passphrase else None),
        use_keyring=keyring,
        key_file=key_file,
        plain_key_file=plain_key_file,
        ask=ask_existing,
        ask_new=ask_new if can_ask() else None,
    )
    if as_json:
        click.echo(json.dumps({"old_key": old_id, "new_key": new_id}))
        return
    out.print(
        f"The owner key is now the new one ({plain(new_id)}); the old one "
        f"({plain(old_id)}) opens this vault no more."
    )
