"""``reue init``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import FOLDER, json_option, vault_option
from fiftyone_reue.cli.passphrases import ask_new
from fiftyone_reue.cli.printing import out, plain


@click.command()
@vault_option
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase as owner key.")
@click.option("--keyring", is_flag=True, help="Keep the owner key in the OS keyring.")
@click.option("--key-file", type=FOLDER, help="Where to put the new owner key.")
@json_option
@guarded
def init(
    vault_folder: Path,
    passphrase: bool,
    keyring: bool,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Create a vault: owner key and empty ledger.

    The owner key is REUE_OWNER_KEY (64 hex digits) if that is set, else a passphrase
    (--passphrase, or REUE_OWNER_PASSPHRASE), else the keyring (--keyring), else a new
    key file.
    """
    from fiftyone_reue.vault.vault import create_folder

    vault = create_folder(
        vault_folder,
        passphrase=ask_new if passphrase else None,
        use_keyring=keyring,
        key_file=key_file,
    )
    with vault.ledger:
        meta = vault.ledger.get_meta() or {}
    kind = meta.get("provider", {}).get("kind")
    where = str(key_file or vault_folder / "owner.key")
    if as_json:
        click.echo(json.dumps({"vault": vault.vault_id, "owner_key": kind}))
        return
    out.print(f"Created vault {vault.vault_id} in {plain(str(vault_folder))}.")
    if kind == "file" or Path(where).is_file():
        out.print(
            f"The owner key is {plain(where)}. Whoever has it can restore every "
            "original: keep a copy in a safe place, away from the vault."
        )
