"""Measure how well a release holds against what a thief may do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone.core.collections as foc
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.auditing.budgets import BUDGETS, Budget, budget_named
from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures
from fiftyone_reue.auditing.verdict import HOLDS, count_attacks
from fiftyone_reue.names.display import count, markdown
from fiftyone_reue.networks.registry import list_networks

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import finished, notify, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.samples import AuditedSamples

ACTION = "audit_release"

MOST_SEEDS = 20


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.audit_samples`."""

    release: str | None = None
    budget: str = "quick"
    countermeasures: Sequence[str] = ()
    victims: Sequence[str] = ()
    seeds: int | None = None
    seed: int = 0
    device: str = "auto"
    size: int | None = None
    output_dir: str | None = None


class AuditRelease(foo.Operator):
    """Returns the verdict; see :class:`fiftyone_reue.samples.AuditedSamples`."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Audit how well a release holds",
            description="Try on a release what a thief may do to it, and train models "
            "on the outcome",
            icon="gavel",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx, Parameters, _fill, "Audit how well a release holds", "Audit"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=_needs_code(ctx.params))
        return ACTION

    def execute(self, ctx: Any) -> dict[str, Any]:
        if background.wanted(ctx):
            background.start(
                ctx,
                self.uri,
                _job_label(ctx.params),
                needs_code=_needs_code(ctx.params),
            )
            return {background.STARTED: True}
        from fiftyone_reue.samples import audit_steps

        parameters = read(Parameters, ctx.params)
        folder = parameters.output_dir
        given = asdict(parameters)
        if folder is not None:
            given["output_dir"] = str(Path(folder).expanduser())
        vault = vault_of(ctx)
        if _needs_code(given):
            confirming.require(ctx, ACTION, vault)
        steps = audit_steps(ctx.target_view(), vault=vault, **given)
        result = finished(ctx, steps)
        notify(ctx, result.text(), well=not result.failures and _holds(result))
        return {
            "release": result.release,
            "headline": result.headline,
            "paragraph": result.paragraph,
            "findings": result.findings,
            "shown": markdown(result.headline),
            "more": markdown(result.paragraph),
            "table": [_row(finding) for finding in result.findings],
            "report": result.report,
            "images_failed": len(result.failures),
        }

    def resolve_output(self, ctx: Any) -> types.Property | None:
        if background.job_started(ctx):
            return None
        outputs = types.Object()
        outputs.str("shown", label="Verdict", view=types.MarkdownView())
        outputs.str("more", label="In more words", view=types.MarkdownView())
        table = types.TableView()
        table.add_column("title", label="Countermeasure")
        table.add_column("level", label="The release")
        table.add_column("copies", label="Trained on copies")
        table.add_column("originals", label="On originals")
        table.add_column("needs", label="A thief needs")
        outputs.list("table", types.Object(), view=table, label="Countermeasures tried")
        outputs.str("report", label="Report")
        outputs.int("images_failed", label="Copies that can't be read")
        return types.Property(outputs, view=types.View(label="Audit"))

    @from_python(Parameters)
    def __call__(
        self,
        sample_collection: foc.SampleCollection,
        release: str | None = None,
        budget: str = "quick",
        countermeasures: Sequence[str] = (),
        victims: Sequence[str] = (),
        seeds: int | None = None,
        seed: int = 0,
        device: str = "auto",
        size: int | None = None,
        output_dir: str | None = None,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Audit a release; see :func:`fiftyone_reue.samples.audit_samples`.

        The verdict is also in the run of the release.

        Args:
            sample_collection: a dataset or view.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            sample_collection,
            Parameters(
                release=release,
                budget=budget,
                countermeasures=list(countermeasures),
                victims=list(victims),
                seeds=seeds,
                seed=seed,
                device=device,
                size=size,
                output_dir=output_dir,
            ),
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION if output_dir else None,
        )


def _holds(result: AuditedSamples) -> bool:
    """Whether nothing of it needs a look: all holds, and was measured well."""
    levels = {finding["level"] for finding in result.findings}
    return levels == {HOLDS} and not result.doubts


def _job_label(params: Mapping[str, Any]) -> str:
    return f"Audit {params.get('release') or 'the release shown'}"


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.auditing.split import LEAST_IMAGES

    names = forms.measured_release(inputs, ctx)
    if not names:
        return
    inputs.view_target(ctx, action_description="Audit")
    forms.enough_images(inputs, ctx, least=LEAST_IMAGES)
    forms.radio(
        inputs,
        "budget",
        [(b.name, b.name.capitalize(), _cost(b)) for b in BUDGETS.values()],
        default=Parameters.budget,
        label="How much to spend",
    )
    _grid(inputs, budget_named(ctx.params.get("budget") or Parameters.budget))
    forms.training_size(inputs, ctx.params)
    inputs.int("seed", min=0, default=0, label="Seed of the split into parts")
    forms.folder(
        inputs,
        ctx.params,
        "output_dir",
        label="Folder of the report",
        description=f"Leave it empty for {markdown(_default_folder(ctx, names))}",
    )
    forms.device(inputs)
    if _needs_code(ctx.params):
        confirming.ask(inputs, ctx, ACTION)


def _needs_code(params: Mapping[str, Any]) -> bool:
    """Whether it writes its report to a folder of the request's choice."""
    return bool(params.get("output_dir"))


