"""``reue keys``: rotate."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    FOLDER,
    app_option,
    json_option,
    optional_vault_option,
    plain_key_file_option,
)
from fiftyone_reue.cli.passphrases import ask_existing, ask_new, can_ask
from fiftyone_reue.cli.printing import out, plain
from fiftyone_reue.cli.vaults import require_one


@click.group()
def keys() -> None:
    """Manage the owner key."""


@keys.command()
@optional_vault_option
@app_option
@click.option("--passphrase", is_flag=True, help="Ask for the new passphrase.")
@click.option("--keyring", is_flag=True, help="Keep the new key in the OS keyring.")
@click.option("--key-file", type=FOLDER, help="Where to put the new owner key.")
@plain_key_file_option
@json_option
@guarded
def rotate(
    vault_folder: Path | None,
    app: bool,
    passphrase: bool,
    keyring: bool,
    key_file: Path | None,
    plain_key_file: bool,
    as_json: bool,
) -> None:
    """Replace the owner key of a vault: of a folder's, or of the App's (--app).

    Touches no image and no recipient's key. The new key is REUE_OWNER_KEY_NEW if that
    is set (then set REUE_OWNER_KEY to it afterwards), else a passphrase (--passphrase,
    or REUE_OWNER_PASSPHRASE_NEW), else in the keyring (--keyring), else in a new plain
    file: --key-file or --plain-key-file. Without any of these the new key is kept as
    the old one is.

    Once the vault opens with the new key, a plain file with the old one is renamed.
    """
    from fiftyone_reue.vault import owner_keys

    require_one(vault_folder, app)
    new = os.environ.get("REUE_OWNER_KEY_NEW")
    phrase = os.environ.get("REUE_OWNER_PASSPHRASE_NEW")
    wanted: dict[str, Any] = {
        "provider": owner_keys.EnvironmentKey({"REUE_OWNER_KEY": new}) if new else None,
        "passphrase": phrase or (ask_new if passphrase else None),
        "use_keyring": keyring,
        "key_file": key_file,
        "plain_key_file": plain_key_file,
        "ask": ask_existing,
        "ask_new": ask_new if can_ask() else None,
    }
    if vault_folder is not None:
        from fiftyone_reue.vault.rotation import rotate_folder

        rotation = rotate_folder(vault_folder, **wanted)
    else:
        from fiftyone_reue.samples.vaults import rotate_key

        rotation = rotate_key(**wanted)
    if as_json:
        click.echo(json.dumps(rotation.to_dict()))
        return
    for note in rotation.notes():
        out.print(plain(note))
