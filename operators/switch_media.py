"""Switch the grid and the open sample between originals and copies, in one press."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import compare

from . import background, forms
from .parameters import call, from_python, read, require_known
from .running import risk

ACTION = "switch_media"
SHOW_MEDIA = f"{forms.PLUGIN}/show_media"
"""The operator in `javascript/page.js`, which alone reaches what a page shows."""

ORIGINAL = "filepath"


@dataclass(frozen=True)
class Parameters:
    """What to show.

    Attributes:
        show: "original", or a kind of :data:`fiftyone_reue.samples.compare.COPIES`;
            without, originals where copies are shown, and else protected copies.
    """

    show: str | None = None


class SwitchMedia(foo.Operator):
    """Returns nothing: which of both is shown only the page knows.

    Attributes:
        place: the toolbar that its button is in.
        switched_from: where to look what is shown now, "grid" or "sample".
    """

    place = types.Places.SAMPLES_GRID_ACTIONS
    switched_from = "grid"

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Switch between originals and copies",
            description="In the grid and the open sample at once",
            icon="flip",
            view_target=False,
            **risk("LOW"),
        )

    def resolve_placement(self, ctx: Any) -> types.Placement | None:
        if ctx.dataset is None or not _copies_of(ctx.dataset):
            return None
        view = types.Button(label=self.config.label, icon="flip", prompt=False)
        return types.Placement(self.place, view)

    def execute(self, ctx: Any) -> None:
        require_known(ctx, Parameters)
        show = read(Parameters, ctx.params).show
        if ctx.dataset is None:
            raise InputError("Open a dataset first")
        fields = {"original": ORIGINAL, **_copies_of(ctx.dataset)}
        if len(fields) == 1:
            raise InputError("Nothing here has a copy yet: protect the dataset first")
        if show is not None and show not in fields:
            raise InputError(f"There is no {show!r} to show, but {', '.join(fields)}")
        if background.asked_by_page(ctx):
            field = fields[show] if show else list(fields.values())[1]
            switch = {} if show else {"from": self.switched_from}
            ctx.trigger(SHOW_MEDIA, {"field": field, **switch})
        else:
            _begin_with(ctx.dataset, fields, show)

    @from_python(Parameters)
    def __call__(self, dataset: fo.Dataset, show: str | None = None) -> Any:
        """Switch what the App shows when the dataset is opened the next time.

        A page that has it open is switched by its own buttons alone.

        Args:
            dataset: with copies.
            show: "original", "protected", "restored" or "revealed"; by default
                originals where copies are shown, and else copies.
        """
        return call(self.uri, dataset, Parameters(show))


def _copies_of(dataset: fo.Dataset) -> dict[str, str]:
    """The media fields with copies that a dataset has, by what they are."""
    return {kind: f for kind, f in compare.COPIES.items() if dataset.has_field(f)}


def _begin_with(dataset: fo.Dataset, fields: dict[str, str], show: str | None) -> None:
    """Keep with the dataset what a page that opens it begins with."""
    config = dataset.app_config
    if show is None:
        now = config.grid_media_field
        show = list(fields)[1] if now == ORIGINAL else "original"
    config.grid_media_field = config.modal_media_field = fields[show]
    dataset.save()
