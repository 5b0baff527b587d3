"""Make a recipient's licence for a published release."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import count

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import notify, reported, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.progress import Progress
    from fiftyone_reue.workflows.license import LicenseSummary

ACTION = "license_recipient"

DEFAULT_DAYS = 365


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.license_samples`.

    Attributes:
        recipient: for whom.
        path: the licence's file.
        release: what was published; None for the newest.
        days: for how long it is good; 0: for ever.
    """

    recipient: str
    path: str
    release: str | None = None
    days: int = DEFAULT_DAYS


class LicenseRecipient(foo.Operator):
    """A generator, so that the App has a progress bar."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="License a published release to a recipient",
            description="Write the small file that, with their key, turns the "
            "published copies into their own",
            icon="card_membership",
            dynamic=True,
            view_target=False,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("MEDIUM"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        label = "License a published release to a recipient"
        return forms.asked(ctx, Parameters, _fill, label, "License")

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=True)
        return ACTION

    def execute(self, ctx: Any) -> Iterator[Any]:
        if background.wanted(ctx):
            label = f"License to {ctx.params.get('recipient')}"
            yield from background.start(ctx, self.uri, label, needs_code=True)
            return
        made = yield from reported(ctx, _steps(ctx))
        yield from notify(ctx, _text(made), well=not made.outcome.failures)

    @from_python(Parameters)
    def __call__(
        self,
        dataset: fo.Dataset,
        recipient: str,
        path: str,
        release: str | None = None,
        days: int = DEFAULT_DAYS,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Make a licence; see :func:`fiftyone_reue.samples.license_samples`.

        Args:
            dataset: whose samples were published.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            dataset,
            Parameters(recipient, path, release, days),
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION,
        )


def _steps(ctx: Any) -> Generator[Progress, None, LicenseSummary]:
    from fiftyone_reue.samples import license_steps

    parameters = read(Parameters, ctx.params)
    vault = vault_of(ctx)
    confirming.require(ctx, ACTION, vault)
    return (
        yield from license_steps(
            ctx.dataset,
            parameters.recipient,
            parameters.path,
            release=parameters.release,
            days=parameters.days,
            vault=vault,
        )
    )


def _text(made: LicenseSummary) -> str:
    header, outcome = made.header, made.outcome
    lines = [
        f"Licensed {count(header.images, 'image')} to {header.recipient} "
        f"({made.bytes / 1000:.1f} kB in {made.path}); it is of use only with their key"
    ]
    if made.unmarked:
        lines.append(
            f"{count(made.unmarked, 'image')} without room for a mark can't be traced"
        )
    if outcome.failures:
        failed = count(len(outcome.failures), "image")
        lines.append(f"{failed} failed: {outcome.failures[0].reason}")
    return "\n".join(lines)


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples import list_published

    names = list_published(ctx.dataset)
    if not names:
        forms.block(
            inputs,
            "Nothing of this dataset is published yet",
            "Publish it first: a licence turns published copies into somebody's own.",
        )
        inputs.btn(
            "publish",
            "Publish",
            icon="public",
            on_click=f"{forms.PLUGIN}/publish_dataset",
            prompt=True,
        )
        return
    forms.choice(
        inputs,
        "release",
        [(name, name, "") for name in names],
        default=names[-1],
        label="Published release",
    )
    if not forms.recipient(inputs, ctx, required=True, adding=True, label="Recipient"):
        return
    forms.file(
        inputs,
        ctx.params,
        "path",
        _taken,
        label="Licence file to write",
        description="The whole path on the server, such as /home/me/alice.license. An "
        "older licence of theirs for this release is replaced",
    )
    inputs.int(
        "days",
        min=0,
        default=DEFAULT_DAYS,
        label="Good for so many days",
        description="0: it never expires",
    )
    confirming.ask(inputs, ctx, ACTION)


def _taken(path: Path) -> str | None:
    if path.is_dir():
        return "This is a folder; add a file name"
    return None
