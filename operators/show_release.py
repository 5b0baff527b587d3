"""Make a release the one that the samples show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import count, markdown
from fiftyone_reue.samples.releases import shown_release

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import finished, notify, risk, vault_of

ACTION = "show_release"


@dataclass(frozen=True)
class Parameters:
    """Which release."""

    release: str


class ShowRelease(foo.Operator):
    """Returns how many samples have a copy in the release."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Show a release",
            description="Make a release the one that the samples' fields show",
            icon="visibility",
            dynamic=True,
            view_target=False,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(ctx, Parameters, _fill, "Show a release", "Show")

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.drop(ctx)
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import show_release_steps

        if background.wanted(ctx):
            background.start(ctx, self.uri, f"Show {ctx.params.get('release')}")
            return {background.STARTED: True}
        parameters = read(Parameters, ctx.params)
        steps = show_release_steps(ctx.dataset, parameters.release, vault=vault_of(ctx))
        shown = finished(ctx, steps)
        copies = count(shown, "copy", "copies")
        text = f"The samples show release {parameters.release}: {copies}"
        notify(ctx, text, well=True)
        return {"samples": shown}

    @from_python(Parameters)
    def __call__(
        self,
        dataset: fo.Dataset,
        release: str,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Show a release; see :func:`fiftyone_reue.samples.show_release`.

        Args:
            dataset: the release's.
            release: its name.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            dataset,
            Parameters(release),
            delegate=delegate,
            delegation_target=delegation_target,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    if not forms.release(inputs, ctx, required=True, description=""):
        forms.block(inputs, "There is no release yet", "Protect the dataset first.")
        return
    shown = shown_release(ctx.dataset)
    wanted = ctx.params.get("release")
    if shown is not None and wanted is not None and shown != wanted:
        text = (
            f"The samples show release {shown} now, and will show {wanted} instead. No "
            "file changes, and nothing is handed out by it."
        )
        inputs.view("instead", types.Notice(label=markdown(text)))
