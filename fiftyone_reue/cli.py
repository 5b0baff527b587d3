"""The command line: the same verbs for folders, without FiftyOne."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from fiftyone_reue import __version__
from fiftyone_reue.errors import CancelledError, ReueError
from fiftyone_reue.pipeline import Outcome
from fiftyone_reue.steps import Progress as Step
from fiftyone_reue.steps import finish, mapped

if TYPE_CHECKING:
    from fiftyone_reue.vault.vault import Vault

Result = TypeVar("Result")

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

SHOWN_FAILURES = 10
"""So many files that failed for one reason are named on the terminal."""

MAX_PIXELS = 200_000_000
"""What the library refuses from, which would take too long to import for --help."""

DECOYS, MOST_DECOYS = 200, 10_000
"""The library's as well."""

FOLDER = click.Path(path_type=Path, readable=False)  # the library says why not
vault_option = click.option(
    "--vault",
    "vault_folder",
    type=FOLDER,
    required=True,
    help="The vault's folder: owner key and ledger.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ..."
)
pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse larger images before decoding them.",
)


def guarded(command: Callable[..., int | None]) -> Callable[..., None]:
    """Turn errors into a message and exit status 1, in JSON too where asked for."""

    @wraps(command)
    def run(**arguments: Any) -> None:
        try:
            status = command(**arguments)
        except ReueError as error:
            status = _fail(str(error), error, arguments)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            status = _fail(f"{place}{error.strerror or error}", error, arguments)
        except KeyboardInterrupt:
            text = "Stopped. What was finished is kept; run it again to go on."
            status = _fail(text, CancelledError(), arguments)
        sys.exit(status or 0)

    return run


def _fail(text: str, error: Exception, arguments: dict[str, Any]) -> int:
    if arguments.get("as_json"):
        click.echo(json.dumps({"error": text, "kind": type(error).__name__}))
    err.print(f"[bold red]Error:[/] {_plain(text)}")
    return 1


def known_method(_: click.Context, __: click.Parameter, name: str) -> str:
    """Check a method's name, importing the methods only when it comes to that."""
    from fiftyone_reue.perturb.registry import create_method

    try:
        create_method(name)
    except ReueError as error:
        raise click.BadParameter(str(error)) from None
    return name


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reue")
def main() -> None:
    """Hand out copies of an image dataset that can't be trained on, can be given
    back exactly, and can be traced to who leaked them."""


