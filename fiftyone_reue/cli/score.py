"""``reue score``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    PLACE,
    SEED,
    device_option,
    json_option,
    pixels_option,
    size_option,
    vault_option,
)
from fiftyone_reue.cli.printing import out, report
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.stores.address import Place


@click.command()
@click.argument("source", metavar="SRC", type=PLACE)
@vault_option
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of split and models."
)
@click.option(
    "--max-images",
    type=click.IntRange(min=8),
    help="Train on so many; all are scored.  [default: 6000, of photographs 2000]",
)
@size_option
@device_option
@pixels_option
@json_option
@guarded
def score(
    source: Place,
    vault_folder: Path,
    seed: int,
    max_images: int | None,
    size: int | None,
    device: str,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Measure the unlearnability of the release in SRC."""
    from fiftyone_reue.api import score_steps
    from fiftyone_reue.workflows.score import ScoreConfig, described

    config = ScoreConfig(seed, device, max_images, max_pixels, size=size)
    with opened(vault_folder) as vault:
        summary = shown(score_steps(source, vault=vault, config=config))
    figures = summary.to_dict()
    if as_json:
        click.echo(json.dumps(figures))
    else:
        out.print(described(figures))
    return report(summary.outcome)
