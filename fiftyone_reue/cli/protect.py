"""``reue protect``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    FOLDER,
    SEED,
    device_option,
    json_option,
    pixels_option,
    vault_option,
)
from fiftyone_reue.cli.printing import failed, out, plain, report
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.errors import ReueError

if TYPE_CHECKING:
    from fiftyone_reue.protect import ProtectSummary
    from fiftyone_reue.release import ProtectConfig


def known_method(_: click.Context, __: click.Parameter, name: str) -> str:
    """Check a method's name, importing the methods only when it comes to that."""
    from fiftyone_reue.perturb.registry import create_method

    try:
        create_method(name)
    except ReueError as error:
        raise click.BadParameter(str(error)) from None
    return name


@click.command()
@click.argument("source", metavar="SRC", type=FOLDER)
@click.argument("output", metavar="DST", type=FOLDER)
@vault_option
@click.option("--recipient", "name", required=True, help="Whom the copy is for.")
@click.option(
    "--method",
    default="rue",
    show_default=True,
    callback=known_method,
    help="How to perturb; `reue list methods` says what there is.",
)
@click.option(
    "--epsilon",
    type=click.IntRange(3, 32),
    default=8,
    show_default=True,
    help="The largest change of a sample in gray levels, watermark included.",
)
@click.option("--seed", type=SEED, help="Make the run repeatable with this vault.")
@click.option(
    "--clusters",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="Take N clusters of images that look alike as the classes, not the folders.",
)
@click.option(
    "--scenes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Images for deep_hiding to hide, a folder for each class; else from its bank.",
)
@click.option("--refit", is_flag=True, help="Fit new tables even if there are some.")
@device_option
@pixels_option
@json_option
@guarded
def protect(
    source: Path,
    output: Path,
    vault_folder: Path,
    name: str,
    method: str,
    epsilon: int,
    seed: int | None,
    clusters: int | None,
    scenes: Path | None,
    refit: bool,
    device: str,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Protect the ImageFolder SRC into DST for one recipient.

    Each folder in SRC is a class. Without such folders, let --clusters make classes.
    Run the same command again after an interruption, or when images were added.
    """
    from fiftyone_reue.folders import check_apart, image_items, labelled_items
    from fiftyone_reue.protect import protect as run
    from fiftyone_reue.release import ProtectConfig

    config = ProtectConfig(
        method, epsilon, seed, device, refit, max_pixels, clusters, scenes
    )
    config.check()
    check_apart(source, output)
    items = labelled_items(source) if clusters is None else image_items(source)
    with opened(vault_folder) as vault:
        job = run(
            vault,
            name,
            items,
            output,
            name=f"{name}-{output.resolve().name}",
            source=str(source.resolve()),
            config=config,
        )
        summary = shown(job)
    if as_json:
        click.echo(json.dumps(_figures(summary, config)))
    else:
        _print(summary)
    return report(summary.outcome)


def _figures(summary: ProtectSummary, config: ProtectConfig) -> dict:
    return {
        "release": summary.release.id,
        "recipient": summary.recipient,
        "method": config.method,
        "epsilon": config.epsilon,
        "clusters": config.clusters,
        "protected": summary.outcome.done,
        "skipped": summary.outcome.skipped,
        "converted_to_png": sum(summary.converted.values()),
        "psnr": summary.psnr,
        **failed(summary.outcome),
    }


def _print(summary: ProtectSummary) -> None:
    outcome = summary.outcome
    out.print(
        f"Release {summary.release.id} for {plain(summary.recipient)}: "
        f"{outcome.done} protected, {outcome.skipped} were there, "
        f"{len(outcome.failures)} failed"
        + (f"; PSNR {summary.psnr:.1f} dB" if summary.psnr else "")
    )
    if summary.converted:
        from fiftyone_reue.protect import describe_conversions

        out.print(describe_conversions(summary.converted))
