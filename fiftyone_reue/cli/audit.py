"""``reue audit``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    PLACE,
    SEED,
    LocalPath,
    device_option,
    json_option,
    pixels_option,
    size_option,
    vault_option,
)
from fiftyone_reue.cli.printing import out, plain, report
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.stores.address import WRITTEN_HERE, Place


@click.command()
@click.argument("source", metavar="SRC", type=PLACE)
@vault_option
@click.option(
    "--out",
    "output",
    type=LocalPath(WRITTEN_HERE, file_okay=False),
    help="The folder where the report goes.  [default: SRC.audit, beside SRC, if that "
    "is a folder]",
)
@click.option(
    "--budget",
    type=click.Choice(["quick", "full"]),
    default="quick",
    show_default=True,
    help="full is for a GPU and hours.",
)
@click.option(
    "--countermeasures",
    metavar="NAMES",
    help="With commas between, or all.  [default: the budget's]",
)
@click.option(
    "--victims",
    metavar="NAMES",
    help="Networks, with commas between.  [default: the budget's]",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 20),
    help="Victims of a kind.  [default: the budget's]",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the split.")
@size_option
@device_option
@pixels_option
@json_option
@guarded
def audit(
    source: Place,
    vault_folder: Path,
    output: Path | None,
    budget: str,
    countermeasures: str | None,
    victims: str | None,
    seeds: int | None,
    seed: int,
    size: int | None,
    device: str,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Measure how well the release in SRC holds against what a thief may do.

    Victims are trained on its copies under every countermeasure, and on the originals
    in the same way. Writes audit.html and audit.json. Interrupted? Run it again: what
    was measured is kept.
    """
    from fiftyone_reue.api import audit_steps
    from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures
    from fiftyone_reue.workflows.audit import AuditConfig

    every = tuple(info.name for info in list_countermeasures())
    config = AuditConfig(
        budget=budget,
        countermeasures=every if countermeasures == "all" else _split(countermeasures),
        victims=_split(victims),
        seeds=seeds,
        seed=seed,
        device=device,
        max_pixels=max_pixels,
        size=size,
    )
    with opened(vault_folder) as vault:
        summary = shown(audit_steps(source, output, vault=vault, config=config))
    if as_json:
        click.echo(json.dumps(summary.to_dict(), allow_nan=False))
    else:
        out.print(f"[bold]{plain(summary.verdict.headline)}[/]")
        out.print(plain(summary.verdict.paragraph))
        out.print(plain(" ".join(summary.verdict.cautions)))
        out.print(f"Report: {plain(str(summary.report))}")
    return report(summary.outcome)


def _split(names: str | None) -> tuple[str, ...]:
    return tuple(n for n in (part.strip() for part in (names or "").split(",")) if n)
