"""``reue license``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import WRITTEN, json_option, pixels_option, vault_option
from fiftyone_reue.cli.printing import count, failed, out, plain, report
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.vaults import opened
from fiftyone_reue.names.display import moment


@click.command("license")
@click.argument("name")
@vault_option
@click.option("--release", required=True, help="The published release, by name or id.")
@click.option(
    "--out", "path", type=WRITTEN, required=True, help="The licence file to write."
)
@click.option(
    "--days",
    type=click.IntRange(0, 36_500),
    default=365,
    show_default=True,
    help="How long it is good for; 0: it never expires.",
)
@pixels_option
@json_option
@guarded
def license_(
    name: str,
    vault_folder: Path,
    release: str,
    path: Path,
    days: int,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Make NAME's licence for a published release (see `reue publish`).

    With it and their key they turn the published copies into their own, exactly, each
    with their watermark (`reue restore SRC DST --key FILE --license FILE`). Run it
    again with the same file after more was published, or to replace one that expires:
    only what is new is computed.
    """
    from fiftyone_reue.releases.lookup import find_release
    from fiftyone_reue.workflows.license import license_release

    with opened(vault_folder) as vault:
        found = find_release(vault, release)
        summary = shown(
            license_release(vault, name, found, path, days=days, max_pixels=max_pixels)
        )
    header, outcome = summary.header, summary.outcome
    if as_json:
        figures = {
            "licence": header.licence,
            "release": header.release,
            "recipient": header.recipient,
            "issue": header.issue,
            "expires": header.expires,
            "images": header.images,
            "made": outcome.done,
            "kept": outcome.skipped,
            "unmarked": summary.unmarked,
            "bytes": summary.bytes,
        }
        click.echo(json.dumps({**figures, **failed(outcome)}))
        return report(outcome)
    until = (
        f"good until {moment(header.expires, '%Y-%m-%d')}"
        if header.expires is not None
        else "without an end"
    )
    out.print(
        f"Licence {header.licence} for {plain(header.recipient)}, "
        f"issue {header.issue}, {until}: {count(header.images, 'image')} "
        f"({outcome.done} made, {outcome.skipped} kept, "
        f"{len(outcome.failures)} failed), {summary.bytes / 1000:.1f} kB"
    )
    if summary.unmarked:
        out.print(
            f"{count(summary.unmarked, 'image')} without room for a mark: their copies "
            "are the originals, and can't be traced."
        )
    out.print(f"Send them {plain(str(path))}; it is of use only with their key.")
    return report(outcome)
