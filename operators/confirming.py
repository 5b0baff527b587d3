"""The confirmation code: in a form, in an execution, in what is scheduled.

What a request says of itself is worth nothing here: a foreign page's request may say
that it was delegated, or that a box was ticked. Only a code or a permit counts, and
the permit is one for this very request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import fiftyone.operators.types as types

from .running import vault_of

if TYPE_CHECKING:
    from fiftyone_reue.vault.vault import Vault

CODE = "confirmation"
PERMIT = "permit"

# Beside the parameters, what decides which samples an operator works on.
_TARGET = (
    "view",
    "view_name",
    "filters",
    "extended",
    "view_target",
    "selected",
    "selected_samples",
    "selected_labels",
    "group_slice",
)


def ask(inputs: types.Object, ctx: Any, action: str) -> None:
    """Ask for the code in a form. Whether it is right, only the execution says."""
    from fiftyone_reue.samples.confirm import command
    from fiftyone_reue.vault.confirmations import plain_code

    if ctx.params.get(PERMIT):
        return
    prop = inputs.str(
        CODE,
        required=True,
        label="Confirmation code",
        description=f"Run `{command(action)}` in a terminal on the App's machine and "
        "type the code that it prints. It is good once: so no web page that is open in "
        "your browser can do this in your name",
    )
    if plain_code(str(ctx.params.get(CODE) or "")) is None:
        prop.invalid = True
        prop.error_message = f"Type the 16 letters that “{command(action)}” prints"


def require(ctx: Any, action: str, vault: Vault) -> None:
    """Go on only if the owner confirmed this execution.

    Raises:
        NotConfirmedError: says what to do.
    """
    from fiftyone_reue.samples.confirm import spend_code, spend_permit

    permit = ctx.params.get(PERMIT)
    if permit:
        spend_permit(vault, action, _request(ctx), str(permit))
    else:
        code = ctx.params.pop(CODE, None)
        spend_code(vault, action, None if code is None else str(code))


def exchange(ctx: Any, action: str, *, needed: bool) -> None:
    """Before something is scheduled, take a permit for the code.

    All parameters of what is scheduled are stored in clear, so the code must not be
    among them, needed or not. FiftyOne asks for the run's name, once, right before it
    stores them, and never else: that is where to call this.

    Raises:
        NotConfirmedError: says what to do; nothing is scheduled.
    """
    from fiftyone_reue.samples.confirm import new_permit

    vault = vault_of(ctx) if needed else None
    if vault is not None:
        # A permit that came with the request was not made for scheduling it.
        ctx.params.pop(PERMIT, None)
        require(ctx, action, vault)
    drop(ctx)
    if vault is not None:
        ctx.params[PERMIT] = new_permit(vault, action, _request(ctx))


def drop(ctx: Any) -> None:
    """Before something is scheduled that asks for no code, forget one that it has.

    Whoever sends a request may put one there, and it would be stored in clear; see
    :func:`exchange` for where to call this.
    """
    ctx.params.pop(CODE, None)


def _request(ctx: Any) -> bytes:
    """All that an execution depends on, in one spelling."""
    dataset = None if ctx.dataset is None else str(ctx.dataset._doc.id)
    # The state of the panel that asked isn't stored with what is scheduled.
    apart = (CODE, PERMIT, "panel_state")
    params = {k: v for k, v in ctx.params.items() if k not in apart}
    target = {name: ctx.request_params.get(name) for name in _TARGET}
    return json.dumps([dataset, params, target], sort_keys=True, default=str).encode()
