"""``reue info``."""

from __future__ import annotations

import json

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import PLACE, json_option
from fiftyone_reue.cli.printing import out, plain
from fiftyone_reue.names.display import moment
from fiftyone_reue.stores.address import Place


@click.command()
@click.argument("source", metavar="FILE|DIR", type=PLACE)
@json_option
@guarded
def info(source: Place, as_json: bool) -> None:
    """Show what a file's record or a release's manifest says, without any key.

    Of keys, licences, packages and vaults it says what they are.
    """
    from fiftyone_reue.workflows.info import describe

    facts = describe(source)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        title = plain(name.replace("_", " "))
        out.print(f"[bold]{title}[/]: {plain(_shown(name, value))}")


def _shown(name: str, value: object) -> str:
    if value is None:
        return "no"
    if name in ("created", "revoked_at") and isinstance(value, (int, float)):
        return moment(value)
    return str(value)
