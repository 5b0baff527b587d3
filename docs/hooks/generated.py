"""What pages say of commands, methods and settings, made from the code itself.

A line ``<!-- generated: NAME ARGUMENT -->`` becomes what the function of that name in
``MAKERS`` returns.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from fiftyone_reue.options import Option

_MARK = re.compile(r"^<!-- generated: (\w+) ?(.*?) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what is generated."""
    try:
        return filled(markdown)
    except KeyError as error:
        from mkdocs.exceptions import PluginError  # pages are looked at without it, too

        raise PluginError(f"{page.file.src_uri}: nothing makes {error}") from None


def filled(markdown: str) -> str:
    """A page with what is generated.

    Raises:
        KeyError: nothing makes it.
    """
    return _MARK.sub(lambda found: MAKERS[found[1]](found[2]), markdown)


# -- the command line


def commands(_: str = "") -> str:
    """Every command with its arguments and options."""
    from fiftyone_reue.cli import main

    return "\n\n".join(_command(main, "reue"))


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by what is typed."""
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from walk(one, f"{path} {name}")


def _command(main: click.Command, name: str) -> Iterator[str]:
    for path, command in walk(main, name):
        yield f"{'#' * (1 + len(path.split()))} `{path}`"
        yield _coded(inspect.cleandoc(command.help or ""))
        # As the program makes it: a command keeps the first help option that it makes.
        context = click.Context(command, info_name=path, **main.context_settings)
        if not isinstance(command, click.Group):
            pieces = " ".join(command.collect_usage_pieces(context))
            yield f"```text\n{path} {pieces}\n```"
        rows = [_parameter(one, context) for one in command.params]
        rows = [row for row in rows if row]
        if rows:
            yield _table(("option", "what", "default"), rows)


def _coded(help: str) -> str:
    """A help text with options and variables as code."""
    return re.sub(r"(?<![`\w-])(--[a-z][\w-]*|REUE_\w+)", r"`\1`", help)


def _parameter(one: click.Parameter, context: click.Context) -> tuple[str, ...]:
    if not isinstance(one, click.Option):
        return ()
    about = one.get_help_record(context)
    if about is None:
        return ()
    written = ", ".join(f"`{name}`" for name in one.opts)
    help = _coded(one.help or "")
    if isinstance(one.type, click.IntRange | click.FloatRange):
        written += f" `{one.metavar or 'N'}`"
        help += _range(one.type)
    elif not one.is_flag:
        written += f" `{one.make_metavar(context)}`"
    return written, help, "required" if one.required else _default(one)


def _range(kind: click.IntRange | click.FloatRange) -> str:
    if kind.min is not None and kind.max is not None:
        return f" ({kind.min} to {kind.max})"
    if kind.min is not None:
        return f" (at least {kind.min})"
    return "" if kind.max is None else f" (at most {kind.max})"


def _default(one: click.Option) -> str:
    if one.is_flag or one.multiple or not one.show_default or one.default is None:
        return ""
    return f"`{one.default}`"


# -- methods and settings


def method(name: str) -> str:
    """What a method says of itself, and its options."""
    from fiftyone_reue.perturb.registry import list_methods, method_options

    (info,) = (one for one in list_methods() if one.name == name)
    rows = [
        ("called", info.title),
        ("from", _arxiv(info.paper)),
        ("looks at your images first", f"{_yes(info.needs_fit)}; {info.cost}"),
        ("faster with a GPU", _yes(info.uses_gpu)),
        ("differs by", info.variety),
        ("keeps within epsilon", _yes(info.bounded)),
    ]
    options = method_options(name)
    more = _options(options) if options else "It has no options."
    facts = "\n".join(f"- *{name}*: {what}" for name, what in rows)
    return f"{facts}\n\n{more}"


def methods(_: str = "") -> str:
    """All methods in a table."""
    from fiftyone_reue.perturb.registry import list_methods

    rows = [
        (f"[`{one.name}`](#{one.name})", one.title, _yes(one.bounded), one.cost)
        for one in list_methods()
    ]
    return _table(("method", "what", "makes releases", "time to fit"), rows)


def settings(_: str = "") -> str:
    """How to protect, setting by setting."""
    from fiftyone_reue.options import options_of
    from fiftyone_reue.releases.config import ProtectConfig

    return _options(options_of(ProtectConfig), flags=True)


def _options(options: Sequence[Option], *, flags: bool = False) -> str:
    rows = []
    for one in options:
        kind = ", ".join(part for part in (one.kind, one.range()) if part)
        row = [f"`{one.name}`", one.help, kind, _typed(one.default)]
        if flags:
            row.insert(1, f"`--{one.name.replace('_', '-')}`")
        rows.append(tuple(row))
    head = ["option", "what", "takes", "default"]
    if flags:
        head.insert(1, "in the shell")
    return _table(head, rows)


def _typed(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return _yes(value)
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"


# -- measuring


def countermeasures(_: str = "") -> str:
    """What an audit tries."""
    from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures

    rows = [
        (f"`{one.name}`", one.title, one.family, _arxiv(one.paper), one.uses)
        for one in list_countermeasures()
    ]
    return _table(("name", "what", "family", "from", "needs"), rows)


def victims(_: str = "") -> str:
    """The networks that an audit trains."""
    from fiftyone_reue.networks.registry import list_networks

    rows = [(f"`{one.name}`", one.title, _arxiv(one.paper)) for one in list_networks()]
    return _table(("name", "what", "from"), rows)


# -- Markdown


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def _arxiv(paper: str) -> str:
    return re.sub(r"arXiv:(\d+\.\d+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", paper)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def plain(help: str) -> str:
    """A help text or docstring's sentence as Markdown."""
    help = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", help)
    return " ".join(help.replace("``", "`").split())


def _cell(text: str) -> str:
    return plain(text).replace("|", "\\|")


MAKERS: dict[str, Callable[[str], str]] = {
    one.__name__: one
    for one in (commands, countermeasures, method, methods, settings, victims)
}
