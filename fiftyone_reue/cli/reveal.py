"""``reue reveal``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    PLACE,
    WRITTEN,
    json_option,
    originals_option,
    pixels_option,
    vault_option,
)
from fiftyone_reue.cli.printing import out, plain, print_table, report, table
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.stores.address import Place
from fiftyone_reue.workflows.decoys import DECOYS, MOST_DECOYS

if TYPE_CHECKING:
    from fiftyone_reue.workflows.reveal import RevealSummary


@click.command()
@click.argument("sources", metavar="SRC...", type=PLACE, nargs=-1, required=True)
@vault_option
@click.option(
    "--out",
    "output",
    type=WRITTEN,
    required=True,
    help="Where a picture of each image goes.",
)
@originals_option
@click.option(
    "--decoys",
    type=click.IntRange(1, MOST_DECOYS),
    default=DECOYS,
    show_default=True,
    help="Compare with the scenes of so many keys drawn at random.",
)
@pixels_option
@json_option
@guarded
def reveal(
    sources: tuple[Place, ...],
    vault_folder: Path,
    output: Path,
    originals: Place | None,
    decoys: int,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Show what the method deep_hiding hid in the images in SRC (a folder, or files).

    A proof of ownership besides the watermark, also of re-saved copies. Each picture
    shows an image, the stripes found in it, the scene seen in them, and the scene that
    was hidden. A decoy is what another key would have hidden; half a second each.
    """
    from fiftyone_reue.api import reveal_steps

    with opened(vault_folder) as vault:
        steps = reveal_steps(
            sources,
            output,
            vault=vault,
            originals=originals,
            decoys=decoys,
            max_pixels=max_pixels,
        )
        summary = shown(steps)
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        _print(summary)
    return report(summary.outcome)


def _print(summary: RevealSummary) -> None:
    if summary.images:
        listed = table("File", "Sample", "Agreement", "Decoys as good", "Chance")
        for image in summary.images:
            listed.add_row(
                plain(image.sample_id),
                plain(image.original),
                f"{image.agreement:.2f}",
                f"{image.as_good} of {image.decoys}",
                f"{image.p_value:.3f}",
            )
        print_table(listed)
    out.print(plain(summary.verdict()))
