"""``reue extract``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    PLACE,
    json_option,
    originals_option,
    pixels_option,
    vault_option,
)
from fiftyone_reue.cli.printing import err, out, plain, print_table, report, table
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.names.display import count
from fiftyone_reue.stores.address import Place

if TYPE_CHECKING:
    from fiftyone_reue.workflows.extract import ExtractSummary

_MOST_JOINED = 20
"""Of so many originals it is listed which suspects were joined."""


@click.command()
@click.argument("sources", metavar="SRC...", type=PLACE, nargs=-1, required=True)
@vault_option
@originals_option
@pixels_option
@json_option
@guarded
def extract(
    sources: tuple[Place, ...],
    vault_folder: Path,
    originals: Place | None,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Say whose copy the images in SRC (folders, files or URLs) were made from."""
    from fiftyone_reue.api import extract_steps

    with opened(vault_folder, tell=False) as vault:
        steps = extract_steps(
            sources, vault=vault, originals=originals, max_pixels=max_pixels
        )
        summary = shown(steps)
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        _print(summary)
    for problem in summary.ledger_problems:
        err.print(f"[red]Left out:[/] {plain(problem)}")
    return report(summary.outcome) or int(bool(summary.ledger_problems))


def _print(summary: ExtractSummary) -> None:
    out.print(plain(summary.verdict()))
    if all(suspect.image_id is None for suspect in summary.suspects):
        return  # there is nothing to lay before anybody
    if summary.unaided:
        out.print(
            "Read without the originals, which aren't there any more: "
            f"{count(summary.unaided, 'image')}. Only whole copies can be, and more of "
            "them may be needed; say where the originals are now (--originals FOLDER)"
        )
    if summary.unread:
        out.print(
            "Look like originals that aren't there any more, and show no mark by "
            f"themselves: {count(summary.unread, 'image')}. They may be other pictures "
            "of the same scenes"
        )
    if summary.themselves:
        out.print(
            "Are the originals themselves, pixel for pixel, and no copies: "
            f"{count(summary.themselves, 'image')}"
        )
    evidence = summary.evidence
    listed = table("Recipient", "Z", "Chance at most")
    ranked = sorted(evidence.scores.items(), key=lambda pair: -pair[1])
    named = {one.recipient_id: one for one in evidence.culprits}
    ranked.sort(key=lambda pair: pair[0] not in named)
    for who, z in ranked[: max(5, len(named))]:
        firm = named.get(who)
        chance = evidence.chances[who] if firm is None else firm.p_value
        z = z if firm is None else firm.z
        listed.add_row(plain(summary.names[who]), f"{z:.2f}", f"{chance:.1e}")
    listed.add_row(
        "[dim]best innocent code",
        f"{evidence.best_innocent_z:.2f}",
        f"{evidence.best_innocent_p:.1e}",
    )
    print_table(listed)
    if summary.joined:
        _print_joined(summary)
    if summary.collages:
        _print_collages(summary)


def _print_joined(summary: ExtractSummary) -> None:
    """Which suspects were joined, since they show the same original."""
    listed = table("Original", "Suspects, joined", "Points to")
    for image_id in list(summary.joined)[:_MOST_JOINED]:
        own = [one for one in summary.used if one.image_id == image_id]
        people = dict.fromkeys(who for one in own for who in summary.sources(one))
        listed.add_row(
            plain(Path(own[0].original or "").name),
            plain(", ".join(one.sample_id for one in own)),
            plain(", ".join(people)),
        )
    print_table(listed)
    more = len(summary.joined) - _MOST_JOINED
    if more > 0:
        out.print(f"and {count(more, 'more original')} of which suspects were joined")


def _print_collages(summary: ExtractSummary) -> None:
    """Where the originals lie in suspects that show several."""
    listed = table("Suspect", "Shows", "At, pixels", "Points to")
    for who, found in summary.collages.items():
        out.print(f"{plain(who)} shows {len(found)} originals, each read by itself")
        for one in found:
            sources = summary.sources(one)
            listed.add_row(
                plain(who),
                plain(Path(one.original or "").name),
                "" if one.box is None else "{}, {} to {}, {}".format(*one.box),
                plain(", ".join(sources) if one.used else "not used"),
            )
    print_table(listed)
