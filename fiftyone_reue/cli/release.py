"""``reue release``: list, show, stamp, delete."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import LocalPath, json_option, vault_option
from fiftyone_reue.cli.printing import SHOWN_NAMES, out, plain, print_table, table
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import count, moment, printable


@click.group()
def release() -> None:
    """List, show, time-stamp and delete releases."""


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
    listed = table("Name", "Recipient", "Method", "State", "Images")
    called = Counter(row["name"] for row in rows)
    for row in rows:
        # What other commands take to mean this one: an id where a name means several.
        name = row["name"] if called[row["name"]] == 1 else row["id"]
        others = (str(row[key]) for key in ("recipient", "method", "state", "images"))
        listed.add_row(plain(str(name)), *map(plain, others))
    print_table(listed)
    if rows:
        out.print("`reue release show NAME` says where one is, and all about it.")


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
        return [f"{title}: {moment(value)}"]
    if key == "failures":
        return [f"{title}:", *_failures(value)]
    if isinstance(value, dict):
        return [f"{title}:", *(f"  {k}: {_part(k, v)}" for k, v in value.items())]
    return [f"{title}: {value}"]


def _failures(kept: list[dict[str, str]]) -> list[str]:
    lines = []
    for one in kept[:SHOWN_NAMES]:
        reason = one["reason"].removeprefix(f"{one['image']}: ")
        lines.append(f"  {one['image']}: {reason}")
    if len(kept) > SHOWN_NAMES:
        lines.append(f"  and {len(kept) - SHOWN_NAMES} more, which --json lists")
    return lines


def _part(key: str, value: Any) -> str:
    if key == "measured":
        return moment(value)
    if value is None:
        return "none"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


@release.command()
@click.argument("name")
@vault_option
@click.option(
    "--request",
    type=LocalPath(dir_okay=False),
    help="Write a request (RFC 3161, .tsq) to this file, for any time stamp authority.",
)
@click.option(
    "--reply",
    type=LocalPath(exists=True, dir_okay=False),
    help="Keep the authority's reply (.tsr) in this file, for every case to come.",
)
@guarded
def timestamp(
    name: str, vault_folder: Path, request: Path | None, reply: Path | None
) -> None:
    """Have it signed when a release's commitment was there, by whom others believe.

    Nothing is sent: write a request, send it to an authority, and keep its reply. The
    authority learns a hash and nothing else. `reue report` puts the reply into cases,
    and `reue verify --authority` checks it.
    """
    from fiftyone_reue.media.codec import read_file
    from fiftyone_reue.media.files import write_atomic
    from fiftyone_reue.proofs.timestamps import LARGEST
    from fiftyone_reue.releases.lookup import find_release
    from fiftyone_reue.workflows.timestamp import keep_reply, timestamp_request

    if (request is None) == (reply is None):
        raise click.UsageError("Give one of --request and --reply")
    with opened(vault_folder) as vault:
        found = find_release(vault, name)
        if request is not None:
            if os.path.lexists(request):
                raise InputError(f"{request} is there already; choose another name")
            write_atomic(request, timestamp_request(vault, found))
            out.print(
                f"Send {plain(str(request))} to a time stamp authority as "
                "application/timestamp-query, and give its reply with --reply."
            )
        if reply is not None:
            kept = keep_reply(vault, found, read_file(reply, most=LARGEST))
            out.print(
                f"Kept: commitment {kept.digest.hex()} was there on {kept.when}, says "
                "the authority."
            )


@release.command()
@click.argument("name")
@vault_option
@click.option("--files", is_flag=True, help="Delete the protected files too.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@guarded
def delete(name: str, vault_folder: Path, files: bool, yes: bool) -> None:
    """Forget a release: its copies can't be traced any more, but for those of
    images that are in other releases too.

    Files that carry their record are still restored, by your key and by the
    recipient's: a key that was handed out can't be taken back.
    """
    from fiftyone_reue.releases.lookup import delete_release, find_release

    with opened(vault_folder) as vault:
        found = find_release(vault, name)
        if not yes:
            click.confirm(
                f"Forget release {printable(found.name)} ({printable(found.id)})? "
                "Copies of images that are in no other release can't be traced any "
                "more; files that carry their record are still restored, by your key "
                "and by the recipient's",
                abort=True,
            )
        deleted = delete_release(vault, found, files=files)
    out.print(f"Forgot release {plain(found.id)}; {count(deleted, 'file')} deleted.")
