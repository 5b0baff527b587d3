"""``reue report``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    PLACE,
    LocalPath,
    json_option,
    originals_option,
    pixels_option,
    vault_option,
)
from fiftyone_reue.cli.printing import err, out, plain
from fiftyone_reue.cli.printing import report as tell
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.stores.address import WRITTEN_HERE, Place


@click.command()
@click.argument("sources", metavar="SRC...", type=PLACE, nargs=-1, required=True)
@vault_option
@click.option(
    "--out",
    "output",
    type=LocalPath(WRITTEN_HERE, file_okay=False),
    required=True,
    help="A new folder for the case.",
)
@originals_option
@pixels_option
@json_option
@guarded
def report(
    sources: tuple[Place, ...],
    vault_folder: Path,
    output: Path,
    originals: Place | None,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Say whose copy the images in SRC were made from, in a case that others can check.

    Writes report.html and report.pdf for people, and evidence.json with what
    `reue verify` needs. The case tells the code of who is named and, for these images,
    where marks lie: keep it from other recipients until it is settled.
    """
    from fiftyone_reue.api import report_steps

    with opened(vault_folder, tell=False) as vault:
        steps = report_steps(
            sources, output, vault=vault, originals=originals, max_pixels=max_pixels
        )
        summary = shown(steps)
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        out.print(plain(summary.extracted.verdict()))
        for path in (summary.page, summary.printed):
            out.print(f"Report: {plain(str(path))}")
    for problem in summary.extracted.ledger_problems:
        err.print(f"[red]Left out:[/] {plain(problem)}")
    return tell(summary.outcome) or int(bool(summary.extracted.ledger_problems))