def _grid(inputs: types.Object, budget: Budget) -> None:
    """Which countermeasures, networks and how many seeds."""
    countermeasures, networks = list_countermeasures(), list_networks()
    tried = {info.name: info.title for info in countermeasures}
    trained = {info.name: info.title for info in networks}
    forms.several(
        inputs,
        "countermeasures",
        [(c.name, c.title, _remarks(c.uses, c.gpu)) for c in countermeasures],
        label="Countermeasures",
        description=_default(budget.countermeasures, tried) or "Leave it empty for all",
    )
    forms.several(
        inputs,
        "victims",
        [(n.name, n.title, _remarks("", n.gpu)) for n in networks],
        label="Networks to train",
        description=_default(budget.victims, trained),
    )
    seeds = f"Each with other random numbers; leave it empty for {budget.seeds}"
    inputs.int("seeds", min=1, max=MOST_SEEDS, label="Repetitions", description=seeds)


def _cost(budget: Budget) -> str:
    """What a budget spends, and how long that is."""
    number = count_attacks(budget.countermeasures)
    tried = count(number, "countermeasure") if number else "Every countermeasure"
    repeated = "" if budget.seeds == 1 else f", repeated {budget.seeds} times"
    time = "Minutes on a GPU, on two CPU cores half an hour, of photographs an hour"
    if budget.compile:
        time = "Hours on a GPU; not for a CPU"
    return (
        f"{tried}{repeated}; up to {count(budget.train, 'image')}, "
        f"{count(budget.epochs, 'epoch')}. {time}"
    )


def _default(names: Sequence[str], titles: Mapping[str, str]) -> str:
    """What an empty choice stands for; "" where no name is given."""
    listed = "; ".join(titles.get(name, name) for name in names)
    return f"Leave it empty for: {listed}" if names else ""


def _remarks(needs: str, gpu: bool) -> str:
    parts = [f"needs {needs}" if needs else "", "slow without a GPU" if gpu else ""]
    return ", ".join(part for part in parts if part)


def _default_folder(ctx: Any, names: Sequence[str]) -> str:
    """Where the report goes, as far as the chosen release tells it."""
    from fiftyone_reue.samples import runs
    from fiftyone_reue.workflows.audit import report_folder

    name = ctx.params.get("release") or (names[0] if len(names) == 1 else None)
    config = runs.get_config(ctx.dataset, name) if name else None
    output = (config or {}).get("output_dir")
    if output:
        return str(report_folder(str(output)))
    return "a new one beside the release's folder"


def _row(finding: dict[str, Any]) -> dict[str, str]:
    return {
        "title": finding["title"],
        "level": finding["level"],
        "copies": _percent(finding["accuracy"]),
        "originals": _percent(finding["originals"]),
        "needs": finding["needs"] or "nothing else",
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
