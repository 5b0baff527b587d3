"""``reue protect`` and ``reue publish``."""

from __future__ import annotations

import functools
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    PLACE,
    LocalPath,
    json_option,
    settings,
    vault_option,
)
from fiftyone_reue.cli.printing import count, err, failed, listed, out, plain, report
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.errors import ReueError
from fiftyone_reue.names.display import printable
from fiftyone_reue.options import pairs
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.stores.address import Place

if TYPE_CHECKING:
    from fiftyone_reue.workflows.protect import ProtectSummary

Command = TypeVar("Command", bound=Callable[..., Any])


def known_method(_: click.Context, __: click.Parameter, name: str) -> str:
    """Check a method's name, importing the methods only when it comes to that."""
    from fiftyone_reue.perturb.registry import create_method

    try:
        create_method(name)
    except ReueError as error:
        raise click.BadParameter(printable(error)) from None
    return name


def protecting_options(command: Command) -> Command:
    """What `reue protect` and `reue publish` take, but for whom it is."""
    decorators = (
        click.argument("source", metavar="SRC", type=PLACE),
        click.argument("output", metavar="DST", type=PLACE),
        vault_option,
        settings(
            ProtectConfig,
            method={"callback": known_method},
            clusters={"metavar": "N"},
            depth={"metavar": "BITS"},
            quality={"metavar": "N"},
        ),
        click.option(
            "--option",
            "options",
            metavar="NAME=VALUE",
            multiple=True,
            help="An option of the method, as `reue list options` says; several times.",
        ),
        click.option(
            "--scenes",
            type=LocalPath(exists=True, file_okay=False),
            help="Images for deep_hiding to hide, a folder for each class; else from "
            "its bank.",
        ),
        click.option(
            "--classes-at",
            type=click.IntRange(min=1),
            metavar="N",
            help="The classes are the folders N levels below SRC; else that is found "
            "out.",
        ),
        click.option(
            "--coco",
            type=PLACE,
            metavar="FILE",
            help="A COCO annotation file (JSON) of the images in SRC: every box or "
            "mask in them gets the texture of its own class, and DST the annotations.",
        ),
        click.option(
            "--prune",
            is_flag=True,
            help="Take copies whose original is gone out of DST, without asking.",
        ),
        json_option,
    )
    return functools.reduce(lambda made, add: add(made), reversed(decorators), command)


@click.command()
@click.option("--recipient", "name", required=True, help="Whom the copy is for.")
@protecting_options
@guarded
def protect(name: str, **given: Any) -> int:
    """Protect the ImageFolder SRC into DST for one recipient.

    Each folder in SRC is a class, or each folder in its splits (train/cat, val/cat).
    Without such folders, let --clusters make classes; of images with boxes or masks,
    let --coco say where which class is.
    Run the same command again after an interruption, or when images were added,
    replaced, moved or deleted: what changed is known by content, and only that is done.
    SRC and DST may be URLs, such as s3://bucket/photos.
    """
    return _protect(name, **given)


@click.command()
@protecting_options
@guarded
def publish(**given: Any) -> int:
    """Protect the ImageFolder SRC into DST for everybody, to be put anywhere.

    All is as for `reue protect`, but that nobody is given a key: `reue license` makes a
    small file for each recipient, which turns the published copies into their own.
    """
    return _protect(None, **given)


