"""Make one recipient's protected copy of the samples."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Unpack

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.options import options_of
from fiftyone_reue.perturb.registry import list_methods, method_options
from fiftyone_reue.releases.config import DEFAULT_METHOD, ProtectConfig, ProtectSettings

from . import confirming, forms
from .parameters import call, read
from .running import notify, reported, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.progress import Progress
    from fiftyone_reue.samples import ProtectedSamples

ACTION = "protect_dataset"

_SETTINGS = {one.name: one for one in options_of(ProtectConfig)}

DEFAULT_CLUSTERS = 10
"""What the form suggests for a dataset without labels."""


@dataclass(frozen=True, kw_only=True)
class Parameters(ProtectConfig):
    """See :func:`fiftyone_reue.samples.protect_samples`."""

    recipient: str
    output_dir: str | None = None
    label_field: str | None = None
    name: str | None = None
    prune: bool = False


class ProtectDataset(foo.Operator):
    """A generator, so that the App has a progress bar; the run keeps the result."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Protect a dataset for a recipient",
            description="Make a copy that can't be trained on, can be restored "
            "exactly, and names its recipient if it leaks",
            icon="shield",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("MEDIUM"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(ctx, _fill, "Protect a dataset for a recipient", "Protect")

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=_needs_code(ctx.params))
        return ACTION

    def execute(self, ctx: Any) -> Iterator[Any]:
        result = yield from reported(ctx, _steps(ctx))
        yield from notify(ctx, result.text(), well=not result.failures)

    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        recipient: str,
        output_dir: str | None = None,
        label_field: str | None = None,
        name: str | None = None,
        prune: bool = False,
        delegate: bool = False,
        delegation_target: str | None = None,
        **settings: Unpack[ProtectSettings],
    ) -> Any:
        """Protect samples; see :func:`fiftyone_reue.samples.protect_samples`.

        The result is in the dataset's fields and in the run of the release.

        Args:
            sample_collection: a dataset or view.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
            **settings: see :class:`fiftyone_reue.releases.config.ProtectConfig`.
        """
        parameters = Parameters(
            recipient=recipient,
            output_dir=output_dir,
            label_field=label_field,
            name=name,
            prune=prune,
            **settings,
        )
        return call(
            self.uri,
            sample_collection,
            parameters,
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION if _needs_code(asdict(parameters)) else None,
        )


def _steps(ctx: Any) -> Generator[Progress, None, ProtectedSamples]:
    from fiftyone_reue.samples import protect_steps

    parameters = asdict(read(Parameters, ctx.params))
    vault = vault_of(ctx)
    if _needs_code(parameters):
        confirming.require(ctx, ACTION, vault)
    return (yield from protect_steps(ctx.target_view(), vault=vault, **parameters))


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples.protect import default_output

    inputs.view_target(ctx, action_description="Protect")
    if not forms.recipient(inputs, required=True, label="Recipient"):
        return
    _label_field(inputs, ctx)
    _method(inputs)
    forms.setting(
        inputs,
        _SETTINGS["epsilon"],
        description="Of any sample, watermark included. Fewer are harder to see and "
        "protect less",
    )
    person = ctx.params.get("recipient")
    name = ctx.params.get("name") or None
    folder = (
        default_output(ctx.dataset, person, name) if person else "a folder for them"
    )
    forms.folder(
        inputs,
        ctx.params,
        "output_dir",
        label="Output folder",
        description=f"Leave it empty for {folder}",
    )
    _advanced(inputs, ctx)
    _expected(inputs, ctx)
    if _needs_code(ctx.params):
        confirming.ask(inputs, ctx, ACTION)


def _expected(inputs: types.Object, ctx: Any) -> None:
    """What kind of files there will be, and how large."""
    from fiftyone_reue.samples.expected import expected_files

    carrier = ctx.params.get("carrier") or _SETTINGS["carrier"].default
    said = expected_files(ctx.target_view(), carrier)
    inputs.view("expected", types.Notice(label=said))


def _needs_code(params: Mapping[str, Any]) -> bool:
    """Whether it names folders, or takes files out of one: the owner confirms that.

    A copy in the default folder harms nobody; a request that could put one anywhere
    could hand it out.
    """
    named = any(params.get(name) for name in ("output_dir", "prune"))
    return named or _names_a_folder(params)


def _names_a_folder(params: Mapping[str, Any]) -> bool:
    """Whether an option of the method does."""
    chosen = params.get("options")
    if not isinstance(chosen, Mapping):
        return bool(chosen)
    known = method_options(params.get("method") or DEFAULT_METHOD)
    return any(one.kind == "folder" and chosen.get(one.name) for one in known)


def _label_field(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples.source import label_fields

    names = label_fields(ctx.dataset)
    if not names:
        notice = types.Notice(
            label="The dataset has no class labels",
            description="The perturbation is made class by class, so clusters of "
            "images that look alike are the classes. Or add a Classification field.",
        )
        inputs.view("unlabelled", notice)
        inputs.int(
            "clusters",
            min=2,
            max=1000,
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


def _method(inputs: types.Object) -> None:
    values = [
        (info.name, info.title, f"Time to fit: {info.cost}")
        for info in list_methods(releasable=True)
    ]
    forms.choice(inputs, "method", values, default=DEFAULT_METHOD, label="Method")


def _advanced(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples.source import label_fields

    inputs.bool("advanced", default=False, label="More settings")
    if not ctx.params.get("advanced"):
        return
    if label_fields(ctx.dataset):
        forms.setting(inputs, _SETTINGS["clusters"])
    _options(inputs, ctx)
    prop = inputs.str(
        "name",
        label="Name of the release",
        description="Letters, digits and _; leave it empty for one like alice_1",
    )
    name = ctx.params.get("name")
    if isinstance(name, str) and name and not name.isidentifier():
        prop.invalid = True
        prop.error_message = "Use letters, digits and _, and begin with a letter"
    for name in ("carrier", "seed", "depth", "whole_files", "refit"):
        forms.setting(inputs, _SETTINGS[name])
    inputs.bool(
        "prune",
        default=False,
        label="Take out copies of deleted samples",
        description="Out of the output folder; they can still be traced",
    )
    forms.device(inputs)


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
