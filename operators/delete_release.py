"""Forget a release, and delete its files if wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError

from . import forms
from .parameters import call, read
from .running import finished, risk, told, vault_of


@dataclass(frozen=True)
class Parameters:
    """Which release, and whether it is meant.

    Attributes:
        release: its name.
        files: whether to delete the protected files too.
        confirm: must be True.
    """

    release: str
    files: bool = False
    confirm: bool = False


class DeleteRelease(foo.Operator):
    """Returns how many files were deleted."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name="delete_release",
            label="Delete a release",
            description="Forget a release: its copies can't be traced any more",
            icon="delete",
            dynamic=True,
            view_target=False,
            rerunnable=False,
            **risk("HIGH"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(ctx, _fill, "Delete a release", "Delete")

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import delete_release_steps

        parameters = read(Parameters, ctx.params)
        if not parameters.confirm:
            raise InputError("Deleting a release can't be undone; confirm it first")
        steps = delete_release_steps(
            ctx.dataset,
            parameters.release,
            files=parameters.files,
            vault=vault_of(ctx),
        )
        deleted = finished(ctx, steps)
        text = f"Deleted release {parameters.release}; {deleted} files deleted"
        told(ctx, text, well=True)
        return {"files_deleted": deleted}

    def __call__(self, dataset: fo.Dataset, release: str, files: bool = False) -> Any:
        """Delete a release; see :func:`fiftyone_reue.samples.delete_release`."""
        return call(self.uri, dataset, Parameters(release, files, confirm=True))


def _fill(inputs: types.Object, ctx: Any) -> None:
    if not forms.release(inputs, ctx, required=True, description=""):
        forms.block(inputs, "There is no release to delete")
        return
    inputs.bool(
        "files",
        default=False,
        label="Delete the protected files too",
        description="Only files that this release wrote",
    )
    inputs.view(
        "warning",
        types.Warning(
            label="This can't be undone",
            description="Copies that were handed out can't be traced, and the owner "
            "can't restore from them, any more.",
        ),
    )
    prop = inputs.bool("confirm", default=False, label="Yes, delete this release")
    if not ctx.params.get("confirm"):
        prop.invalid = True
        prop.error_message = "Tick this to go on"
