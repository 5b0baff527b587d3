"""Show how well what is hidden in images agrees with what this vault hid."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import markdown, printable

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import finished, notify, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.samples import RevealedSamples

ACTION = "reveal_hidden"

_SHOWN = 20

_PICTURES = 3
_PICTURE_HEIGHT = "180px"


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.reveal_samples`."""

    originals: str | None = None
    decoys: int = 200
    output_dir: str | None = None


class RevealHidden(foo.Operator):
    """Returns the result; see :class:`fiftyone_reue.samples.RevealedSamples`."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
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
        return forms.asked(
            ctx, Parameters, _fill, "Reveal what was hidden in images", "Reveal"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=_needs_code(ctx.params))
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        if background.wanted(ctx):
            background.start(
                ctx,
                self.uri,
                "Reveal what was hidden",
                needs_code=_needs_code(ctx.params),
            )
            return {background.STARTED: True}
        from fiftyone_reue.samples import reveal_steps

        parameters = read(Parameters, ctx.params)
        vault = vault_of(ctx)
        if _needs_code(asdict(parameters)):
            confirming.require(ctx, ACTION, vault)
        steps = reveal_steps(ctx.target_view(), vault=vault, **asdict(parameters))
        found = finished(ctx, steps)
        notify(ctx, found.text(), well=not found.failures)
        result = found.to_dict()
        for name in ("agreement", "p_value"):
            if result[name] is not None:
                result[name] = round(result[name], 3)
        result["table"] = [
            {
                "original": printable(row["original"]),
                "release": printable(row["release"]),
                "agreement": round(row["agreement"], 2),
                "decoys_as_good": row["decoys_as_good"],
                "chance": f"{row['p_value']:.3f}",
            }
            for row in result["per_image"]
            if "error" not in row
        ][:_SHOWN]
        result["shown"] = markdown(result["verdict"])
        return {**result, **_best(found)}

    def resolve_output(self, ctx: Any) -> types.Property | None:
        if background.job_started(ctx):
            return None
        outputs = types.Object()
        outputs.str("shown", label="Verdict", view=types.MarkdownView())
        _show_best(outputs, ctx.results or {})
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

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        originals: str | None = None,
        decoys: int = 200,
        output_dir: str | None = None,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Reveal; see :func:`fiftyone_reue.samples.reveal_samples`.

        Args:
            sample_collection: a dataset or view.
            originals: a folder with the originals, if they moved.
            decoys: how many keys drawn at random to compare with.
            output_dir: a folder for a picture of each sample, or None for no pictures.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            sample_collection,
            Parameters(originals, decoys, output_dir),
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION if output_dir else None,
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
    forms.folder(
        inputs,
        ctx.params,
        "output_dir",
        label="Folder for the pictures",
        description="Leave it empty for none; or the whole path of a folder, for a "
        "picture of each image, the stripes found in it, the scene seen in them and "
        "the scene that was hidden. The display options switch the grid to them",
    )
    forms.originals(inputs, ctx)
    if _needs_code(ctx.params):
        confirming.ask(inputs, ctx, ACTION)


def _needs_code(params: Mapping[str, Any]) -> bool:
    """Whether it writes pictures of the images to a folder of the request's choice."""
    return bool(params.get("output_dir"))


def _best(found: RevealedSamples) -> dict[str, Any]:
    """The best images' scenes as small pictures, at most 0.2 MB each.

    A delegated run's result is a document in the database, and files of the worker's
    may not be where the App's server is, so the pictures are in the result itself.
    """
    from fiftyone_reue.workflows.reveal import scenes_png

    best = found.best(_PICTURES)
    rows = [{"original": i.original, "agreement": i.agreement} for i in best]
    pictures = {
        f"picture_{index}": f"data:image/png;base64,{b64encode(scenes_png(i)).decode()}"
        for index, i in enumerate(best)
    }
    return {"best": rows, **pictures}


def _show_best(outputs: types.Object, results: dict[str, Any]) -> None:
    """Show them; an image view without an image would be a broken one."""
    best = results.get("best", [])
    if not best:
        return
    heading = types.HeaderView(
        label="The scenes that are found best",
        description="At the left as seen in the image, at the right as it was hidden",
    )
    outputs.view("best_heading", heading)
    look = {"maxWidth": "100%", "objectFit": "contain", "objectPosition": "left"}
    for index, one in enumerate(best):
        view = types.ImageView(
            height=_PICTURE_HEIGHT,
            alt="The scene seen in the image, and the one that was hidden",
            componentsProps={"image": {"style": look}},
        )
        label = f"Sample {markdown(one['original'])}: agreement {one['agreement']:.2f}"
        outputs.str(f"picture_{index}", label=label, view=view)
