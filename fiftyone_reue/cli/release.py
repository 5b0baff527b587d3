"""``reue release``: list, delete."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import json_option, vault_option
from fiftyone_reue.cli.printing import out, plain, print_table, table
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.shown import printable


@click.group()
def release() -> None:
    """List and delete releases."""


@release.command("list")
@vault_option
@json_option
@guarded
def list_(vault_folder: Path, as_json: bool) -> None:
    """List the releases."""
    with opened(vault_folder) as vault:
        names = {person.id: person.name for person in vault.recipients()}
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "recipient": names.get(one.recipient_id),
                "method": one.method,
                "state": one.state,
                "images": vault.ledger.count_records(one.id),
                "unlearnability": one.scores.get("unlearnability"),
                "output": one.output,
            }
            for one in vault.ledger.releases()
        ]
    if as_json:
        click.echo(json.dumps({"releases": rows}))
        return
    listed = table("Id", "Name", "Recipient", "Method", "State", "Images", "Folder")
    for row in rows:
        keys = ("id", "name", "recipient", "method", "state", "images", "output")
        listed.add_row(*(plain(str(row[key])) for key in keys))
    print_table(listed)


@release.command()
@click.argument("name")
@vault_option
@click.option("--files", is_flag=True, help="Delete the protected files too.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@guarded
def delete(name: str, vault_folder: Path, files: bool, yes: bool) -> None:
    """Forget a release: its copies can't be traced or restored any more."""
    from fiftyone_reue.releases import delete_release, find_release

    with opened(vault_folder) as vault:
        found = find_release(vault, name)
        if not yes:
            click.confirm(
                f"Forget release {printable(found.name)} ({printable(found.id)})? "
                "Copies of it can't be "
                "traced or restored to the original any more",
                abort=True,
            )
        deleted = delete_release(vault, found, files=files)
    out.print(f"Forgot release {plain(found.id)}; {deleted} files deleted.")
