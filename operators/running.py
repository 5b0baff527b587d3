"""What all operators do around a verb: open the vault, report progress, tell."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

import fiftyone.operators.types as types

from fiftyone_reue.errors import CancelledError, ReueError
from fiftyone_reue.names.display import printable
from fiftyone_reue.progress import Progress, finish

if TYPE_CHECKING:
    from fiftyone_reue.vault.vault import Vault

Done = TypeVar("Done")

_SECONDS_BETWEEN_UPDATES = 0.25
_SECONDS_BETWEEN_STORED_UPDATES = 2.0


def vault_of(ctx: Any) -> Vault:
    """The vault in FiftyOne's database, with the owner key from the secrets.

    An operator never creates it: whoever can send a request would decide when an owner
    key is made, and the answer would have to say where.
    """
    from fiftyone_reue.samples.vaults import SECRETS, open_vault

    values = {name: ctx.secret(name) for name in SECRETS}
    secrets = {name: value for name, value in values.items() if value}
    return open_vault(secrets, create=False)


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
            if ctx.delegated:
                _require_wanted(ctx)
                ctx.set_progress(step.fraction, label=printable(step.label))
            else:
                label = printable(step.label)
                yield ctx.ops.set_progress(progress=step.fraction, label=label)
    finally:
        steps.close()


def finished(ctx: Any, steps: Generator[Progress, None, Done]) -> Done:
    """Run a verb in an operator that isn't a generator, without a progress bar."""
    return finish(reported(ctx, steps))


def notify(ctx: Any, text: str, *, well: bool) -> list[Any]:
    """Reload the dataset and show the result, where somebody looks at the App."""
    if ctx.delegated:
        return []
    return [
        ctx.ops.reload_dataset(),
        ctx.ops.notify(
            printable(text, lines=True), variant="success" if well else "warning"
        ),
    ]


def risk(level: str) -> dict[str, Any]:
    """The risk level as an option of a configuration, where FiftyOne knows it."""
    levels = getattr(types, "RiskLevel", None)
    return {} if levels is None else {"risk_level": levels[level]}


def _require_wanted(ctx: Any) -> None:
    """Stop a delegated run that was marked as failed, which is how to cancel one."""
    operation_id = ctx.request_params.get("run_doc")
    if operation_id is None:
        return
    from fiftyone.operators.delegated import DelegatedOperationService

    operation = DelegatedOperationService().get(operation_id)
    if operation is not None and operation.run_state == "failed":
        raise CancelledError("Stopped; what was finished is kept, run it again")
