"""``reue protect``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import FOLDER, json_option, settings, vault_option
from fiftyone_reue.cli.printing import count, err, failed, listed, out, plain, report
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.errors import ReueError
from fiftyone_reue.names.display import printable
from fiftyone_reue.options import pairs
from fiftyone_reue.releases.config import ProtectConfig

if TYPE_CHECKING:
    from fiftyone_reue.workflows.protect import ProtectSummary


def known_method(_: click.Context, __: click.Parameter, name: str) -> str:
    """Check a method's name, importing the methods only when it comes to that."""
    from fiftyone_reue.perturb.registry import create_method

    try:
        create_method(name)
    except ReueError as error:
        raise click.BadParameter(printable(error)) from None
    return name


@click.command()
@click.argument("source", metavar="SRC", type=FOLDER)
@click.argument("output", metavar="DST", type=FOLDER)
@vault_option
@click.option("--recipient", "name", required=True, help="Whom the copy is for.")
@settings(
    ProtectConfig,
    method={"callback": known_method},
    clusters={"metavar": "N"},
    depth={"metavar": "BITS"},
)
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="An option of the method, as `reue list options` says; several times.",
)
@click.option(
    "--scenes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Images for deep_hiding to hide, a folder for each class; else from its bank.",
)
@click.option(
    "--classes-at",
    type=click.IntRange(min=1),
    metavar="N",
    help="The classes are the folders N levels below SRC; else that is found out.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="Take copies whose original is gone out of DST, without asking.",
)
@json_option
@guarded
def protect(
    source: Path,
    output: Path,
    vault_folder: Path,
    name: str,
    options: tuple[str, ...],
    scenes: Path | None,
    classes_at: int | None,
    prune: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Protect the ImageFolder SRC into DST for one recipient.

    Each folder in SRC is a class, or each folder in its splits (train/cat, val/cat).
    Without such folders, let --clusters make classes.
    Run the same command again after an interruption, or when images were added,
    replaced, moved or deleted: what changed is known by content, and only that is done.
    """
    from fiftyone_reue.batch.classes import counts, listing, remarks
    from fiftyone_reue.batch.folders import read_source
    from fiftyone_reue.workflows.protect import protect_folder, withdraw_obsolete

    chosen = pairs(options)
    if scenes is not None:
        chosen = {"scenes": str(scenes), **chosen}
    config = ProtectConfig.of(**given, options=chosen)
    clusters = config.clusters
    if clusters is not None and classes_at is not None:
        raise click.UsageError("--clusters and --classes-at both say what classes are")
    said: list[str] = []
    found: dict[str, int] = {}
    tree = read_source(source, output, classes_at, clustered=clusters is not None)
    if clusters is None:
        found = counts(tree.items)
        said = remarks(tree.items, tree.layout)
        if not as_json:
            for line in (listing(tree.items), *said):
                out.print(plain(line))
    with opened(vault_folder) as vault:
        job = protect_folder(
            vault, name, tree.items, source, output, config=config, prune=prune
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
        "changed": summary.changed,
        "obsolete": summary.obsolete,
        "pruned": summary.pruned,
        "moved_from": summary.moved_from,
        "notes": summary.notes,
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


def _print(summary: ProtectSummary) -> None:
    outcome = summary.outcome
    out.print(
        f"Release {plain(summary.release.id)} for {plain(summary.recipient)}: "
        f"{outcome.done} protected, {outcome.skipped} were there, "
        f"{len(outcome.failures)} failed"
        + (f"; PSNR {summary.psnr:.1f} dB" if summary.psnr else "")
    )
    for line in _notices(summary):
        out.print(plain(line))
    if summary.converted:
        from fiftyone_reue.workflows.protect import describe_conversions

        out.print(describe_conversions(summary.converted))
