"""Say whose copy suspect images were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import markdown, printable

from . import confirming, forms
from .parameters import call, read
from .running import finished, notify, risk, vault_of

_SHOWN = 10


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.extract_samples`.

    Attributes:
        folder: weigh the images of this folder instead of the samples.
        originals: a folder with the originals, if they moved.
    """

    folder: str | None = None
    originals: str | None = None


class ExtractWatermark(foo.Operator):
    """Returns the verdict; see :meth:`fiftyone_reue.samples.LeakCheck.to_dict`."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name="extract_watermark",
            label="Trace leaked images to a recipient",
            description="Read the watermarks of suspect images and weigh the evidence",
            icon="fingerprint",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(ctx, _fill, "Trace leaked images to a recipient", "Trace")

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.drop(ctx)
        return "extract_watermark"

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import extract_steps
        from fiftyone_reue.samples.extract import extract_folder_steps
        from fiftyone_reue.workflows.extract import UNDECIDED

        parameters = read(Parameters, ctx.params)
        vault = vault_of(ctx)
        if parameters.folder is not None:
            steps = extract_folder_steps(
                parameters.folder,
                dataset=ctx.dataset,
                originals=parameters.originals,
                vault=vault,
            )
        else:
            steps = extract_steps(
                ctx.target_view(), originals=parameters.originals, vault=vault
            )
        check = finished(ctx, steps)
        well = not check.failures and check.decision != UNDECIDED
        notify(ctx, check.text(), well=well)
        verdict = {**check.to_dict(), "run": check.run}
        verdict["shown"] = markdown(verdict["verdict"])
        verdict["table"] = [
            {
                "recipient": printable(row["recipient"]),
                "z": round(row["z"], 2),
                "chance": f"{row['p_value']:.1e}",
            }
            for row in verdict["recipients"][:_SHOWN]
        ]
        return verdict

    def resolve_output(self, ctx: Any) -> types.Property:
        outputs = types.Object()
        outputs.str("shown", label="Verdict", view=types.MarkdownView())
        outputs.str("decision", label="Decision")
        table = types.TableView()
        table.add_column("recipient", label="Recipient")
        table.add_column("z", label="Z")
        table.add_column("chance", label="Chance at most")
        outputs.list("table", types.Object(), view=table, label="Recipients tested")
        outputs.int("images_used", label="Originals in the evidence")
        outputs.int("images_matched", label="Suspects that match an original")
        outputs.int("images_failed", label="Suspects that can't be read")
        outputs.float("best_innocent_p", label="Chance of the best innocent code")
        return types.Property(outputs, view=types.View(label="Leak check"))

    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        folder: str | None = None,
        originals: str | None = None,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Weigh suspects; see :func:`fiftyone_reue.samples.extract_samples`.

        Args:
            sample_collection: the suspects, or with a folder the dataset that keeps
                the verdict.
            folder: weigh the images of this folder instead of the samples.
            originals: a folder with the originals, if they moved.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            sample_collection,
            Parameters(folder, originals),
            delegate=delegate,
            delegation_target=delegation_target,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    inputs.view_target(ctx, action_description="Trace")
    inputs.str(
        "folder",
        label="Or a folder of suspects",
        description="On the server, the whole path; empty for the samples above",
    )
    forms.originals(inputs)
