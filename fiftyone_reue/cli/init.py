"""``reue init``."""

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
from fiftyone_reue.cli.passphrases import ask_new, can_ask
from fiftyone_reue.cli.printing import err, out, plain


@click.command()
@vault_option
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase as owner key.")
@click.option("--keyring", is_flag=True, help="Keep the owner key in the OS keyring.")
@click.option("--key-file", type=FOLDER, help="Keep the owner key in this plain file.")
@plain_key_file_option
@json_option
@guarded
def init(
    vault_folder: Path,
    passphrase: bool,
    keyring: bool,
    key_file: Path | None,
    plain_key_file: bool,
    as_json: bool,
) -> None:
    """Create a vault: owner key and empty ledger.

    The owner key is REUE_OWNER_KEY (64 hex digits) if that is set, else a passphrase
    (--passphrase, REUE_OWNER_PASSPHRASE, or the file that REUE_OWNER_PASSPHRASE_FILE
    names), else in the keyring (--keyring), else in a plain file: --key-file,
    REUE_OWNER_KEY_FILE, or with --plain-key-file owner.key in the vault's folder. A
    key file that is there already is used as it is.

    Without any of these it is kept in the keyring where there is one, else a
    passphrase is asked for.

    FiftyOne's server sends every file that its user can read to whoever reaches it: a
    plain file is for trying out.
    """
    from fiftyone_reue.vault import owner_keys
    from fiftyone_reue.vault.vault import create_folder

    named = key_file or owner_keys.secret(os.environ, owner_keys.KEY_FILE_VARIABLE)
    path = Path(named or vault_folder / owner_keys.KEY_FILE_NAME)
    was_there = path.exists()
    vault = create_folder(
        vault_folder,
        passphrase=ask_new if passphrase else None,
        use_keyring=keyring,
        key_file=key_file,
        plain_key_file=plain_key_file,
        ask=_ask_for_want_of_a_keyring if can_ask() else None,
    )
    with vault.ledger:
        provider = (vault.ledger.get_meta() or {})["provider"]
    kind = provider["kind"]
    in_file = owner_keys.plain_file(kind, {} if passphrase else os.environ)
    warning = owner_keys.PLAIN_FILE_WARNING if in_file else None
    if as_json:
        made = {"vault": vault.vault_id, "owner_key": kind, "warning": warning}
        click.echo(json.dumps(made))
        return
    out.print(f"Created vault {vault.vault_id} in {plain(str(vault_folder))}.")
    match kind:
        case owner_keys.EnvironmentKey.kind:
            text = _from_environment(owner_keys.KEY_VARIABLE)
        case owner_keys.Passphrase.kind:
            text = _from_passphrase(passphrase)
        case owner_keys.KeyringKey.kind:
            entry = f"{owner_keys.KEYRING_SERVICE}/{provider['account']}"
            text = _from_keyring(entry)
        case _:
            text = _from_file(path, was_there)
    out.print(plain(text))
    if warning:
        out.print(f"[yellow]Warning:[/] {plain(warning)}.")
    options = {
        "--passphrase": (passphrase, owner_keys.Passphrase.kind),
        "--keyring": (keyring, owner_keys.KeyringKey.kind),
        "--key-file": (key_file is not None, owner_keys.KeyFile.kind),
        "--plain-key-file": (plain_key_file, owner_keys.KeyFile.kind),
    }
    for option, (given, its_kind) in options.items():
        if given and kind != its_kind:
            out.print(f"{option} was not needed: the owner key comes from elsewhere.")


def _ask_for_want_of_a_keyring(*_: object) -> str:
    err.print(
        "There is no keyring here, so the owner key is computed from a passphrase: "
        "several words that nobody guesses."
    )
    return ask_new()


_ALL_POWERFUL = (
    "Whoever has it can restore every original, and without it nobody can: keep a copy "
    "in a safe place, away from the vault."
)


def _from_environment(variable: str) -> str:
    return (
        f"The owner key is the one in {variable}, which no file holds: set it "
        f"whenever you use this vault. {_ALL_POWERFUL}"
    )


def _from_passphrase(asked: bool) -> str:
    from fiftyone_reue.vault import owner_keys

    phrase = owner_keys.secret(os.environ, owner_keys.PASSPHRASE_VARIABLE)
    file = owner_keys.secret(os.environ, owner_keys.PASSPHRASE_FILE_VARIABLE)
    if asked or not (phrase or file):
        source = "you typed"
    elif phrase:
        source = f"in {owner_keys.PASSPHRASE_VARIABLE}"
    else:
        source = f"in {file}, which {owner_keys.PASSPHRASE_FILE_VARIABLE} names"
    return f"The owner key is computed from the passphrase {source}. {_ALL_POWERFUL}"


def _from_keyring(entry: str) -> str:
    return (
        f"The owner key is in the keyring of this user, under {entry}. Whoever can "
        "read the keyring can restore every original, and without it nobody can."
    )


def _from_file(path: Path, was_there: bool) -> str:
    there = ", which was there already" if was_there else ""
    return f"The owner key is {path}{there}. {_ALL_POWERFUL}"
