"""``reue list``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import json_option
from fiftyone_reue.cli.printing import out, plain


@click.command("list")
@click.argument(
    "what", type=click.Choice(["methods", "options", "countermeasures", "victims"])
)
@json_option
@guarded
def list_(what: str, as_json: bool) -> None:
    """List methods, their options, countermeasures or victims: what can be named
    elsewhere.

    Methods without a bound on their change are for the audit; they make no releases.
    """
    if what == "options":
        _options(as_json)
        return
    from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures
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
        words = [
            plain(word) for word in (info.title, info.paper, _remark(info)) if word
        ]
        out.print("  ".join([f"[bold]{info.name}[/]", *words]))


def _remark(info: Any) -> str:
    if not getattr(info, "bounded", True):
        return "(makes no releases)"
    needs = getattr(info, "uses", "")
    return f"(needs {needs})" if needs else ""


def _options(as_json: bool) -> None:
    """What `reue protect --option NAME=VALUE` takes, method by method."""
    from fiftyone_reue.perturb.registry import list_methods, method_options

    names = [info.name for info in list_methods(releasable=True)]
    known = {name: method_options(name) for name in names}
    if as_json:
        listed = {name: [asdict(one) for one in of] for name, of in known.items()}
        click.echo(json.dumps(listed))
        return
    for name, of in known.items():
        out.print(f"[bold]{name}[/]" + ("" if of else "  none"))
        for one in of:
            default = "" if one.default is None else f", {_typed(one.default)}"
            kind = ", ".join(part for part in (one.kind, one.range()) if part)
            out.print(plain(f"  {one.name}  {one.help} ({kind}{default})"))


def _typed(value: Any) -> str:
    """A default as somebody would type it."""
    return ",".join(value) if isinstance(value, tuple) else str(value)
