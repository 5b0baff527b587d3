"""``reue package``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import FOLDER, WRITTEN, json_option, vault_option
from fiftyone_reue.cli.printing import count, out, plain
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.workflows.package_writers import FORMATS


@click.command()
@click.argument("name", metavar="RELEASE")
@click.argument("output", metavar="DST", type=WRITTEN)
@vault_option
@click.option(
    "--terms",
    type=FOLDER,
    help="A text file with what the recipient may do; goes along as TERMS.txt.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="folder or zip; parquet or webdataset: a folder as these programs read it, "
    "with the copies' files byte for byte and a card.  [default: zip if DST ends in "
    ".zip, else folder]",
)
@json_option
@guarded
def package(
    name: str,
    output: Path,
    vault_folder: Path,
    terms: Path | None,
    form: str | None,
    as_json: bool,
) -> None:
    """Pack RELEASE to be handed over: a new folder DST, or one file if it ends in .zip.

    With the copies go what the recipient has to do, what they may do, and what you
    were committed to before the copies were made. Every copy is compared with what was
    made. The key isn't in it: send it by another way.
    """
    from fiftyone_reue.releases.lookup import find_release
    from fiftyone_reue.vault.vault import PUBLISHED
    from fiftyone_reue.workflows.package import package_release

    with opened(vault_folder) as vault:
        release = find_release(vault, name)
        steps = package_release(vault, release, output, terms=terms, format=form)
        summary = shown(steps)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "release": release.id,
                    "recipient": summary.recipient,
                    "path": summary.path,
                    "images": summary.images,
                    "bytes": summary.bytes,
                    "left_out": summary.left_out,
                }
            )
        )
        return
    published = summary.recipient == PUBLISHED
    whom = "everybody" if published else plain(summary.recipient)
    out.print(
        f"Packed {count(summary.images, 'copy', 'copies')} for "
        f"{whom} into {plain(summary.path)} "
        f"({summary.bytes / 1e6:.1f} MB)"
    )
    if summary.left_out:
        images = count(summary.left_out, "image")
        out.print(f"Without {images} that could not be protected.")
    needed = "Send keys and licences" if published else "Send their key"
    out.print(f"{needed} by another way.")
