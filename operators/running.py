"""What all operators do around a verb: open the vault, report progress, tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

import fiftyone.operators.types as types

from fiftyone_reue.errors import ReueError
from fiftyone_reue.names.display import printable
from fiftyone_reue.progress import Progress, finish

if TYPE_CHECKING:
    from fiftyone_reue.samples.shown_names import ShownNames
    from fiftyone_reue.vault.vault import Vault

Done = TypeVar("Done")

_SECONDS_BETWEEN_UPDATES = 0.25
_SECONDS_BETWEEN_STORED_UPDATES = 2.0

# By the library's name, which a worker writes the messages of.
logger = logging.getLogger("fiftyone_reue.operators")


def vault_of(ctx: Any) -> Vault:
    """The vault in FiftyOne's database, with the owner key from the secrets.

    An operator never creates it: whoever can send a request would decide when an owner
    key is made, and the answer would have to say where.
    """
    from fiftyone_reue.samples.vaults import open_vault

    return open_vault(secrets_of(ctx), create=False)


def secrets_of(ctx: Any) -> dict[str, str]:
    """The variables that the owner key comes from, of those that are set."""
    from fiftyone_reue.samples.vaults import known_secrets

    return known_secrets(ctx.secret)


def names_of(ctx: Any) -> ShownNames:
    """What to call recipients, wherever a form or a result names one."""
    from fiftyone_reue.samples.shown_names import shown_names

    return shown_names(ctx.secret)


def reported(
    ctx: Any, steps: Generator[Progress, None, Done]
) -> Generator[Any, None, Done]:
    """Run a verb, yielding what the App needs to draw its progress bar.

    In a delegated run the progress is stored instead, and a run that somebody marked
    as failed is stopped.
    """
    try:
        shown = 0.0
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                if not ctx.delegated:
                    yield ctx.ops.set_progress(progress=1.0, label="Done")
                return stop.value
            except ReueError as error:
                # Once a generator has yielded, the App shows nothing of what it raises.
                if not ctx.delegated:
                    first_line = str(error).splitlines()[0]
                    yield ctx.ops.notify(printable(first_line), variant="error")
                raise
            wait = (
                _SECONDS_BETWEEN_STORED_UPDATES
                if ctx.delegated
                else _SECONDS_BETWEEN_UPDATES
            )
            if time.monotonic() - shown < wait:
                continue
            shown = time.monotonic()
            label = printable(step.label)
            if ctx.delegated:
                _require_wanted(ctx)
                ctx.set_progress(step.fraction, label=label)
                logger.info("%3.0f %%  %s", 100 * step.fraction, label)
            else:
                yield ctx.ops.set_progress(progress=step.fraction, label=label)
    finally:
        steps.close()


def finished(ctx: Any, steps: Generator[Progress, None, Done]) -> Done:
    """Run a verb in an operator that isn't a generator, without a progress bar."""
    return finish(reported(ctx, steps))


def undoable(ctx: Any, what: str) -> None:
    """In a job that deletes: wait out the time in which it can be undone.

    Args:
        ctx: of the execution; one that is no job doesn't wait.
        what: what it does then, such as "Deletes alice_1".

    Raises:
        CancelledError: somebody undid it.
    """
    from fiftyone_reue.samples import jobs

    operation_id = ctx.request_params.get("run_doc")
    if ctx.delegated and operation_id is not None:
        finished(ctx, jobs.undoable_steps(operation_id, what))
        # The last look may be some seconds old.
        _require_wanted(ctx)


def notify(ctx: Any, text: str, *, well: bool) -> list[Any]:
    """Reload the dataset and show the result, where somebody looks at the App.

    A job keeps the result as its last step, and whether it needs a look.
    """
    if ctx.delegated:
        _note_outcome(ctx, well)
        ctx.set_progress(1.0, label=printable(text, lines=True))
        logger.info("%s", printable(text, lines=True))
        return []
    shown = printable(names_of(ctx).told(text), lines=True)
    if not well:
        # Who calls the operator from Python sees no notification.
        logger.warning("%s", shown)
    return [
        ctx.ops.reload_dataset(),
        ctx.ops.notify(shown, variant="success" if well else "warning"),
    ]


def _note_outcome(ctx: Any, well: bool) -> None:
    operation_id = ctx.request_params.get("run_doc")
    if operation_id is not None:
        from fiftyone_reue.samples import jobs

        jobs.note_outcome(operation_id, well=well)


def risk(level: str) -> dict[str, Any]:
    """The risk level as an option of a configuration, where FiftyOne knows it."""
    levels = getattr(types, "RiskLevel", None)
    return {} if levels is None else {"risk_level": levels[level]}


def _require_wanted(ctx: Any) -> None:
    """Stop a delegated run that was marked as failed, which is how to cancel one."""
    operation_id = ctx.request_params.get("run_doc")
    if operation_id is not None:
        from fiftyone_reue.samples import jobs

        jobs.require_wanted(operation_id)
