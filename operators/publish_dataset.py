"""Make one protected copy of the samples, for everybody."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Unpack

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings
from fiftyone_reue.vault.vault import PUBLISHED

from . import background, confirming, forms, protect_form
from .parameters import call, from_python, read
from .running import notify, reported, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.progress import Progress
    from fiftyone_reue.samples import ProtectedSamples

ACTION = "publish_dataset"


@dataclass(frozen=True, kw_only=True)
class Parameters(ProtectConfig):
    """See :func:`fiftyone_reue.samples.publish_samples`."""

    output_dir: str | None = None
    label_field: str | None = None
    name: str | None = None
    prune: bool = False


class PublishDataset(foo.Operator):
    """A generator, so that the App has a progress bar; the run keeps the result."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Publish a protected dataset",
            description="Make one copy for everybody that can't be trained on; small "
            "licences turn it into each recipient's own",
            icon="public",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("MEDIUM"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx, Parameters, _fill, "Publish a protected dataset", "Publish"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=protect_form.needs_code(ctx.params))
        return ACTION

    def execute(self, ctx: Any) -> Iterator[Any]:
        if background.wanted(ctx):
            needed = protect_form.needs_code(ctx.params)
            yield from background.start(ctx, self.uri, "Publish", needs_code=needed)
            return
        result = yield from reported(ctx, _steps(ctx))
        yield from notify(ctx, result.text(), well=not result.failures)

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        output_dir: str | None = None,
        label_field: str | None = None,
        name: str | None = None,
        prune: bool = False,
        delegate: bool = False,
        delegation_target: str | None = None,
        **settings: Unpack[ProtectSettings],
    ) -> Any:
        """Publish samples; see :func:`fiftyone_reue.samples.publish_samples`.

        The result is in the dataset's fields and in the run of the release.

        Args:
            sample_collection: a dataset or view.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
            **settings: see :class:`fiftyone_reue.releases.config.ProtectConfig`.
        """
        parameters = Parameters(
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
            confirms=ACTION if protect_form.needs_code(asdict(parameters)) else None,
        )


def _steps(ctx: Any) -> Generator[Progress, None, ProtectedSamples]:
    from fiftyone_reue.samples import publish_steps

    parameters = asdict(read(Parameters, ctx.params))
    vault = vault_of(ctx)
    if protect_form.needs_code(parameters):
        confirming.require(ctx, ACTION, vault)
    return (yield from publish_steps(ctx.target_view(), vault=vault, **parameters))


def _fill(inputs: types.Object, ctx: Any) -> None:
    if not forms.key_confirmed(inputs, ctx, ACTION):
        return
    inputs.view_target(ctx, action_description="Publish")
    notice = types.Notice(
        label="The copies are for everybody",
        description="Put them anywhere. Nobody gets a key to them: license them to "
        "recipients afterwards.",
    )
    inputs.view("everybody", notice)
    protect_form.fill(inputs, ctx, PUBLISHED, ACTION)
