"""``reue vault``: check, index, repair."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import (
    app_option,
    json_option,
    optional_vault_option,
    originals_option,
    pixels_option,
)
from fiftyone_reue.cli.passphrases import ask_existing
from fiftyone_reue.cli.printing import count, err, out, plain
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened_either, require_one
from fiftyone_reue.stores.address import Place


@click.group()
def vault() -> None:
    """Check a vault's ledger, put back what it lost, and prepare tracing."""


@vault.command()
@optional_vault_option
@app_option
@click.option(
    "--accept",
    is_flag=True,
    help="Take the rows that are there, and whose MACs are right, for what should be "
    "there: after you put the ledger back from a backup, or looked into what is wrong.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@guarded
def check(
    vault_folder: Path | None, app: bool, accept: bool, yes: bool, as_json: bool
) -> int:
    """Verify every row of the ledger, and that none was removed or put back.

    The exit status is 1 if anything isn't as the owner left it.
    """
    from fiftyone_reue.progress import finish
    from fiftyone_reue.vault.check import check as run

    with opened_either(vault_folder, app, tell=False) as held:
        if accept:
            if not yes:
                click.confirm(
                    "Rows that were removed, or put back from a backup, won't be "
                    "noticed any more. Accept the ledger as it is",
                    abort=True,
                    err=True,
                )
            held.ledger.accept()
        report = finish(run(held))
    if as_json:
        click.echo(json.dumps(report.to_dict()))
        return int(bool(report.problems))
    for problem in report.problems:
        err.print(f"[red]Wrong:[/] {plain(str(problem))}")
    for note in report.notes:
        out.print(f"Note: {plain(note)}.")
    rows = ", ".join(
        count(number, table.removesuffix("s"), table)
        for table, number in report.rows.items()
    )
    if report.problems:
        out.print(
            f"{count(len(report.problems), 'problem')} in the ledger of vault "
            f"{report.vault_id}; of good rows there are: {rows}."
        )
        return 1
    out.print(f"The ledger of vault {report.vault_id} is as you left it: {rows}.")
    return 0


@vault.command()
@optional_vault_option
@app_option
@originals_option
@pixels_option
@json_option
@guarded
def index(
    vault_folder: Path | None,
    app: bool,
    originals: Place | None,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Look at the originals for what tells their parts apart, ahead of a leak.

    The first `reue extract` that meets a cropped, turned or framed suspect does it
    otherwise. What is known is kept beside the ledger, so only new originals are looked
    at; an interrupted run goes on.
    """
    from fiftyone_reue.releases.tracing import Tracer

    with opened_either(vault_folder, app) as held:
        tracer = Tracer(held, originals, max_pixels=max_pixels)
        looked, gone = shown(tracer.look_at_originals())
    if as_json:
        click.echo(json.dumps({"originals": looked, "gone": gone}))
        return int(bool(gone))
    out.print(f"Looked at {count(looked, 'original')} for the first time.")
    if gone:
        err.print(
            f"[red]Not there:[/] {count(gone, 'original')}, nor a protected copy; say "
            "where they are now (--originals FOLDER)"
        )
    return int(bool(gone))


@vault.command()
@optional_vault_option
@app_option
@json_option
@guarded
def repair(vault_folder: Path | None, app: bool, as_json: bool) -> None:
    """Put back the vault's description, or the list of its rows, if it was lost.

    The copies beside the owner key are taken, if the owner key opens them.
    """
    require_one(vault_folder, app)
    if vault_folder is not None:
        from fiftyone_reue.vault.vault import repair_folder

        vault_id = repair_folder(vault_folder, ask=ask_existing)
    else:
        from fiftyone_reue.samples.vaults import repair_vault

        vault_id = repair_vault(ask=ask_existing)
    if as_json:
        click.echo(json.dumps({"vault": vault_id}))
        return
    out.print(
        f"What the ledger of vault {vault_id} had lost is back; run `reue vault check`."
    )
