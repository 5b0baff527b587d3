"""``reue verify``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import PLACE, LocalPath, json_option, pixels_option
from fiftyone_reue.cli.printing import out, plain, print_table, table
from fiftyone_reue.stores.address import Place


@click.command()
@click.argument("case", type=PLACE)
@click.option(
    "--manifest",
    "manifests",
    type=PLACE,
    multiple=True,
    help="What a recipient holds the commitment in: the manifest.json that they were "
    "handed, a package or its commitment.json, or their licence. Once for each who is "
    "named.",
)
@click.option(
    "--authority",
    type=LocalPath(exists=True, dir_okay=False),
    help="Certificates (PEM) of whom you believe when a commitment was there: the root "
    "of the authority that stamped it, and those between.",
)
@click.option(
    "--read-suspects",
    is_flag=True,
    help="Open the suspects' pictures too and read them without the originals, so that "
    "it doesn't rest on these who is named.",
)
@pixels_option
@json_option
@guarded
def verify(
    case: Place,
    manifests: tuple[Place, ...],
    authority: Path | None,
    read_suspects: bool,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Recompute the verdict of a case that `reue report` wrote, without the vault.

    Says of each step whether it was checked or must be believed. Ends with status 1
    if a step failed or nobody is named.
    """
    from fiftyone_reue.api import verify as run

    found = run(
        case,
        manifest=manifests,
        authority=authority,
        read_suspects=read_suspects,
        max_pixels=max_pixels,
    )
    if as_json:
        click.echo(json.dumps(found.to_dict()))
        return int(not found.holds)
    out.print(plain(found.verdict()))
    listed = table("Step", "State", "What")
    for one in found.steps:
        listed.add_row(one.name, one.state, plain(one.text))
    print_table(listed)
    return int(not found.holds)
