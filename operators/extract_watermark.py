"""Say whose copy suspect images were made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import markdown, printable

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import finished, names_of, notify, risk, vault_of

ACTION = "extract_watermark"

_SHOWN = 10


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.extract_samples`.

    Attributes:
        folder: weigh the images of this folder instead of the samples.
        originals: a folder with the originals, if they moved.
        case_dir: a new folder for a case that others can check.
    """

    folder: str | None = None
    originals: str | None = None
    case_dir: str | None = None


class ExtractWatermark(foo.Operator):
    """Returns the verdict; see :meth:`fiftyone_reue.samples.LeakCheck.to_dict`."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Trace leaked images to a recipient",
            description="Read the watermarks of suspect images and weigh the evidence",
            icon="fingerprint",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx, Parameters, _fill, "Trace leaked images to a recipient", "Trace"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=_needs_code(ctx.params))
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        if background.wanted(ctx):
            background.start(
                ctx,
                self.uri,
                "Trace leaked images",
                needs_code=_needs_code(ctx.params),
                panel=background.LEAK_PANEL,
            )
            return {background.STARTED: True}
        from fiftyone_reue.samples import extract_steps
        from fiftyone_reue.samples.extract import extract_folder_steps
        from fiftyone_reue.workflows.extract import UNDECIDED

        parameters = read(Parameters, ctx.params)
        vault = vault_of(ctx)
        if _needs_code(asdict(parameters)):
            confirming.require(ctx, ACTION, vault)
        if parameters.folder is not None:
            steps = extract_folder_steps(
                parameters.folder,
                dataset=ctx.dataset,
                originals=parameters.originals,
                case_dir=parameters.case_dir or None,
                vault=vault,
            )
        else:
            steps = extract_steps(
                ctx.target_view(),
                originals=parameters.originals,
                case_dir=parameters.case_dir or None,
                vault=vault,
            )
        check = finished(ctx, steps)
        well = not check.failures and check.decision != UNDECIDED
        notify(ctx, check.text(), well=well)
        verdict = {**check.to_dict(), "run": check.run}
        names = names_of(ctx)
        verdict["shown"] = markdown(names.told(verdict["verdict"]))
        verdict["table"] = [
            {
                "recipient": printable(names.of(row["recipient"])),
                "z": round(row["z"], 2),
                "chance": f"{row['p_value']:.1e}",
            }
            for row in verdict["recipients"][:_SHOWN]
        ]
        return verdict

    def resolve_output(self, ctx: Any) -> types.Property | None:
        if background.job_started(ctx):
            return None
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

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        folder: str | None = None,
        originals: str | None = None,
        case_dir: str | None = None,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Weigh suspects; see :func:`fiftyone_reue.samples.extract_samples`.

        Args:
            sample_collection: the suspects, or with a folder the dataset that keeps
                the verdict.
            folder: weigh the images of this folder instead of the samples.
            originals: a folder with the originals, if they moved.
            case_dir: a new folder for a case that others can check, or None.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            sample_collection,
            Parameters(folder, originals, case_dir),
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION if case_dir else None,
        )


def _fill(inputs: types.Object, ctx: Any) -> None:
    inputs.view_target(ctx, action_description="Trace")
    forms.given(
        inputs,
        ctx,
        "folder",
        folder=True,
        file=True,
        label="A folder of suspects instead of this dataset's samples",
        description="On the server, the whole path; leave it empty for the samples",
    )
    forms.folder(
        inputs,
        ctx.params,
        "case_dir",
        label="Folder for a case",
        description="Leave it empty for none; or the whole path of a new folder, for a "
        "report and what others need to check it without your vault",
    )
    forms.originals(inputs, ctx)
    if _needs_code(ctx.params):
        confirming.ask(inputs, ctx, ACTION)


def _needs_code(params: Mapping[str, Any]) -> bool:
    """Whether it writes codes and images to a folder of the request's choice."""
    return bool(params.get("case_dir"))
