"""Measure how little a model learns from a release."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import markdown

from . import confirming, forms
from .parameters import call, read
from .running import finished, notify, risk, vault_of


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.score_samples`."""

    release: str | None = None
    seed: int = 0
    device: str = "auto"
    max_images: int = 6000


class ScoreUnlearnability(foo.Operator):
    """Returns the figures; see :class:`fiftyone_reue.samples.ScoredSamples`."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name="score_unlearnability",
            label="Measure the unlearnability of a release",
            description="Train small models on originals and on protected copies, and "
            "compare them",
            icon="model_training",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(ctx, _fill, "Measure the unlearnability", "Measure")

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.drop(ctx)
        return "score_unlearnability"

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import score_steps

        parameters = read(Parameters, ctx.params)
        steps = score_steps(
            ctx.target_view(), vault=vault_of(ctx), **asdict(parameters)
        )
        result = finished(ctx, steps)
        notify(ctx, result.text(), well=not result.failures)
        figures = asdict(result)
        failures = figures.pop("failures")
        text = result.text()
        told_so = {"text": text, "shown": markdown(text)}
        return {**figures, **told_so, "images_failed": len(failures)}

    def resolve_output(self, ctx: Any) -> types.Property:
        outputs = types.Object()
        outputs.str("shown", label="Result", view=types.MarkdownView())
        outputs.float("unlearnability", label="Unlearnability, 0 to 1")
        outputs.float("accuracy_clean", label="Accuracy, trained on originals")
        outputs.float("accuracy_protected", label="Accuracy, trained on copies")
        outputs.float("chance", label="Accuracy of guessing")
        outputs.int("images", label="Images measured")
        return types.Property(outputs, view=types.View(label="Unlearnability"))

    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        release: str | None = None,
        seed: int = 0,
        device: str = "auto",
        max_images: int = 6000,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Measure a release; see :func:`fiftyone_reue.samples.score_samples`.

        Args:
            sample_collection: a dataset or view.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            sample_collection,
            Parameters(release, seed, device, max_images),
            delegate=delegate,
            delegation_target=delegation_target,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    if not forms.measured_release(inputs, ctx):
        return
    inputs.view_target(ctx, action_description="Measure")
    inputs.int(
        "max_images",
        min=8,
        default=Parameters.max_images,
        label="Images at most",
        description="Sampled evenly over the classes; fewer are faster",
    )
    inputs.int("seed", min=0, default=0, label="Seed of the split and the models")
    forms.device(inputs)
