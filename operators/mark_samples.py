"""Tag and save as views what failed, is stale, or is weak."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import finished, notify, risk

ACTION = "mark_samples"


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.mark_samples`."""

    weak_below: float = 0.5
    tag: bool = True


class MarkSamples(foo.Operator):
    """Returns how many samples failed, are stale and are weak."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Mark what failed, is stale or weak",
            description="Save views and tags of samples that need attention: what "
            "could not be protected, changed since, or protects too little",
            icon="bookmark_add",
            dynamic=True,
            view_target=False,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        title = "Mark what failed, is stale or weak"
        return forms.asked(ctx, Parameters, _fill, title, "Mark", key=False)

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.drop(ctx)
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import mark_steps

        if background.wanted(ctx):
            background.start(ctx, self.uri, "Mark samples")
            return {background.STARTED: True}
        parameters = read(Parameters, ctx.params)
        found = finished(ctx, mark_steps(ctx.dataset, **asdict(parameters)))
        notify(ctx, found.text(), well=not found.failed and not found.stale)
        return {
            "failed": len(found.failed),
            "stale": len(found.stale),
            "weak": len(found.weak),
        }

    @from_python(Parameters)
    def __call__(
        self,
        dataset: fo.Dataset,
        weak_below: float = 0.5,
        tag: bool = True,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Mark samples; see :func:`fiftyone_reue.samples.mark_samples`.

        Args:
            dataset: the originals'.
            weak_below: samples with an unlearnability below that are weak.
            tag: whether to tag the samples too.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            dataset,
            Parameters(weak_below, tag),
            delegate=delegate,
            delegation_target=delegation_target,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples import list_releases

    if not list_releases(ctx.dataset):
        forms.block(inputs, "There is no release yet", "Protect the dataset first.")
        return
    notice = types.Notice(
        label="Views “protection: failed”, “protection: stale” and “protection: weak”",
        description="They are saved anew. Every original and every copy is read once.",
    )
    inputs.view("what", notice)
    inputs.float(
        "weak_below",
        min=0,
        max=1,
        default=Parameters.weak_below,
        label="Weak below an unlearnability of",
        description="0 to 1, where it was measured: 1 means that nothing was learned",
    )
    inputs.bool(
        "tag",
        default=True,
        label="Tag the samples too",
        description="With the names of the views",
    )
