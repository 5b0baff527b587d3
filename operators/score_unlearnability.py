"""Measure how little a model learns from a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.auditing.verdict import HOLDS
from fiftyone_reue.names.display import markdown

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import finished, notify, risk, vault_of


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.score_samples`."""

    release: str | None = None
    seed: int = 0
    device: str = "auto"
    max_images: int | None = None
    size: int | None = None


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
        return forms.asked(
            ctx, Parameters, _fill, "Measure the unlearnability of a release", "Measure"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.drop(ctx)
        return "score_unlearnability"

    def execute(self, ctx: Any) -> dict[str, Any]:
        if background.wanted(ctx):
            background.start(ctx, self.uri, _job_label(ctx.params))
            return {background.STARTED: True}
        from fiftyone_reue.samples import score_steps

        parameters = read(Parameters, ctx.params)
        steps = score_steps(
            ctx.target_view(), vault=vault_of(ctx), **asdict(parameters)
        )
        result = finished(ctx, steps)
        notify(ctx, result.text(), well=not result.failures and result.level == HOLDS)
        figures = asdict(result)
        failures = figures.pop("failures")
        text = result.text()
        told_so = {"text": text, "shown": markdown(text)}
        return {**figures, **told_so, "images_failed": len(failures)}

    def resolve_output(self, ctx: Any) -> types.Property | None:
        if background.job_started(ctx):
            return None
        outputs = types.Object()
        outputs.str("shown", label="Result", view=types.MarkdownView())
        outputs.float("unlearnability", label="Unlearnability, 0 to 1")
        outputs.float("margin", label="Known to within")
        outputs.float("accuracy_clean", label="Accuracy, trained on originals")
        outputs.float("accuracy_protected", label="Accuracy, trained on copies")
        outputs.float("chance", label="Accuracy of guessing")
        outputs.int("images", label="Images measured")
        return types.Property(outputs, view=types.View(label="Unlearnability"))

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        release: str | None = None,
        seed: int = 0,
        device: str = "auto",
        max_images: int | None = None,
        size: int | None = None,
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
            Parameters(release, seed, device, max_images, size),
            delegate=delegate,
            delegation_target=delegation_target,
        )


def _job_label(params: Mapping[str, Any]) -> str:
    return f"Measure {params.get('release') or 'the release shown'}"


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.auditing.unlearnability import FEWEST_TOLD, LEAST_IMAGES

    if not forms.measured_release(inputs, ctx):
        return
    inputs.view_target(ctx, action_description="Measure")
    forms.enough_images(inputs, ctx, least=LEAST_IMAGES, told=FEWEST_TOLD)
    inputs.int(
        "max_images",
        min=8,
        label="Images at most",
        description="Sampled evenly over the classes; leave it empty for 6,000, of "
        "photographs 2,000",
    )
    forms.training_size(inputs, ctx.params)
    inputs.int("seed", min=0, default=0, label="Seed of the split and the models")
    forms.device(inputs)
