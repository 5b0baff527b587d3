"""``reue release``: list, show, delete."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import json_option, vault_option
from fiftyone_reue.cli.printing import SHOWN_NAMES, out, plain, print_table, table
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.names.display import printable


@click.group()
def release() -> None:
    """List, show and delete releases."""


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
@json_option
@guarded
def show(name: str, vault_folder: Path, as_json: bool) -> None:
    """Show what the vault knows of a release: settings, classes, failures, scores.

    Of all that, the folder that is handed out tells ids and names of files only.
    """
    from fiftyone_reue.releases.lookup import describe_release, find_release

    with opened(vault_folder) as vault:
        facts = describe_release(vault, find_release(vault, name))
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, value in facts.items():
        for line in _shown(key, value):
            out.print(plain(line))


def _shown(key: str, value: Any) -> list[str]:
    """A fact in one line, or more where it has parts."""
    title = key.replace("_", " ")
    if value is None or value == {} or value == []:
        return [f"{title}: none"]
    if key in ("created", "updated", "finished", "revoked_at"):
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(value))
        return [f"{title}: {when}"]
    if key == "failures":
        return [f"{title}:", *_failures(value)]
    if isinstance(value, dict):
        return [f"{title}:", *(f"  {k}: {_number(part)}" for k, part in value.items())]
    return [f"{title}: {value}"]


def _failures(kept: list[dict[str, str]]) -> list[str]:
    lines = []
    for one in kept[:SHOWN_NAMES]:
        reason = one["reason"].removeprefix(f"{one['image']}: ")
        lines.append(f"  {one['image']}: {reason}")
    if len(kept) > SHOWN_NAMES:
        lines.append(f"  and {len(kept) - SHOWN_NAMES} more, which --json lists")
    return lines


def _number(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


@release.command()
@click.argument("name")
@vault_option
@click.option("--files", is_flag=True, help="Delete the protected files too.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@guarded
def delete(name: str, vault_folder: Path, files: bool, yes: bool) -> None:
    """Forget a release: its copies can't be traced or restored any more."""
    from fiftyone_reue.releases.lookup import delete_release, find_release

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