@main.command()
@vault_option
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase as owner key.")
@click.option("--keyring", is_flag=True, help="Keep the owner key in the OS keyring.")
@click.option("--key-file", type=FOLDER, help="Where to put the new owner key.")
@json_option
@guarded
def init(
    vault_folder: Path,
    passphrase: bool,
    keyring: bool,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Create a vault: owner key and empty ledger.

    The owner key is REUE_OWNER_KEY (64 hex digits) if that is set, else a passphrase
    (--passphrase, or REUE_OWNER_PASSPHRASE), else the keyring (--keyring), else a new
    key file.
    """
    from fiftyone_reue.vault.vault import create_folder

    vault = create_folder(
        vault_folder,
        passphrase=_ask_new if passphrase else None,
        use_keyring=keyring,
        key_file=key_file,
    )
    with vault.ledger:
        meta = vault.ledger.get_meta() or {}
    kind = meta.get("provider", {}).get("kind")
    where = str(key_file or vault_folder / "owner.key")
    if as_json:
        click.echo(json.dumps({"vault": vault.vault_id, "owner_key": kind}))
        return
    out.print(f"Created vault {vault.vault_id} in {_plain(str(vault_folder))}.")
    if kind == "file" or Path(where).is_file():
        out.print(
            f"The owner key is {_plain(where)}. Whoever has it can restore every "
            "original: keep a copy in a safe place, away from the vault."
        )


@main.group()
def recipient() -> None:
    """Manage who is given copies."""


@recipient.command("add")
@click.argument("name")
@vault_option
@click.option("--key-out", type=FOLDER, required=True, help="The key file to write.")
@click.option("--passphrase", is_flag=True, help="Seal the key file with a passphrase.")
@json_option
@guarded
def recipient_add(
    name: str, vault_folder: Path, key_out: Path, passphrase: bool, as_json: bool
) -> None:
    """Add a recipient and write the key file to send them."""
    from fiftyone_reue.errors import OutputError
    from fiftyone_reue.vault.key_files import write_key_file

    if key_out.exists():
        raise OutputError(f"{key_out} is there already; choose another name")
    if not key_out.resolve().parent.is_dir():
        raise OutputError(f"{key_out.parent}: there is no such folder; make it first")
    with _open(vault_folder) as vault:
        person, key = vault.add_recipient(name)
        try:
            write_key_file(key_out, key, _key_passphrase(passphrase))
        except OutputError as error:
            again = f"reue recipient key {name} --vault {vault_folder} --key-out FILE"
            raise OutputError(
                f"{error}. {name} is a recipient now; write the key file with: {again}"
            ) from error
    if as_json:
        click.echo(json.dumps({"name": name, "id": person.id, "key": person.key_id}))
        return
    out.print(f"Added {_plain(name)} (key {person.key_id}).")
    out.print(f"Send them {_plain(str(key_out))}; it restores their licensed copies.")


@recipient.command("key")
@click.argument("name")
@vault_option
@click.option("--key-out", type=FOLDER, required=True, help="The key file to write.")
@click.option("--passphrase", is_flag=True, help="Seal the key file with a passphrase.")
@json_option
@guarded
def recipient_key(
    name: str, vault_folder: Path, key_out: Path, passphrase: bool, as_json: bool
) -> None:
    """Write a recipient's key file once more, when it was lost."""
    from fiftyone_reue.vault.key_files import write_key_file

    with _open(vault_folder) as vault:
        person = vault.recipient(name)
        vault.require_active(person)
        key = vault.recipient_key(person)
        write_key_file(key_out, key, _key_passphrase(passphrase))
    if as_json:
        click.echo(json.dumps({"name": name, "id": person.id, "key": person.key_id}))
        return
    out.print(f"Send {_plain(name)} {_plain(str(key_out))}.")


@recipient.command("list")
@vault_option
@json_option
@guarded
def recipient_list(vault_folder: Path, as_json: bool) -> None:
    """List the recipients."""
    with _open(vault_folder) as vault:
        rows = [
            {
                "name": person.name,
                "id": person.id,
                "key": person.key_id,
                "created": person.created,
                "revoked_at": person.revoked_at,
                "releases": len(vault.ledger.releases(person.id)),
            }
            for person in vault.recipients()
        ]
    if as_json:
        click.echo(json.dumps({"recipients": rows}))
        return
    table = _table("Name", "Key", "Releases", "State")
    for row in rows:
        state = "revoked" if row["revoked_at"] else "active"
        table.add_row(str(row["name"]), str(row["key"]), str(row["releases"]), state)
    out.print(table, soft_wrap=False)


@recipient.command("revoke")
@click.argument("name")
@vault_option
@json_option
@guarded
def recipient_revoke(name: str, vault_folder: Path, as_json: bool) -> None:
    """Revoke a recipient's key: no new releases, and no restoring from the release
    folders that this vault knows. Copies that were handed out stay what they are."""
    from fiftyone_reue import manifest

    with _open(vault_folder) as vault:
        person = vault.revoke(name)
        marked = manifest.mark_revoked(vault, person)
    if as_json:
        click.echo(json.dumps({"name": person.name, "revoked_at": person.revoked_at}))
        return
    out.print(
        f"Revoked {_plain(person.name)}; {_count(len(marked), 'release folder')} "
        "marked."
    )
    out.print("Copies that they have already, and what they restored, stay readable.")


@main.command()
@click.argument("source", metavar="SRC", type=FOLDER)
@click.argument("output", metavar="DST", type=FOLDER)
@vault_option
@click.option("--recipient", "name", required=True, help="Whom the copy is for.")
@click.option(
    "--method",
    default="rue",
    show_default=True,
    callback=known_method,
    help="How to perturb: rue, or lsp, which needs no fitting.",
)
@click.option(
    "--epsilon",
    type=click.IntRange(3, 32),
    default=8,
    show_default=True,
    help="The largest change of a sample in gray levels, watermark included.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Make the run repeatable with this vault.",
)
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
    with _open(vault_folder) as vault:
        summary = _show(
            run(
                vault,
                name,
                items,
                output,
                name=f"{name}-{output.resolve().name}",
                source=str(source.resolve()),
                config=config,
            )
        )
    outcome = summary.outcome
    if as_json:
        report = {
            "release": summary.release.id,
            "recipient": summary.recipient,
            "method": method,
            "epsilon": epsilon,
            "clusters": clusters,
            "protected": outcome.done,
            "skipped": outcome.skipped,
            "converted_to_png": summary.converted,
            "psnr": summary.psnr,
            **_failed(outcome),
        }
        click.echo(json.dumps(report))
    else:
        out.print(
            f"Release {summary.release.id} for {_plain(summary.recipient)}: "
            f"{outcome.done} protected, {outcome.skipped} were there, "
            f"{len(outcome.failures)} failed"
            + (f"; PSNR {summary.psnr:.1f} dB" if summary.psnr else "")
        )
        if summary.converted:
            out.print(
                f"{summary.converted} images with lossy files (JPEG) were written as "
                "PNG: a lossy file can't hold exact pixels."
            )
    return _report(outcome)


@main.command()
@click.argument("source", metavar="SRC", type=FOLDER)
@click.argument("output", metavar="DST", type=FOLDER)
@click.option("--key", "key_path", type=FOLDER, help="A recipient's key file.")
@click.option("--vault", "vault_folder", type=FOLDER, help="The owner's vault.")
@click.option(
    "--approximate",
    is_flag=True,
    help="With --key, where pixels changed since: make the best of them.",
)
@click.option(
    "--records",
    type=FOLDER,
    help="For that, the release as delivered: of crops and files without a record.",
)
@pixels_option
@json_option
@guarded
def restore(
    source: Path,
    output: Path,
    key_path: Path | None,
    vault_folder: Path | None,
    approximate: bool,
    records: Path | None,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Restore SRC into DST.

    With --key, the recipient's licensed copies, from the files and the key alone.
    With --vault, the owner's originals, from protected or licensed copies.

    All of it is exact, and what was re-compressed, edited or cropped since is refused.
    With --approximate it is restored as nearly as can be instead, to files that end in
    .approximate.png and carry no record.
    """
    from fiftyone_reue import restore as restoring
    from fiftyone_reue.approximate import described
    from fiftyone_reue.folders import check_apart, image_items
    from fiftyone_reue.vault.key_files import read_key_file

    if (key_path is None) == (vault_folder is None):
        raise click.UsageError("give --key (recipient) or --vault (owner), one of them")
    if approximate and key_path is None:
        raise click.UsageError("--approximate is for licensed copies: give --key")
    if records is not None and not approximate:
        raise click.UsageError("--records is of use only with --approximate")
    check_apart(source, output)
    items = image_items(source)
    if key_path is not None:
        key = read_key_file(key_path, _existing_key_passphrase)
        job = restoring.restore_licensed(
            items,
            source,
            output,
            key,
            max_pixels=max_pixels,
            approximate=approximate,
            records=records,
        )
        summary = _show(job)
    else:
        assert vault_folder is not None
        with _open(vault_folder) as vault:
            job = restoring.restore_original(
                vault, items, output, max_pixels=max_pixels
            )
            summary = _show(job)
    outcome = summary.outcome
    if as_json:
        report = {
            "tier": summary.tier,
            "restored": outcome.done,
            "skipped": outcome.skipped,
            "approximate": [one.to_dict() for one in summary.approximations],
            **_failed(outcome),
        }
        click.echo(json.dumps(report))
    else:
        kind = "licensed copies" if summary.tier == "licensed" else "originals"
        out.print(
            f"Restored {outcome.done} {kind} exactly, {outcome.skipped} were there, "
            f"{len(outcome.failures)} failed"
        )
        if summary.approximations:
            out.print(_plain(described(summary.approximations)))
    return _report(outcome)


@main.command()
@click.argument("sources", metavar="SRC...", type=FOLDER, nargs=-1, required=True)
@vault_option
@click.option(
    "--originals", type=FOLDER, help="Where the originals are, if they moved."
)
@pixels_option
@json_option
@guarded
def extract(
    sources: tuple[Path, ...],
    vault_folder: Path,
    originals: Path | None,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Say whose copy the images in SRC (a folder, or files) were made from."""
    from fiftyone_reue.extract import extract as run
    from fiftyone_reue.folders import suspect_items

    items = [item for source in sources for item in suspect_items(source)]
    with _open(vault_folder) as vault:
        job = run(vault, items, originals_folder=originals, max_pixels=max_pixels)
        summary = _show(job)
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        _print_evidence(summary)
    return _report(summary.outcome)


@main.command()
@click.argument("sources", metavar="SRC...", type=FOLDER, nargs=-1, required=True)
@vault_option
@click.option(
    "--out",
    "output",
    type=FOLDER,
    required=True,
    help="Where a picture of each image goes.",
)
@click.option(
    "--originals", type=FOLDER, help="Where the originals are, if they moved."
)
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
    sources: tuple[Path, ...],
    vault_folder: Path,
    output: Path,
    originals: Path | None,
    decoys: int,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Show what the method deep_hiding hid in the images in SRC (a folder, or files).

    A proof of ownership besides the watermark, also of re-saved copies. Each picture
    shows an image, what is revealed in it, and what was hidden. A decoy is what
    another key would have hidden; half a second each.
    """
    from fiftyone_reue.folders import check_apart, suspect_items
    from fiftyone_reue.reveal import reveal as run

    items = []
    for source in sources:
        if source.is_dir():
            check_apart(source, output)
        items += suspect_items(source)
    with _open(vault_folder) as vault:
        job = run(
            vault,
            items,
            output,
            originals_folder=originals,
            decoys=decoys,
            max_pixels=max_pixels,
        )
        summary = _show(job)
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        _print_revealed(summary)
    return _report(summary.outcome)


@main.command()
@click.argument("source", metavar="SRC", type=FOLDER)
@vault_option
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of split and models.",
)
@click.option(
    "--max-images",
    type=click.IntRange(min=8),
    default=6000,
    show_default=True,
    help="Train on so many; all are scored.",
)
@device_option
@pixels_option
@json_option
@guarded
def score(
    source: Path,
    vault_folder: Path,
    seed: int,
    max_images: int,
    device: str,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Measure the unlearnability of the release in SRC."""
    from fiftyone_reue.releases import released_items
    from fiftyone_reue.score import ScoreConfig
    from fiftyone_reue.score import score as run

    with _open(vault_folder) as vault:
        items = released_items(vault, source)
        config = ScoreConfig(seed, device, max_images, max_pixels)
        summary = _show(run(vault, items, config))
    figures = summary.to_dict()
    if as_json:
        click.echo(json.dumps(figures))
    else:
        out.print(
            f"Trained on originals {figures['accuracy_clean']:.1%}, on protected "
            f"copies {figures['accuracy_protected']:.1%}, chance "
            f"{figures['chance']:.1%}"
        )
        value = figures["unlearnability"]
        out.print(
            "The originals themselves can't be learned from so few images, so "
            "unlearnability can't be told"
            if value is None
            else f"Unlearnability {value:.2f} (1: no better than guessing)"
        )
    return _report(summary.outcome)


@main.command()
@click.argument("source", metavar="SRC", type=FOLDER)
@vault_option
@click.option(
    "--out",
    "output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the report goes.  [default: SRC.audit, beside SRC]",
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
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of the split.",
)
@device_option
@pixels_option
@json_option
@guarded
def audit(
    source: Path,
    vault_folder: Path,
    output: Path | None,
    budget: str,
    countermeasures: str | None,
    victims: str | None,
    seeds: int | None,
    seed: int,
    device: str,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Measure how well the release in SRC holds against what a thief may do.

    Victims are trained on its copies under every countermeasure, and on the originals
    in the same way. Writes audit.html and audit.json. Interrupted? Run it again: what
    was measured is kept.
    """
    from fiftyone_reue.audit.countermeasures.registry import list_countermeasures
    from fiftyone_reue.release_audit import AuditConfig, audit_release
    from fiftyone_reue.releases import released_items

    every = tuple(info.name for info in list_countermeasures())
    config = AuditConfig(
        budget=budget,
        countermeasures=every if countermeasures == "all" else _split(countermeasures),
        victims=_split(victims),
        seeds=seeds,
        seed=seed,
        device=device,
        max_pixels=max_pixels,
    )
    with _open(vault_folder) as vault:
        items = released_items(vault, source)
        summary = _show(audit_release(vault, items, config, output))
    if as_json:
        click.echo(json.dumps(summary.to_dict(), allow_nan=False))
    else:
        out.print(f"[bold]{_plain(summary.verdict.headline)}[/]")
        out.print(_plain(summary.verdict.paragraph))
        out.print(_plain(" ".join(summary.verdict.cautions)))
        out.print(f"Report: {_plain(str(summary.report))}")
    return _report(summary.outcome)


@main.command("list")
@click.argument("what", type=click.Choice(["methods", "countermeasures", "victims"]))
@json_option
@guarded
def list_(what: str, as_json: bool) -> None:
    """List methods, countermeasures or victims: what can be named elsewhere."""
    from fiftyone_reue.audit.countermeasures.registry import list_countermeasures
    from fiftyone_reue.networks.registry import list_networks
    from fiftyone_reue.perturb.registry import list_methods

    makers: dict[str, Callable[[], Sequence[Any]]] = {
        "methods": list_methods,
        "countermeasures": list_countermeasures,
        "victims": list_networks,
    }
    infos = makers[what]()
    if as_json:
        click.echo(json.dumps([asdict(info) for info in infos]))
        return
    for info in infos:
        out.print(f"[bold]{info.name}[/]  {_plain(info.title)}  {_plain(info.paper)}")


@main.command()
@click.argument("source", metavar="FILE|DIR", type=FOLDER)
@json_option
@guarded
def info(source: Path, as_json: bool) -> None:
    """Show what a file's record or a release's manifest says, without any key."""
    from fiftyone_reue.info import describe

    facts = describe(source)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        out.print(f"[bold]{name.replace('_', ' ')}[/]: {_plain(_shown(name, value))}")


@main.group()
def release() -> None:
    """List and delete releases."""


@release.command("list")
@vault_option
@json_option
@guarded
def release_list(vault_folder: Path, as_json: bool) -> None:
    """List the releases."""
    with _open(vault_folder) as vault:
        names = {person.id: person.name for person in vault.recipients()}
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "recipient": names.get(one.recipient_id),
                "method": one.method,
                "state": one.state,
                "images": vault.ledger.count_records(one.id),
                "unlearnability": one.scores.get("unlearnability"),
                "output": one.output,
            }
            for one in vault.ledger.releases()
        ]
    if as_json:
        click.echo(json.dumps({"releases": rows}))
        return
    table = _table("Id", "Name", "Recipient", "Method", "State", "Images", "Folder")
    for row in rows:
        keys = ("id", "name", "recipient", "method", "state", "images", "output")
        table.add_row(*(_plain(str(row[key])) for key in keys))
    out.print(table, soft_wrap=False)


@release.command("delete")
@click.argument("name")
@vault_option
@click.option("--files", is_flag=True, help="Delete the protected files too.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@guarded
def release_delete(name: str, vault_folder: Path, files: bool, yes: bool) -> None:
    """Forget a release: its copies can't be traced or restored any more."""
    from fiftyone_reue.releases import delete_release, find_release

    with _open(vault_folder) as vault:
        found = find_release(vault, name)
        if not yes:
            click.confirm(
                f"Forget release {found.name} ({found.id})? Copies of it can't be "
                "traced or restored to the original any more",
                abort=True,
            )
        deleted = delete_release(vault, found, files=files)
    out.print(f"Forgot release {found.id}; {deleted} files deleted.")


@main.group()
def keys() -> None:
    """Manage the owner key."""


@keys.command("rotate")
@vault_option
@click.option("--passphrase", is_flag=True, help="Ask for the new passphrase.")
@click.option("--keyring", is_flag=True, help="Keep the new key in the OS keyring.")
@click.option("--key-file", type=FOLDER, help="Where to put the new owner key.")
@json_option
@guarded
def keys_rotate(
    vault_folder: Path,
    passphrase: bool,
    keyring: bool,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Replace the owner key. Touches no image and no recipient's key.

    The new key is REUE_OWNER_KEY_NEW if that is set (then set REUE_OWNER_KEY to it
    afterwards), else a passphrase, the keyring, or a new key file.
    """
    from fiftyone_reue.vault.owner_keys import EnvironmentKey
    from fiftyone_reue.vault.vault import rotate_folder

    new = os.environ.get("REUE_OWNER_KEY_NEW")
    phrase = os.environ.get("REUE_OWNER_PASSPHRASE_NEW")
    old_id, new_id = rotate_folder(
        vault_folder,
        provider=EnvironmentKey({"REUE_OWNER_KEY": new}) if new else None,
        passphrase=phrase or (_ask_new if passphrase else None),
        use_keyring=keyring,
        key_file=key_file,
        ask=_ask_existing,
    )
    if as_json:
        click.echo(json.dumps({"old_key": old_id, "new_key": new_id}))
        return
    out.print(f"The owner key is now {new_id}; {old_id} opens this vault no more.")


@main.command("link")
@click.option("--copy", is_flag=True, help="Copy the plugin instead of linking it.")
@guarded
def link_command(copy: bool) -> None:
    """Put the plugin into FiftyOne's plugins folder."""
    from fiftyone_reue.link import link

    place = link(copy=copy)
    out.print(f"FiftyOne finds the plugin at {_plain(str(place))}.")


@contextmanager
def _open(folder: Path) -> Iterator[Vault]:
    from fiftyone_reue.vault.vault import open_folder

    vault = open_folder(folder, ask=_ask_existing)
    with vault.ledger:
        yield vault


def _ask_existing(*_: object) -> str:
    if not sys.stdin.isatty():
        from fiftyone_reue.errors import VaultError

        raise VaultError(
            "The vault opens with a passphrase; set REUE_OWNER_PASSPHRASE or run this "
            "in a terminal"
        )
    return click.prompt("Owner passphrase", hide_input=True, err=True)


def _ask_new(*_: object) -> str:
    return click.prompt(
        "New passphrase", hide_input=True, confirmation_prompt=True, err=True
    )


def _key_passphrase(wanted: bool) -> str | None:
    if not wanted:
        return None
    return os.environ.get("REUE_KEY_PASSPHRASE") or _ask_new()


def _existing_key_passphrase(*_: object) -> str:
    given = os.environ.get("REUE_KEY_PASSPHRASE")
    if given:
        return given
    if not sys.stdin.isatty():
        from fiftyone_reue.errors import InputError

        raise InputError(
            "The key file needs a passphrase; set REUE_KEY_PASSPHRASE or run this in a "
            "terminal"
        )
    return click.prompt("Passphrase of the key file", hide_input=True, err=True)


def _show(steps: Generator[Step, None, Result]) -> Result:
    """Run a job with a progress bar on standard error, if that is a terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        task = bar.add_task("Starting", total=1.0)

        def show(step: Step) -> None:
            bar.update(task, completed=step.fraction, description=step.label)

        return finish(mapped(steps, show))


def _split(names: str | None) -> tuple[str, ...]:
    return tuple(n for n in (part.strip() for part in (names or "").split(",")) if n)


def _failed(outcome: Outcome) -> dict:
    return {
        "failed": len(outcome.failures),
        "failures": [
            {"image": failure.sample_id, "reason": failure.reason}
            for failure in outcome.failures
        ],
    }


def _report(outcome: Outcome) -> int:
    """Say what failed, files that failed for one reason together."""
    files: dict[str, list[str]] = {}
    for failure in outcome.failures:
        reason = failure.reason.removeprefix(f"{failure.sample_id}: ")
        files.setdefault(reason, []).append(failure.sample_id)
    for reason, names in files.items():
        which = ", ".join(names[:SHOWN_FAILURES])
        if len(names) > SHOWN_FAILURES:
            which += f" and {len(names) - SHOWN_FAILURES} more"
        err.print(f"[red]Failed:[/] {_plain(which)}: {_plain(reason)}")
    if outcome.failures:
        err.print(f"{_count(len(outcome.failures), 'image')} failed; the rest is done.")
        return 1
    return 0


def _print_evidence(summary: Any) -> None:
    out.print(_plain(summary.verdict()))
    evidence = summary.evidence
    table = _table("Recipient", "Z", "Chance at most")
    ranked = sorted(evidence.scores.items(), key=lambda pair: -pair[1])
    from fiftyone_reue.watermark.evidence import bound

    for who, z in ranked[:5]:
        chance = bound(z, evidence.recipients_tested)
        table.add_row(_plain(summary.names[who]), f"{z:.2f}", f"{chance:.1e}")
    table.add_row("[dim]best innocent code", "", f"{evidence.best_innocent_p:.1e}")
    out.print(table, soft_wrap=False)


def _print_revealed(summary: Any) -> None:
    if summary.images:
        table = _table("File", "Sample", "Agreement", "Decoys as good", "Chance")
        for image in summary.images:
            table.add_row(
                _plain(image.sample_id),
                _plain(image.original),
                f"{image.agreement:.2f}",
                f"{image.as_good} of {image.decoys}",
                f"{image.p_value:.3f}",
            )
        out.print(table, soft_wrap=False)
    out.print(_plain(summary.verdict()))


def _table(first: str, *others: str) -> Table:
    """A table that folds what doesn't fit, but for its first column, to be copied."""
    table = Table()
    table.add_column(first, no_wrap=True, overflow="fold")
    for name in others:
        table.add_column(name, overflow="fold")
    return table


def _shown(name: str, value: object) -> str:
    if value is None:
        return "no"
    if name in ("created", "revoked_at") and isinstance(value, (int, float)):
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(value))
    return str(value)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
