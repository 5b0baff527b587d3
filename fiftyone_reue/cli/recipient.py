"""``reue recipient``: add, key, identity, list, rename, revoke, reinstate."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import WRITTEN, json_option, vault_option
from fiftyone_reue.cli.passphrases import new_of_identity, new_of_key_file
from fiftyone_reue.cli.printing import out, plain, print_table, table
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.errors import OutputError
from fiftyone_reue.names.display import moment

key_out_option = click.option(
    "--key-out", type=WRITTEN, required=True, help="The key file to write."
)
passphrase_option = click.option(
    "--passphrase", is_flag=True, help="Seal the key file with a passphrase."
)
public_key_option = click.option(
    "--public-key",
    help="Their own public key, age1...: nobody else can open the key file.",
)


@click.group()
def recipient() -> None:
    """Manage who is given copies."""


@recipient.command()
@click.argument("name")
@vault_option
@key_out_option
@passphrase_option
@public_key_option
@json_option
@guarded
def add(
    name: str,
    vault_folder: Path,
    key_out: Path,
    passphrase: bool,
    public_key: str | None,
    as_json: bool,
) -> None:
    """Add a recipient and write the key file to send them.

    With --public-key no secret is sent: they make an identity themselves (`reue
    recipient identity`, or age-keygen), tell its public key, and open the key file
    with `reue restore --key FILE --identity FILE`.
    """
    from fiftyone_reue.vault.key_files import write_key_file

    _check_sealing(passphrase, public_key)
    if os.path.lexists(key_out):
        raise OutputError(f"{key_out} is there already; choose another name")
    if not key_out.resolve().parent.is_dir():
        raise OutputError(f"{key_out.parent}: there is no such folder; make it first")
    with opened(vault_folder) as vault:
        words = new_of_key_file(passphrase)  # whoever stops here has added nobody
        person, secret = vault.add_recipient(name)
        try:
            write_key_file(key_out, secret, words, public_key=public_key)
        except OutputError as error:
            again = f"reue recipient key {name} --vault {vault_folder} --key-out FILE"
            raise OutputError(
                f"{error}. {name} is a recipient now; write the key file with: {again}"
            ) from error
    if as_json:
        click.echo(json.dumps({"name": name, "id": person.id, "key": person.key_id}))
        return
    out.print(f"Added {plain(name)} (key {person.key_id}).")
    out.print(f"Send them {plain(str(key_out))}; it restores their licensed copies.")
    if public_key:
        out.print("Only their own identity opens it.")


@recipient.command()
@click.argument("name")
@vault_option
@key_out_option
@passphrase_option
@public_key_option
@json_option
@guarded
def key(
    name: str,
    vault_folder: Path,
    key_out: Path,
    passphrase: bool,
    public_key: str | None,
    as_json: bool,
) -> None:
    """Write a recipient's key file once more, when it or their identity was lost."""
    from fiftyone_reue.vault.key_files import write_key_file

    _check_sealing(passphrase, public_key)
    with opened(vault_folder) as vault:
        person = vault.recipient(name)
        secret = vault.key_to_send(person)
        write_key_file(
            key_out, secret, new_of_key_file(passphrase), public_key=public_key
        )
    if as_json:
        said = {"name": person.name, "id": person.id, "key": person.key_id}
        click.echo(json.dumps(said))
        return
    out.print(f"Send {plain(person.name)} {plain(str(key_out))}.")


def _check_sealing(passphrase: bool, public_key: str | None) -> None:
    from fiftyone_reue.vault.identities import check_public_key

    if public_key is None:
        return
    if passphrase:
        raise click.UsageError("give --public-key or --passphrase, one of them")
    check_public_key(public_key)


@recipient.command()
@click.option("--out", "path", type=WRITTEN, required=True, help="The file to write.")
@click.option("--passphrase", is_flag=True, help="Seal it with a passphrase.")
@json_option
@guarded
def identity(path: Path, passphrase: bool, as_json: bool) -> None:
    """Make an identity of your own, as a recipient.

    Tell its public key to whoever gives you copies, and keep the file: it opens the
    key file that they send, and nothing else does. No vault is needed. The file is
    age's: age-keygen makes such as well.
    """
    from fiftyone_reue.vault.identities import new_identity

    public_key = new_identity(path, new_of_identity(passphrase))
    if as_json:
        click.echo(json.dumps({"public_key": public_key, "identity": str(path)}))
        return
    out.print(f"Public key: {public_key}")
    out.print(
        f"Tell it to whoever gives you copies. Keep {plain(str(path))} to yourself, "
        "and a copy of it: it alone opens the key file that they will send."
    )


