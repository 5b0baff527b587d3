"""Errors as messages and exit statuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from fiftyone_reue.cli.printing import err, plain
from fiftyone_reue.errors import CancelledError, ReueError
from fiftyone_reue.names.display import printable
from fiftyone_reue.names.filenames import shown


class Commands(click.Group):
    """Commands whose wrong usage is told with nothing in it that a terminal obeys.

    click says some arguments again as they came, and a shell's pattern may have made
    them out of anybody's file names.
    """

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _printable_usage():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _printable_usage():
            return super().invoke(ctx)


@contextmanager
def _printable_usage() -> Iterator[None]:
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        said = printable(error.format_message().expandtabs(2), lines=True)
        raise click.UsageError(said, error.ctx) from None


def guarded(command: Callable[..., int | None]) -> Callable[..., None]:
    """Turn errors into a message and exit status 1, in JSON too where asked for."""

    @wraps(command)
    def run(**arguments: Any) -> None:
        try:
            status = command(**arguments)
        except ReueError as error:
            status = _fail(str(error), error, arguments)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            status = _fail(f"{where}{error.strerror or error}", error, arguments)
        except KeyboardInterrupt:
            text = "Stopped. What was finished is kept; run it again to go on."
            status = _fail(text, CancelledError(), arguments)
        sys.exit(status or 0)

    return run


def _fail(text: str, error: Exception, arguments: dict[str, Any]) -> int:
    if arguments.get("as_json"):
        click.echo(json.dumps({"error": shown(text), "kind": type(error).__name__}))
    err.print(f"[bold red]Error:[/] {plain(text, lines=True)}")
    return 1
