"""The form of what makes protected copies: for one recipient, or for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone.operators.types as types

from fiftyone_reue.names.display import markdown
from fiftyone_reue.options import options_of
from fiftyone_reue.perturb.registry import list_methods, method_options
from fiftyone_reue.releases.config import DEFAULT_METHOD, ProtectConfig

from . import confirming, forms
from .running import names_of

if TYPE_CHECKING:
    from fiftyone_reue.samples.expected import Expected

_SETTINGS = {one.name: one for one in options_of(ProtectConfig)}

_PREVIEWED = {*_SETTINGS, "label_field", "advanced", "options"}
"""The parameters that a preview shares with what protects."""

_KEPT = ("recipient", "also_for", "output_dir", "name", "prune")
"""What a preview has no use for, and hands back to the form that it was opened from;
never a confirmation's code, since a job's parameters are stored in clear."""

DEFAULT_CLUSTERS = 10
"""What the form suggests for a dataset without labels."""


def fill(inputs: types.Object, ctx: Any, recipient: str | None, action: str) -> None:
    """All of the form but whom the copies are for.

    Args:
        inputs: the form.
        ctx: the operator's.
        recipient: the name of whom they are for; None while nobody is chosen.
        action: the operator's name, whose code may be asked for.
    """
    from fiftyone_reue.samples.protect import default_output

    fill_method(inputs, ctx)
    _preview(inputs, ctx, action)
    name = ctx.params.get("name") or None
    folder = (
        default_output(ctx.dataset, recipient, name)
        if recipient
        else "a folder for them"
    )
    forms.folder(
        inputs,
        ctx.params,
        "output_dir",
        label="Output folder",
        description=f"Leave it empty for {markdown(folder)}",
    )
    if _more(inputs, ctx):
        _name(inputs, ctx)
        fill_more(inputs, ctx)
        _prune(inputs)
        forms.device(inputs)
    _expected_release(inputs, ctx, recipient)
    _shown_instead(inputs, ctx)
    fill_expected(inputs, ctx)
    if needs_code(ctx.params):
        confirming.ask(inputs, ctx, action)


def fill_method(inputs: types.Object, ctx: Any) -> None:
    """What the classes are, the method, and how much it may change."""
    _label_field(inputs, ctx)
    _method(inputs)
    forms.setting(
        inputs,
        _SETTINGS["epsilon"],
        description="Of any sample, watermark included. Fewer are harder to see and "
        "protect less",
    )


def fill_preview(inputs: types.Object, ctx: Any) -> None:
    """What a preview can be told of how to protect."""
    fill_method(inputs, ctx)
    if _more(inputs, ctx):
        fill_more(inputs, ctx)
        forms.device(inputs)
    fill_expected(inputs, ctx)


def _preview(inputs: types.Object, ctx: Any, action: str) -> None:
    """A button that tries what is filled in on a few images."""
    kept = {name: ctx.params.get(name) for name in _KEPT}
    origin = {"operator": action, "kept": {k: v for k, v in kept.items() if v}}
    inputs.btn(
        "preview",
        "Preview on eight images",
        icon="preview",
        on_click=f"{forms.PLUGIN}/preview_protection",
        prompt=True,
        params={**previewed(ctx), "origin": origin},
    )


def previewed(ctx: Any) -> dict[str, Any]:
    """What a form is filled with in both places; plain values alone."""
    filled = {
        name: value
        for name, value in ctx.params.items()
        if name in _PREVIEWED and value is not None
    }
    # FiftyOne keeps apart which samples were chosen.
    target = ctx.request_params.get("view_target")
    return {**filled, "view_target": target} if isinstance(target, str) else filled


def back(ctx: Any) -> dict[str, Any]:
    """The form that a preview leads to, and all that was filled in there or here.

    Returns:
        ``operator``, one of the plugin's, and its ``params``. Without a form that the
        preview was opened from, it is the one for a recipient.
    """
    origin = ctx.params.get("origin")
    if not isinstance(origin, Mapping) or origin.get("operator") not in ORIGINS:
        origin = {}
    kept = origin.get("kept")
    kept = kept if isinstance(kept, Mapping) else {}
    return {
        "operator": origin.get("operator", ORIGINS[0]),
        "params": {**{k: kept[k] for k in _KEPT if k in kept}, **previewed(ctx)},
    }


ORIGINS = ("protect_dataset", "publish_dataset")
"""The operators whose forms lead to a preview."""


def needs_code(params: Mapping[str, Any]) -> bool:
    """Whether it names folders, or takes files out of one: the owner confirms that.

    A copy in the default folder harms nobody; a request that could put one anywhere
    could hand it out.
    """
    named = any(params.get(name) for name in ("output_dir", "prune"))
    return named or names_a_folder(params)


def names_a_folder(params: Mapping[str, Any]) -> bool:
    """Whether an option of the method does."""
    chosen = params.get("options")
    if not isinstance(chosen, Mapping):
        return bool(chosen)
    known = method_options(params.get("method") or DEFAULT_METHOD)
    return any(one.kind == "folder" and chosen.get(one.name) for one in known)


def fill_expected(inputs: types.Object, ctx: Any) -> None:
    """What kind of files there will be, and how large."""
    from fiftyone_reue.samples.expected import expected_files

    carrier = ctx.params.get("carrier") or _SETTINGS["carrier"].default
    said = expected_files(ctx.target_view(), carrier)
    inputs.view("expected", types.Notice(label=markdown(said)))


def _number(params: Mapping[str, Any], name: str) -> float:
    """A setting's number, or its default where what was typed is none (yet)."""
    given = params.get(name)
    return given if isinstance(given, int | float) else _SETTINGS[name].default


