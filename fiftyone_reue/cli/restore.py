"""``reue restore``."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiftyone_reue.batch.engines import LOCAL
from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    FOLDER,
    PLACE,
    VAULT,
    engine_option,
    json_option,
    pixels_option,
    workers_option,
)
from fiftyone_reue.cli.passphrases import existing_of_identity, existing_of_key_file
from fiftyone_reue.cli.printing import (
    SHOWN_NAMES,
    err,
    failed,
    listed,
    out,
    plain,
    report,
)
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.names.display import count
from fiftyone_reue.stores.address import Place

if TYPE_CHECKING:
    from fiftyone_reue.vault.key_files import RecipientKey
    from fiftyone_reue.workflows.restore import RestoreSummary


@click.command()
@click.argument("source", metavar="SRC", type=PLACE)
@click.argument("output", metavar="DST", type=PLACE)
@click.option("--key", "key_path", type=FOLDER, help="A recipient's key file.")
@click.option(
    "--identity",
    type=FOLDER,
    envvar="REUE_IDENTITY_FILE",
    help="Your identity, if the key file was sealed for your own key "
    "(REUE_IDENTITY_FILE).",
)
@click.option(
    "--license",
    "licence",
    type=FOLDER,
    help="With --key, of a published set: the licence that you were sent.",
)
@click.option("--vault", "vault_folder", type=VAULT, help="The owner's vault.")
@click.option(
    "--approximate",
    is_flag=True,
    help="With --key, where pixels changed since: make the best of them.",
)
@click.option(
    "--records",
    type=PLACE,
    help="For that, the release as delivered: of crops and files without a record.",
)
@engine_option
@workers_option
@pixels_option
@json_option
@guarded
def restore(
    source: Place,
    output: Place,
    key_path: Path | None,
    identity: Path | None,
    licence: Path | None,
    vault_folder: Path | None,
    approximate: bool,
    records: Place | None,
    engine: str,
    workers: int | None,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Restore SRC into DST; both may be URLs, such as s3://bucket/for_alice.

    With --key, the recipient's licensed copies, from the files and the key alone; of a
    published set with --license too.
    With --vault, the owner's originals, from protected or licensed copies: the
    original files byte for byte, or it says of each what differs.

    All of it is exact, and what was re-compressed, edited or cropped since is refused.
    With --approximate it is restored as nearly as can be instead, to files that end in
    .approximate.png and carry no record.
    """
    from fiftyone_reue.api import restore_steps

    if (key_path is None) == (vault_folder is None):
        raise click.UsageError("give --key (recipient) or --vault (owner), one of them")
    if approximate and key_path is None:
        raise click.UsageError("--approximate is for licensed copies: give --key")
    if records is not None and not approximate:
        raise click.UsageError("--records is of use only with --approximate")
    if licence is not None and (key_path is None or approximate):
        raise click.UsageError("--license goes with --key, and without --approximate")
    if engine != LOCAL and key_path is None:
        raise click.UsageError(
            "--engine goes with --key: originals take the whole vault, which no worker "
            "gets"
        )
    steps = partial(
        restore_steps,
        source,
        output,
        license=licence,
        approximate=approximate,
        records=records,
        max_pixels=max_pixels,
        engine=engine,
        workers=workers,
    )
    if vault_folder is not None:
        with opened(vault_folder) as vault:
            summary = shown(steps(vault=vault))
    else:
        assert key_path is not None
        summary = shown(steps(key=_key(key_path, identity)))
    if as_json:
        click.echo(json.dumps(_figures(summary)))
    else:
        _print(summary)
    return report(summary.outcome)


def _key(path: Path, identity: Path | None) -> RecipientKey:
    from fiftyone_reue.vault.key_files import read_key_file
    from fiftyone_reue.vault.small_files import others_can_read

    key = read_key_file(
        path,
        existing_of_key_file,
        identity=identity,
        identity_passphrase=existing_of_identity,
    )
    if identity is not None and identity.exists() and others_can_read(identity):
        name = plain(str(identity))
        err.print(
            f"[yellow]Warning:[/] your identity {name} can be read by others; run "
            f"`chmod 600 {name}`"
        )
    return key


def _figures(summary: RestoreSummary) -> dict[str, Any]:
    return {
        "tier": summary.tier,
        "restored": summary.outcome.done,
        "skipped": summary.outcome.skipped,
        "compared_with": summary.compared_with and str(summary.compared_with),
        "approximate": [one.to_dict() for one in summary.approximations],
        "differing": [
            {"image": name, "reason": why} for name, why in summary.differing.items()
        ],
        **failed(summary.outcome),
    }


def _print(summary: RestoreSummary) -> None:
    from fiftyone_reue.workflows.approximate import described

    outcome = summary.outcome
    licensed = summary.tier == "licensed"
    kind = ("licensed copy", "licensed copies") if licensed else ("original",)
    there = f"{outcome.skipped} {'was' if outcome.skipped == 1 else 'were'} there"
    out.print(
        f"Restored {count(outcome.done, *kind)} exactly, {there}, "
        f"{len(outcome.failures)} failed"
    )
    _print_differing(summary)
    if licensed and summary.written and summary.compared_with is None:
        out.print(
            "There was no manifest.json in SRC or above to compare the files with: "
            "metadata that was changed on the way wouldn't be noticed."
        )
    if summary.approximations:
        out.print(plain(described(summary.approximations)))


def _print_differing(summary: RestoreSummary) -> None:
    """Which files aren't the original ones or those handed out; each reason once."""
    names: dict[str, list[str]] = {}
    for name, why in summary.differing.items():
        names.setdefault(why, []).append(name)
    files = summary.files_text(reasons=len(names) == 1)
    if files:
        out.print(plain(f"{files[0].upper()}{files[1:]}."))
    for why, which in names.items():
        out.print(plain(f"  {listed(which)}" + (f": {why}" if len(names) > 1 else "")))
    if any(len(which) > SHOWN_NAMES for which in names.values()):
        out.print("  --json names all of them")
