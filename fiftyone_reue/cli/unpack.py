"""``reue unpack``."""

from __future__ import annotations

import json

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import PLACE, json_option
from fiftyone_reue.cli.printing import count, out, plain
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.stores.address import Place


@click.command()
@click.argument("source", metavar="SRC", type=PLACE)
@click.argument("output", metavar="DST", type=PLACE)
@json_option
@guarded
def unpack(source: Place, output: Place, as_json: bool) -> None:
    """Write the images of SRC into the new folder DST, byte for byte.

    SRC is a ZIP file or folder of `reue package`, of whatever format, or any other
    Parquet or tar files with images, such as a dataset from a hub. What is unpacked can
    be restored, traced, or, if it is yours, protected. Both may be URLs.
    """
    from fiftyone_reue.workflows.unpack import unpack as steps_of

    summary = shown(steps_of(source, output))
    if as_json:
        figures = {"path": summary.path, "images": summary.images}
        click.echo(json.dumps({**figures, "bytes": summary.bytes}))
        return
    out.print(
        f"Unpacked {count(summary.images, 'image')} into {plain(summary.path)} "
        f"({summary.bytes / 1e6:.1f} MB)"
    )
