"""Show what protecting would give, on a few of the samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import count, file_size, markdown
from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings

from . import background, confirming, forms, protect_form
from .parameters import call, from_python, read
from .running import finished, notify, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.workflows.preview import Preview

ACTION = "preview_protection"

_HEIGHT = "200px"


@dataclass(frozen=True, kw_only=True)
class Parameters(ProtectConfig):
    """See :func:`fiftyone_reue.samples.preview_samples`.

    Attributes:
        count: how many samples to look at.
        origin: the form that it was opened from; see :func:`protect_form.back`.
    """

    label_field: str | None = None
    count: int = 8
    origin: dict[str, Any] | None = None


class PreviewProtection(foo.Operator):
    """Returns what is expected, and pictures of the samples that were looked at."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Preview a protection",
            description="Protect eight samples in memory: what they look like, how "
            "large copies get, how long all will take. Nothing is written",
            icon="preview",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        title = "Preview a protection"
        return forms.asked(ctx, Parameters, _fill, title, "Preview", vault=False)

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=_needs_code(ctx.params))
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import preview_steps

        if background.wanted(ctx):
            needed = _needs_code(ctx.params)
            background.start(ctx, self.uri, "Preview", needs_code=needed)
            return {background.STARTED: True}
        parameters = asdict(read(Parameters, ctx.params))
        del parameters["origin"]
        if _needs_code(parameters):
            confirming.require(ctx, ACTION, vault_of(ctx))
        steps = preview_steps(ctx.target_view(), **parameters)
        found = finished(ctx, steps)
        notify(ctx, _said(found), well=not found.failures)
        return {**found.to_dict(), **_shown(found), "back": protect_form.back(ctx)}

    def resolve_output(self, ctx: Any) -> types.Property | None:
        if background.job_started(ctx):
            return None
        results = ctx.results or {}
        outputs = types.Object()
        outputs.str("summary", label="What to expect", view=types.MarkdownView())
        publishes = (results.get("back") or {}).get("operator") == "publish_dataset"
        outputs.btn(
            "protect",
            f"{'Publish' if publishes else 'Protect'} with these settings",
            icon="public" if publishes else "shield",
            on_click=f"{forms.PLUGIN}/open_form",
            params=results.get("back") or {"operator": protect_form.ORIGINS[0]},
        )
        for number, one in enumerate(results.get("images") or []):
            _show(outputs, number, one)
        return types.Property(outputs, view=types.View(label="Preview"))

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        label_field: str | None = None,
        count: int = 8,
        delegate: bool = False,
        delegation_target: str | None = None,
        **settings: Unpack[ProtectSettings],
    ) -> Any:
        """Preview; see :func:`fiftyone_reue.samples.preview_samples`.

        Args:
            sample_collection: a dataset or view.
            count: how many samples to look at, up to 32.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
            **settings: see :class:`fiftyone_reue.releases.config.ProtectConfig`.
        """
        parameters = Parameters(label_field=label_field, count=count, **settings)
        return call(
            self.uri,
            sample_collection,
            parameters,
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION if _needs_code(asdict(parameters)) else None,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    inputs.view_target(ctx, action_description="Preview")
    notice = types.Notice(
        label="Eight images are protected in memory",
        description="With keys that are thrown away. Nothing is written: no file, and "
        "nothing into the dataset or the vault.",
    )
    inputs.view("nothing_written", notice)
    protect_form.fill_preview(inputs, ctx)
    if _needs_code(ctx.params):
        confirming.ask(inputs, ctx, ACTION)


def _needs_code(params: Any) -> bool:
    """Whether it shows what is in a folder of the request's choice."""
    return protect_form.names_a_folder(params)


def _said(found: Preview) -> str:
    first, *_ = found.lines()
    images = count(found.total, "image")
    return f"Preview of {len(found.images)} of {images}. {first}"


def _shown(found: Preview) -> dict[str, Any]:
    """The pictures and the summary.

    A job's result is a document in the database, so each picture is a part of an image
    at its own pixels, of at most 0.2 MB.
    """
    from fiftyone_reue.samples.compare import side_by_side
    from fiftyone_reue.samples.source import describe

    lines = found.lines()
    if found.images:
        lines.append("Below, the original is at the left and its copy at the right.")
    if found.failures:
        lines.append(f"Some can't be protected: {describe(found.failures)}")
    pictures = {
        f"picture_{number}": side_by_side(one.path, one.copy)
        for number, one in enumerate(found.images)
    }
    return {
        "summary": "\n".join(f"- {markdown(line)}" for line in lines),
        **pictures,
    }


def _show(outputs: types.Object, number: int, one: dict[str, Any]) -> None:
    seen = one["ssimulacra2"]
    score = "not measured" if seen is None else f"{seen:.0f}"
    before, after = file_size(one["size_before"]), file_size(one["size_after"])
    facts = (
        f"SSIMULACRA2 {score} · PSNR {one['psnr']:.1f} dB · {before} → {after} · "
        f"{one['format']}"
    )
    look = {"maxWidth": "100%", "objectFit": "contain", "objectPosition": "left"}
    view = types.ImageView(
        height=_HEIGHT,
        alt="At the left the original, at the right the protected copy",
        componentsProps={"image": {"style": look}},
        space=6,
    )
    name = markdown(Path(one["path"]).name)
    label = markdown(one["label"] or "")
    outputs.str(
        f"picture_{number}",
        label=f"{name} ({label})" if label else name,
        description=facts,
        view=view,
    )
