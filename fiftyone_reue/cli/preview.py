"""``reue preview``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import PLACE, json_option, settings
from fiftyone_reue.cli.printing import count as counted
from fiftyone_reue.cli.printing import err, out, plain, print_table, table
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.cli.protect import known_method
from fiftyone_reue.names.display import file_size
from fiftyone_reue.options import pairs
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.stores.address import Place

if TYPE_CHECKING:
    from fiftyone_reue.workflows.preview import Preview


@click.command()
@click.argument("source", metavar="SRC", type=PLACE)
@settings(
    ProtectConfig,
    method={"callback": known_method},
    clusters={"metavar": "N"},
    depth={"metavar": "BITS"},
    quality={"metavar": "N"},
)
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="An option of the method, as `reue list options` says; several times.",
)
@click.option(
    "--classes-at",
    type=click.IntRange(min=1),
    metavar="N",
    help="The classes are the folders N levels below SRC; else that is found out.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 32),
    default=8,
    show_default=True,
    help="How many images to look at.",
)
@json_option
@guarded
def preview(
    source: Place,
    options: tuple[str, ...],
    classes_at: int | None,
    count: int,
    as_json: bool,
    **given: Any,
) -> None:
    """Say what protecting the ImageFolder SRC would give, from a few of its images.

    They are protected in memory, with keys that are thrown away: nothing is written,
    and no vault is needed. SRC may be a URL.
    """
    from fiftyone_reue.batch.folders import read_tree_of
    from fiftyone_reue.workflows import preview as previewing

    config = ProtectConfig.of(**given, options=pairs(options))
    tree = read_tree_of(source, classes_at, clustered=config.clusters is not None)
    found = shown(previewing.preview(tree.items, config=config, count=count))
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _print(found)


def _print(found: Preview) -> None:
    rows = table("Image", "Class", "PSNR", "SSIMULACRA2", "Size")
    # Names may be broken where they don't fit, figures and words not; what carries
    # which kind of file is said below.
    for number, column in enumerate(rows.columns):
        column.no_wrap = number > 1
    for one in found.images:
        seen = "–" if one.ssimulacra2 is None else f"{one.ssimulacra2:.0f}"
        sizes = f"{file_size(one.size_before)} → {file_size(one.size_after)}"
        rows.add_row(
            plain(one.sample_id),
            plain(one.label or ""),
            f"{one.psnr:.1f}",
            seen,
            sizes,
        )
    print_table(rows)
    for line in found.lines():
        out.print(plain(line))
    for failure in found.failures:
        err.print(plain(f"Can't be protected: {failure.reason}"))
    out.print(
        f"Looked at {counted(len(found.images), 'image')} of {found.total}; nothing "
        "was written."
    )