def _say(inputs: types.Object, name: str, found: Expected) -> None:
    """Show what a choice leads to, or why it can't be, which disables the button."""
    if found.problem:
        forms.block(inputs, found.problem, name=name)
    elif found.text:
        inputs.view(name, types.Notice(label=markdown(found.text)))


def _expected_release(inputs: types.Object, ctx: Any, person: str | None) -> None:
    """Whether copies can be made in the folder, and what is there already."""
    from fiftyone_reue.samples.expected import Expected, expected_release
    from fiftyone_reue.samples.protect import default_output

    given = ctx.params.get("output_dir")
    if not isinstance(given, str):  # which FiftyOne says
        given = None
    if not person or (given and forms.folder_problem(given)):
        return
    output = default_output(ctx.dataset, person, ctx.params.get("name") or None)
    found = expected_release(
        ctx.dataset,
        person,
        Path(given).expanduser() if given else output,
        method=ctx.params.get("method") or DEFAULT_METHOD,
        epsilon=_number(ctx.params, "epsilon"),
    )
    names = names_of(ctx)
    told = Expected(names.told(found.text), found.problem and names.told(found.problem))
    _say(inputs, "expected_release", told)


def _shown_instead(inputs: types.Object, ctx: Any) -> None:
    """Which release the samples show now, which will be another's."""
    from fiftyone_reue.samples.releases import shown_release

    shown = shown_release(ctx.dataset)
    if shown is not None:
        text = (
            f"The samples show release {shown} now. They will show this one, and no "
            f"other beside it; nothing of {shown} is lost, and Show brings it back."
        )
        inputs.view("shown_instead", types.Notice(label=markdown(text)))


def _label_field(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples.expected import expected_classes, expected_clusters
    from fiftyone_reue.samples.source import label_fields

    names = label_fields(ctx.dataset)
    clusters = ctx.params.get("clusters")
    if isinstance(clusters, int | float) and clusters >= 1:
        found = expected_clusters(ctx.target_view(), int(clusters))
        _say(inputs, "expected_clusters", found)
    if not names:
        notice = types.Notice(
            label="The dataset has no class labels",
            description="The perturbation is made class by class, so clusters of "
            "images that look alike are the classes. Or add a Classification field.",
        )
        inputs.view("unlabelled", notice)
        inputs.int(
            "clusters",
            min=_SETTINGS["clusters"].least,
            max=_SETTINGS["clusters"].most,
            default=DEFAULT_CLUSTERS,
            label="Number of clusters",
        )
        return
    forms.choice(
        inputs,
        "label_field",
        [(name, name, "") for name in names],
        default=names[0],
        label="Classes are in",
    )
    if not clusters:
        field = ctx.params.get("label_field") or names[0]
        found = expected_classes(
            ctx.target_view(),
            field,
            method=ctx.params.get("method") or DEFAULT_METHOD,
            whole_images=bool(ctx.params.get("whole_images")),
        )
        _say(inputs, "expected_classes", found)


def _method(inputs: types.Object) -> None:
    values = [
        (info.name, info.title, f"Time to fit: {info.cost}")
        for info in list_methods(releasable=True)
    ]
    forms.choice(inputs, "method", values, default=DEFAULT_METHOD, label="Method")


def _more(inputs: types.Object, ctx: Any) -> bool:
    """Whether more settings are wanted."""
    inputs.bool("advanced", default=False, label="More settings")
    return bool(ctx.params.get("advanced"))


def _name(inputs: types.Object, ctx: Any) -> None:
    prop = inputs.str(
        "name",
        label="Name of the release",
        description="Letters, digits and _; leave it empty for one like alice_1",
    )
    name = ctx.params.get("name")
    if isinstance(name, str) and name and not name.isidentifier():
        prop.invalid = True
        prop.error_message = "Use letters, digits and _, and begin with a letter"


def fill_more(inputs: types.Object, ctx: Any) -> None:
    """The settings that few need, and the method's own."""
    from fiftyone_reue.samples.source import label_fields

    if label_fields(ctx.dataset):
        forms.setting(inputs, _SETTINGS["clusters"])
    _options(inputs, ctx)
    for name in (
        *("carrier", "quality", "measure", "whole_images", "seed", "depth"),
        *("whole_files", "refit", "engine", "workers"),
    ):
        forms.setting(inputs, _SETTINGS[name])


def _prune(inputs: types.Object) -> None:
    inputs.bool(
        "prune",
        default=False,
        label="Take out copies of deleted samples",
        description="Out of the output folder: that can't be undone. They can still be "
        "traced",
    )


def _options(inputs: types.Object, ctx: Any) -> None:
    """What the chosen method declares."""
    known = method_options(ctx.params.get("method") or DEFAULT_METHOD)
    if not known:
        return
    chosen = types.Object()
    params = ctx.params.get("options") or {}
    for one in known:
        forms.setting(chosen, one, params=params)
    inputs.define_property("options", chosen, label="Of the method")
