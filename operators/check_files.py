"""Compare every copy with its original, and save as a view what is stale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from . import background, confirming, forms
from .parameters import call, from_python
from .running import finished, notify, risk

ACTION = "check_files"


@dataclass(frozen=True)
class Parameters:
    """None: it is always the whole dataset, as its view is."""


class CheckFiles(foo.Operator):
    """Returns how many copies were looked at, and how many are stale."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Check the files of copies",
            description="Compare every copy with its original by content, and save "
            "as a view what is stale",
            icon="fact_check",
            dynamic=True,
            view_target=False,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        title = "Check the files of copies"
        return forms.asked(ctx, Parameters, _fill, title, "Check", key=False)

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.drop(ctx)
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples.stale import check_files_steps

        if background.wanted(ctx):
            background.start(ctx, self.uri, "Check files")
            return {background.STARTED: True}
        found = finished(ctx, check_files_steps(ctx.dataset))
        notify(ctx, found.text(), well=not found.ids)
        return {
            "checked": found.checked,
            "changed": len(found.changed),
            "missing": len(found.missing),
        }

    @from_python(Parameters)
    def __call__(
        self,
        dataset: fo.Dataset,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Check files; see :func:`fiftyone_reue.samples.find_stale`.

        Args:
            dataset: the originals'.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            dataset,
            Parameters(),
            delegate=delegate,
            delegation_target=delegation_target,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples import list_releases

    if not list_releases(ctx.dataset):
        forms.block(inputs, "There is no release yet", "Protect the dataset first.")
        return
    notice = types.Notice(
        label="The view “protection: stale” is saved anew",
        description="Every original and every copy is read once; no file changes.",
    )
    inputs.view("what", notice)