def _protect(
    name: str | None,
    *,
    source: Place,
    output: Place,
    vault_folder: Path,
    options: tuple[str, ...],
    scenes: Path | None,
    classes_at: int | None,
    coco: Place | None,
    prune: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Protect for a recipient; None: for everybody."""
    from fiftyone_reue.batch.classes import counts, listing, remarks
    from fiftyone_reue.batch.coco import read_coco
    from fiftyone_reue.batch.folders import read_source
    from fiftyone_reue.workflows.protect import protect_folder, withdraw_obsolete

    chosen = pairs(options)
    if scenes is not None:
        chosen = {"scenes": str(scenes), **chosen}
    config = ProtectConfig.of(**given, options=chosen)
    clusters = config.clusters
    if clusters is not None and classes_at is not None:
        raise click.UsageError("--clusters and --classes-at both say what classes are")
    if coco is not None and (clusters is not None or classes_at is not None):
        other = "--classes-at" if clusters is None else "--clusters"
        raise click.UsageError(f"--coco and {other} both say what classes are")
    said: list[str] = []
    found: dict[str, int] = {}
    annotations = None if coco is None else read_coco(coco, source, output)
    tree = (
        read_source(source, output, classes_at, clustered=clusters is not None)
        if annotations is None
        else annotations.tree
    )
    if clusters is None:
        found = counts(tree.items)
        said = (
            remarks(tree.items, tree.layout)
            if annotations is None
            else annotations.remarks
        )
        if not as_json:
            for line in (listing(tree.items), *said):
                out.print(plain(line))
    with opened(vault_folder) as vault:
        whom = vault.published().name if name is None else name
        job = protect_folder(
            vault,
            whom,
            tree.items,
            source,
            output,
            config=config,
            prune=prune,
            annotations=annotations,
        )
        summary = shown(job)
        if summary.obsolete and not as_json and _agreed(summary.obsolete):
            summary = withdraw_obsolete(vault, summary)
    if as_json:
        figures = _figures(summary, config)
        more = {"classes": found, "remarks": said, "passed_over": tree.others}
        click.echo(json.dumps({**figures, **more, "hidden": tree.hidden}))
    else:
        _print(summary)
        passed_over = tree.passed_over()
        if passed_over:
            out.print(plain(passed_over))
    return report(summary.outcome)


def _figures(summary: ProtectSummary, config: ProtectConfig) -> dict[str, Any]:
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
        "ssimulacra2": summary.ssimulacra2,
        "visibility": summary.visibility,
        "changed": summary.changed,
        "obsolete": summary.obsolete,
        "pruned": summary.pruned,
        "moved_from": summary.moved_from,
        "notes": summary.notes,
        "noted": summary.noted,
        "strangers": summary.strangers,
        "withheld": summary.withheld,
        "differing": [
            {"image": name, "reason": why} for name, why in summary.differing.items()
        ],
        **failed(summary.outcome),
    }


def _agreed(obsolete: list[str]) -> bool:
    """Ask at the terminal, if there is somebody to ask."""
    question = f"{printable(_obsolete(obsolete))}. Take them out of the folder?"
    return _at_a_terminal() and click.confirm(question, err=True)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and err.is_terminal


def _obsolete(obsolete: list[str]) -> str:
    copies = "copy has" if len(obsolete) == 1 else "copies have"
    return f"{len(obsolete)} {copies} no original any more: {listed(obsolete)}"


def _notices(summary: ProtectSummary) -> list[str]:
    """What else is to be said of a run, a sentence each."""
    lines = []
    if summary.moved_from is not None:
        lines.append(
            f"The source was {summary.moved_from} before; its images are the same, so "
            "the release was gone on with."
        )
    if summary.changed:
        lines.append(
            f"{summary.changed} of them anew: the original, its name or its class had "
            "changed."
        )
    if summary.pruned:
        copies = count(summary.pruned, "copy", "copies")
        lines.append(f"{copies} without an original taken out of the folder.")
    if summary.obsolete:
        lines.append(
            f"{_obsolete(summary.obsolete)}. Kept; --prune takes them out of the "
            "folder."
        )
    lines += summary.notices()
    return lines


def _seen(summary: ProtectSummary) -> str:
    from fiftyone_reue.media.visibility import SCALE

    if summary.ssimulacra2 is None:
        return ""
    images = count(len(summary.visibility), "image", "images")
    looks = f"SSIMULACRA2 {summary.ssimulacra2:.0f} of 100 in the mean of {images}"
    return f", {looks} ({SCALE})"


def _print(summary: ProtectSummary) -> None:
    from fiftyone_reue.vault.vault import PUBLISHED

    outcome, release = summary.outcome, summary.release
    published = summary.recipient == PUBLISHED
    whom = "everybody" if published else summary.recipient
    out.print(
        f"Release {plain(release.name)} ({release.id}) for {plain(whom)}: "
        f"{outcome.done} protected, {outcome.skipped} were there, "
        f"{len(outcome.failures)} failed"
        + (f"; PSNR {summary.psnr:.1f} dB" if summary.psnr else "")
        + _seen(summary)
    )
    for line in _notices(summary):
        out.print(plain(line))
    if summary.converted:
        from fiftyone_reue.workflows.protect import describe_conversions

        out.print(describe_conversions(summary.converted))
    if published and (outcome.done or outcome.skipped):
        out.print(
            "Nobody has a key to it; make a licence for each recipient: reue license "
            f"NAME --release {plain(shlex.quote(release.name))} --vault ... "
            "--out NAME.license"
        )