@recipient.command("list")
@vault_option
@json_option
@guarded
def list_(vault_folder: Path, as_json: bool) -> None:
    """List the recipients, by the name shown and, in brackets, their own."""
    from fiftyone_reue.vault.recipient_events import list_events

    with opened(vault_folder) as vault:
        names, events = vault.names_shown(), list_events(vault)
        rows = [
            {
                "name": person.name,
                "id": person.id,
                "key": person.key_id,
                "created": person.created,
                "revoked_at": person.revoked_at,
                "releases": len(vault.ledger.releases(person.id)),
                "shown_as": names.get(person.id),
                "events": [
                    {"what": one.what, "time": one.time, "name": one.name or None}
                    for one in events
                    if one.recipient_id == person.id
                ],
            }
            for person in vault.recipients()
        ]
    if as_json:
        click.echo(json.dumps({"recipients": rows}))
        return
    back = {one.recipient_id: one.time for one in events if one.what == "reinstated"}
    listed = table("Name", "Key", "Releases", "State")
    for row in rows:
        own, other = row["name"], row["shown_as"]
        name = f"{other} ({own})" if other else own
        state = "revoked" if row["revoked_at"] else "active"
        if state == "active" and row["id"] in back:
            state += f" again since {moment(back[str(row['id'])], '%Y-%m-%d')}"
        listed.add_row(plain(name), plain(row["key"]), plain(row["releases"]), state)
    print_table(listed)


@recipient.command()
@click.argument("name")
@vault_option
@json_option
@guarded
def revoke(name: str, vault_folder: Path, as_json: bool) -> None:
    """Revoke a recipient's key: no new releases, and no restoring from the release
    folders that this vault knows. Copies that were handed out stay what they are."""
    from fiftyone_reue.releases.revocation import revoke as run

    with opened(vault_folder) as vault:
        done = run(vault, name)
    person = done.recipient
    if as_json:
        click.echo(json.dumps({"name": person.name, "revoked_at": person.revoked_at}))
        return
    for sentence in done.sentences(person.name):
        out.print(plain(sentence))
    again = f"reue recipient reinstate {person.name} --vault {vault_folder}"
    out.print(plain(f"To take it back: {again}"))


@recipient.command()
@click.argument("name")
@vault_option
@json_option
@guarded
def reinstate(name: str, vault_folder: Path, as_json: bool) -> None:
    """Take a revocation back: the key that they had counts again.

    That they were revoked stays in the ledger. What was published meanwhile takes a new
    licence (`reue license`). If somebody else has their key by now, add them under
    another name instead.
    """
    from fiftyone_reue.releases.revocation import reinstate as run

    with opened(vault_folder) as vault:
        done = run(vault, name)
    person = done.recipient
    if as_json:
        click.echo(json.dumps({"name": person.name, "revoked_at": None}))
        return
    for sentence in done.sentences(person.name):
        out.print(plain(sentence))


@recipient.command()
@click.argument("name")
@click.argument("shown_as", metavar="SHOWN")
@vault_option
@json_option
@guarded
def rename(name: str, shown_as: str, vault_folder: Path, as_json: bool) -> None:
    """Show a recipient by the name SHOWN beside their own; "" shows their own alone.

    Their own name is bound in the commitments of what they were given: keys, releases,
    evidence and commands go on using it.
    """
    from fiftyone_reue.vault.recipient_events import rename as run

    with opened(vault_folder) as vault:
        person = run(vault, name, shown_as)
    if as_json:
        click.echo(json.dumps({"name": person.name, "shown_as": shown_as or None}))
    elif shown_as:
        out.print(f"{plain(person.name)} is shown as {plain(shown_as)}.")
    else:
        out.print(f"{plain(person.name)} is shown by that name alone.")
