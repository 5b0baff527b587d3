"""``reue link``."""

from __future__ import annotations

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.printing import out, plain


@click.command()
@click.option("--copy", is_flag=True, help="Copy the plugin instead of linking it.")
@guarded
def link(copy: bool) -> None:
    """Put the plugin into FiftyOne's plugins folder."""
    from fiftyone_reue.install.link import link as run

    folder = run(copy=copy)
    out.print(f"FiftyOne finds the plugin at {plain(str(folder))}.")
