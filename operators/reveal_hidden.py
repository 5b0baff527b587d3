"""Show how well what is hidden in images agrees with what this vault hid."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from . import forms
from .parameters import call, read
from .running import finished, risk, told, vault_of

_SHOWN = 20


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.reveal_samples`."""

    originals: str | None = None
    decoys: int = 200


class RevealHidden(foo.Operator):
    """Returns the result; see :class:`fiftyone_reue.samples.RevealedSamples`."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name="reveal_hidden",
            label="Reveal what was hidden in images",
            description="Compare the scenes that the method deep_hiding hid with what "
            "is found in copies, also in re-saved ones",
            icon="visibility",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(ctx, _fill, "Reveal what was hidden in images", "Reveal")

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import reveal_steps

        parameters = read(Parameters, ctx.params)
        steps = reveal_steps(
            ctx.target_view(), vault=vault_of(ctx), **asdict(parameters)
        )
        found = finished(ctx, steps)
        told(ctx, found.text(), well=not found.failures)
        result = found.to_dict()
        for name in ("agreement", "p_value"):
            if result[name] is not None:
                result[name] = round(result[name], 3)
        result["table"] = [
            {
                "original": row["original"],
                "release": row["release"],
                "agreement": round(row["agreement"], 2),
                "decoys_as_good": row["decoys_as_good"],
                "chance": f"{row['p_value']:.3f}",
            }
            for row in result["per_image"]
            if "error" not in row
        ][:_SHOWN]
        return result

    def resolve_output(self, ctx: Any) -> types.Property:
        outputs = types.Object()
        outputs.str("verdict", label="Verdict", view=types.MarkdownView())
        table = types.TableView()
        table.add_column("original", label="Sample")
        table.add_column("release", label="Release")
        table.add_column("agreement", label="Agreement")
        table.add_column("decoys_as_good", label="Decoys as good")
        table.add_column("chance", label="Chance")
        outputs.list("table", types.Object(), view=table, label="The first images")
        outputs.float("agreement", label="Mean agreement, -1 to 1")
        outputs.float("p_value", label="Chance if nothing was hidden")
        outputs.int("images_revealed", label="Images looked at")
        outputs.int("images_unrivalled", label="Images that no decoy fits as well")
        outputs.int("images_failed", label="Images that failed")
        return types.Property(outputs, view=types.View(label="What was hidden"))

    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        originals: str | None = None,
        decoys: int = 200,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Reveal; see :func:`fiftyone_reue.samples.reveal_samples`.

        Args:
            sample_collection: a dataset or view.
            originals: a folder with the originals, if they moved.
            decoys: how many keys drawn at random to compare with.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            sample_collection,
            Parameters(originals, decoys),
            delegate=delegate,
            delegation_target=delegation_target,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    inputs.view_target(ctx, action_description="Reveal")
    inputs.int(
        "decoys",
        min=1,
        max=10_000,
        default=Parameters.decoys,
        label="Decoys",
        description="Compare with the scenes of so many keys drawn at random; half a "
        "second each",
    )
    forms.originals(inputs)
