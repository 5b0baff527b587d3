"""Make one recipient's protected copy of the samples."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Unpack

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError
from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings

from . import background, confirming, forms, protect_form
from .parameters import call, from_python, read
from .running import names_of, notify, reported, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.progress import Progress
    from fiftyone_reue.samples import ProtectedSamples

ACTION = "protect_dataset"


@dataclass(frozen=True, kw_only=True)
class Parameters(ProtectConfig):
    """See :func:`fiftyone_reue.samples.protect_samples`.

    Attributes:
        also_for: more recipients, each of whom gets a release of their own.
    """

    recipient: str
    also_for: list[str] | None = None
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
        return forms.asked(
            ctx, Parameters, _fill, "Protect a dataset for a recipient", "Protect"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=protect_form.needs_code(ctx.params))
        return ACTION

    def execute(self, ctx: Any) -> Iterator[Any]:
        _require_own_folders(ctx.params)
        people = _recipients(ctx.params)
        for person in people:
            if len(people) > 1:  # else a permit is for the parameters as they are
                ctx.params.update(recipient=person, also_for=None)
            if background.wanted(ctx):
                label = f"Protect for {person}"
                needed = protect_form.needs_code(ctx.params)
                yield from background.start(ctx, self.uri, label, needs_code=needed)
            else:
                result = yield from reported(ctx, _steps(ctx))
                yield from notify(ctx, result.text(), well=not result.failures)

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        recipient: str,
        output_dir: str | None = None,
        label_field: str | None = None,
        name: str | None = None,
        prune: bool = False,
        also_for: list[str] | None = None,
        delegate: bool = False,
        delegation_target: str | None = None,
        **settings: Unpack[ProtectSettings],
    ) -> Any:
        """Protect samples; see :func:`fiftyone_reue.samples.protect_samples`.

        The result is in the dataset's fields and in the run of the release.

        Args:
            sample_collection: a dataset or view.
            also_for: more recipients, each of whom gets a release of their own, in
                the default folder.
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
            also_for=also_for,
            **settings,
        )
        return call(
            self.uri,
            sample_collection,
            parameters,
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION if protect_form.needs_code(asdict(parameters)) else None,
        )


def _steps(ctx: Any) -> Generator[Progress, None, ProtectedSamples]:
    from fiftyone_reue.samples import protect_steps

    parameters = asdict(read(Parameters, ctx.params))
    del parameters["also_for"]
    vault = vault_of(ctx)
    if protect_form.needs_code(parameters):
        confirming.require(ctx, ACTION, vault)
    return (yield from protect_steps(ctx.target_view(), vault=vault, **parameters))


def _recipients(params: Mapping[str, Any]) -> list[Any]:
    """For whom copies are to be made, each once."""
    return list(
        dict.fromkeys([params.get("recipient"), *(params.get("also_for") or [])])
    )


def _require_own_folders(params: Mapping[str, Any]) -> None:
    if len(_recipients(params)) > 1 and _is_for_one(params):
        raise InputError(_ONE_ALONE)


def _is_for_one(params: Mapping[str, Any]) -> bool:
    """Whether a choice can be for one recipient alone."""
    return bool(params.get("name")) or protect_form.needs_code(params)


_ONE_ALONE = (
    "For several recipients each release has its default folder and name: name neither "
    "a folder nor a release, and take no copies out"
)


def _fill(inputs: types.Object, ctx: Any) -> None:
    if not forms.key_confirmed(inputs, ctx, ACTION):
        return
    inputs.view_target(ctx, action_description="Protect")
    if not forms.recipient(inputs, ctx, required=True, adding=True, label="Recipient"):
        return
    _also_for(inputs, ctx)
    protect_form.fill(inputs, ctx, ctx.params.get("recipient"), ACTION)


def _also_for(inputs: types.Object, ctx: Any) -> None:
    """More recipients, where there are more."""
    from fiftyone_reue.samples import list_recipients

    chosen = ctx.params.get("recipient")
    names = names_of(ctx)
    others = [
        (one.name, names.of(one.name), "")
        for one in list_recipients()
        if one.revoked_at is None and one.name != chosen
    ]
    if not others:
        return
    forms.several(
        inputs,
        "also_for",
        others,
        label="And for",
        description="Choose any from the list. Each gets a release of their own, one "
        "job after the other",
    )
    if len(_recipients(ctx.params)) > 1 and _is_for_one(ctx.params):
        forms.block(inputs, _ONE_ALONE, name="one_alone")
