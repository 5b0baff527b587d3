"""Options and types of arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fiftyone_reue.batch.engines import ENGINES, LOCAL, MOST_WORKERS
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.names.display import printable
from fiftyone_reue.networks.recipe import SIDES
from fiftyone_reue.options import Option, options_of
from fiftyone_reue.stores.address import NO_VAULT, NOT_READ, WRITTEN_HERE, local, place

Command = TypeVar("Command", bound=Callable[..., Any])


class LocalPath(click.Path):
    """A path of this machine; of a URL it is said that none will do.

    Args:
        why: what to say.
        **checks: as for :class:`click.Path`.
    """

    def __init__(self, why: str = NOT_READ, **checks: Any) -> None:
        super().__init__(path_type=Path, **checks)
        self._why = why

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """As :class:`click.Path` does it."""
        try:
            path = local(value, self._why)
        except InputError as error:
            self.fail(printable(error), param, ctx)
        return super().convert(path, param, ctx)


class PlaceType(click.Path):
    """A path of this machine or a URL."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """A path or an address."""
        try:
            return place(value)
        except InputError as error:
            self.fail(printable(error), param, ctx)


FOLDER = LocalPath(readable=False)  # the library says why not
WRITTEN = LocalPath(WRITTEN_HERE, readable=False)
VAULT = LocalPath(NO_VAULT, readable=False)
PLACE = PlaceType(readable=False)
SEED = click.IntRange(0, 2**63 - 1)

vault_option = click.option(
    "--vault",
    "vault_folder",
    type=VAULT,
    required=True,
    help="The vault's folder.",
)
optional_vault_option = click.option(
    "--vault", "vault_folder", type=VAULT, help="The vault's folder."
)
app_option = click.option(
    "--app", is_flag=True, help="The vault in FiftyOne's database, which the App uses."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object."
)
plain_key_file_option = click.option(
    "--plain-key-file",
    is_flag=True,
    help="Keep the owner key in a plain file in the vault's folder.",
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ..."
)
size_option = click.option(
    "--size",
    type=click.Choice([str(side) for side in SIDES]),
    callback=lambda _, __, side: None if side is None else int(side),
    help="Pixels a side to train at.  [default: as people do on such images, where "
    "there is time for it]",
)
pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=DEFAULT_MAX_PIXELS,
    show_default=True,
    help="Refuse larger images before decoding them; without another number here also "
    "those above 25 million pixels with more than 32 for each byte of their file.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=LOCAL,
    show_default=True,
    help="With --key, what does the work: threads of this process, processes beside it "
    "(quicker from a thousand images on), or the workers of a Ray cluster that runs "
    "(RAY_ADDRESS says where).",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    help="So many threads, processes or workers on Ray; else one a processor.",
)
originals_option = click.option(
    "--originals", type=PLACE, help="Where the originals are, if they moved."
)


def settings(config: type, **more: dict[str, Any]) -> Callable[[Command], Command]:
    """An option of the command line for each that a configuration declares.

    Args:
        config: a dataclass with :func:`fiftyone_reue.options.option` fields.
        **more: arguments for :func:`click.option`, by the setting's name.
    """

    def decorate(command: Command) -> Command:
        for one in reversed(options_of(config)):
            arguments = {**_click_arguments(one), **more.get(one.name, {})}
            command = click.option(f"--{one.name.replace('_', '-')}", **arguments)(
                command
            )
        return command

    return decorate


def _click_arguments(one: Option) -> dict[str, Any]:
    if one.kind == "yes or no":
        return {"is_flag": True, "help": one.help}
    kinds: dict[str, Any] = {
        "whole number": click.IntRange(one.least, one.most),  # type: ignore[arg-type]
        "number": click.FloatRange(one.least, one.most),
        "folder": LocalPath(exists=True, file_okay=False),
    }
    return {
        "type": kinds.get(one.kind, str),
        "default": one.default,
        "show_default": one.default is not None,
        "help": one.help,
    }
