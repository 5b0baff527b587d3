"""Forget a release, and delete its files if wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import count

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import finished, notify, risk, undoable, vault_of

ACTION = "delete_release"


@dataclass(frozen=True)
class Parameters:
    """Which release, and whether its files go too.

    Attributes:
        release: its name.
        files: whether to delete the protected files too.
    """

    release: str
    files: bool = False


class DeleteRelease(foo.Operator):
    """Returns how many files were deleted."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Delete a release",
            description="Forget a release: its copies can't be traced any more",
            icon="delete",
            dynamic=True,
            view_target=False,
            rerunnable=False,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("HIGH"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(ctx, Parameters, _fill, "Delete a release", "Delete")

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=True)
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import delete_release_steps

        if background.wanted(ctx):
            label = f"Delete {ctx.params.get('release')}"
            background.start(ctx, self.uri, label, needs_code=True)
            return {background.STARTED: True}
        parameters = read(Parameters, ctx.params)
        vault = vault_of(ctx)
        confirming.require(ctx, ACTION, vault)
        # Waiting keeps no secret longer than was said, as a bin for records would.
        undoable(ctx, f"Deletes {parameters.release}")
        steps = delete_release_steps(
            ctx.dataset,
            parameters.release,
            files=parameters.files,
            vault=vault,
        )
        deleted = finished(ctx, steps)
        were = "was" if deleted == 1 else "were"
        files = f"{count(deleted, 'file')} of it {were} deleted"
        if not parameters.files:
            files = "its files stay where they are"
        text = f"Deleted release {parameters.release}; {files}"
        notify(ctx, text, well=True)
        return {"files_deleted": deleted}

    @from_python(Parameters)
    def __call__(self, dataset: fo.Dataset, release: str, files: bool = False) -> Any:
        """Delete a release; see :func:`fiftyone_reue.samples.delete_release`.

        Called like this it deletes at once, and nothing brings the release back.
        """
        return call(self.uri, dataset, Parameters(release, files), confirms=ACTION)


def _fill(inputs: types.Object, ctx: Any) -> None:
    if not forms.release(inputs, ctx, required=True, description=""):
        forms.block(inputs, "There is no release to delete")
        return
    if background.wanted(ctx) and _is_asked_for(ctx):
        forms.block(
            inputs,
            f"Release {ctx.params['release']} is about to be deleted already",
            "Its job is listed in the panel Protection status; undo it there to keep "
            "the release.",
            name="twice",
        )
    inputs.bool(
        "files",
        default=False,
        label="Delete the protected files too",
        description="Only files that this release wrote",
    )
    inputs.view(
        "warning",
        types.Warning(
            label="You can undo this for a minute, not after it",
            description="The job that deletes begins after a minute, and has a button "
            "to undo it until then. After it, copies of images that are in no other "
            "release can't be traced any more. Files that carry their record are still "
            "restored, by your key and by the recipient's.",
        ),
    )
    confirming.ask(inputs, ctx, ACTION)


def _is_asked_for(ctx: Any) -> bool:
    """Whether a job is to delete the release: undoing one of two would save nothing."""
    from fiftyone_reue.samples import jobs

    return any(
        job.operator == ACTION
        and job.state in jobs.OPEN
        and job.params.get("release") == ctx.params.get("release")
        for job in jobs.list_jobs(ctx.dataset)
    )
