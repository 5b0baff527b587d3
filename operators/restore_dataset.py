"""Give originals or licensed copies back, exactly or, if asked, nearly."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import notify, reported, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.progress import Progress
    from fiftyone_reue.samples import RestoredSamples

ACTION = "restore_dataset"

ORIGINAL = "original"
LICENSED = "licensed"


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.restore_samples`.

    Attributes:
        output_dir: where the restored files go.
        tier: "original" (the owner's) or "licensed" (a recipient's).
        recipient: whose licensed copies.
        release: which copies to restore from.
        approximate: whether licensed copies may be approximate where pixels changed.
        records: a folder with the copies as they were delivered, for that.
        among_originals: whether the output folder may be one that has the originals.
    """

    output_dir: str
    tier: str = ORIGINAL
    recipient: str | None = None
    release: str | None = None
    approximate: bool = False
    records: str | None = None
    among_originals: bool = False


class RestoreDataset(foo.Operator):
    """A generator, so that the App has a progress bar."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Restore a protected dataset",
            description="Write the exact originals, or a recipient's licensed copies",
            icon="lock_open",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("HIGH"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx, Parameters, _fill, "Restore a protected dataset", "Restore"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=True)
        return ACTION

    def execute(self, ctx: Any) -> Iterator[Any]:
        if background.wanted(ctx):
            label = _job_label(ctx.params)
            yield from background.start(ctx, self.uri, label, needs_code=True)
            return
        result = yield from reported(ctx, _steps(ctx))
        yield from notify(ctx, result.text(), well=not result.failures)

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        output_dir: str,
        tier: str = ORIGINAL,
        recipient: str | None = None,
        release: str | None = None,
        approximate: bool = False,
        records: str | None = None,
        among_originals: bool = False,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Restore samples; see :func:`fiftyone_reue.samples.restore_samples`.

        Args:
            sample_collection: a dataset or view.
            tier: "original", or "licensed" with a recipient.
            approximate: with "licensed", whether something near it will do where
                pixels changed since.
            among_originals: whether the output folder may have the originals in it.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            sample_collection,
            Parameters(
                output_dir,
                tier,
                recipient,
                release,
                approximate,
                records,
                among_originals,
            ),
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION,
        )


def _steps(ctx: Any) -> Generator[Progress, None, RestoredSamples]:
    from fiftyone_reue.samples import restore_steps

    parameters = read(Parameters, ctx.params)
    vault = vault_of(ctx)
    confirming.require(ctx, ACTION, vault)
    return (
        yield from restore_steps(
            ctx.target_view(),
            output_dir=parameters.output_dir,
            recipient=_recipient(parameters),
            release=parameters.release,
            approximate=parameters.approximate,
            records=parameters.records,
            vault=vault,
        )
    )


def _job_label(params: Mapping[str, Any]) -> str:
    if params.get("tier") == LICENSED:
        return f"Restore licensed copies of {params.get('recipient')}"
    return "Restore originals"


def _recipient(parameters: Parameters) -> str | None:
    if parameters.tier == ORIGINAL:
        return None
    if parameters.tier != LICENSED:
        raise InputError(
            f"There is no tier {parameters.tier!r}; choose {ORIGINAL} or {LICENSED}"
        )
    if parameters.recipient is None:
        raise InputError("Say whose licensed copies to restore (recipient)")
    return parameters.recipient


def _fill(inputs: types.Object, ctx: Any) -> None:
    inputs.view_target(ctx, action_description="Restore")
    tiers = [
        (ORIGINAL, "Originals", "The owner's images, without any mark"),
        (LICENSED, "Licensed copies", "Trainable, and still traced to a recipient"),
    ]
    forms.choice(inputs, "tier", tiers, default=ORIGINAL, label="Restore to")
    licensed = ctx.params.get("tier") == LICENSED
    if licensed and not forms.recipient(inputs, ctx, required=True, label="Recipient"):
        return
    forms.release(
        inputs,
        ctx,
        required=False,
        description="Leave it empty for the copies "
        + ("made last for the recipient" if licensed else "that the samples show"),
    )
    forms.folder(
        inputs,
        ctx.params,
        "output_dir",
        required=True,
        label="Output folder",
        description="The whole path of a folder for the restored files",
    )
    _among_originals(inputs, ctx)
    if licensed:
        _approximately(inputs, ctx)
    confirming.ask(inputs, ctx, ACTION)


def _among_originals(inputs: types.Object, ctx: Any) -> None:
    """Ask before restored files are written into a folder that has the originals."""
    from fiftyone_reue.samples.expected import holds_originals

    given = ctx.params.get("output_dir")
    if not isinstance(given, str) or not given or forms.folder_problem(given):
        return
    if holds_originals(ctx.dataset, Path(given).expanduser()):
        prop = inputs.bool(
            "among_originals",
            default=False,
            label="Write the restored files among the originals",
            description="The originals of this dataset are in that folder",
        )
        if not ctx.params.get("among_originals"):
            prop.invalid = True
            prop.error_message = "Tick this, or choose another folder"


def _approximately(inputs: types.Object, ctx: Any) -> None:
    inputs.bool(
        "approximate",
        default=False,
        label="Approximate where pixels changed",
        description="Warning: of copies that were edited, re-compressed or cropped "
        "since, this is not the licensed copy but something near it, in files that end "
        "in .approximate.png and carry no record. Where exact is possible, it is exact",
    )
    if ctx.params.get("approximate"):
        forms.folder(
            inputs,
            ctx.params,
            "records",
            required=False,
            label="Copies as they were delivered",
            description="The whole path of their folder: for crops and files without "
            "a record, and to measure how close the approximations come",
        )
