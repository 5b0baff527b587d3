"""Read what to know of the owner key, and confirm it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import markdown

from . import forms
from .parameters import call, from_python, read
from .running import notify, risk, secrets_of

ACTION = "confirm_owner_key"


@dataclass(frozen=True)
class Parameters:
    """Whether the owner has a copy of the owner key.

    Attributes:
        kept: whether there is a copy in a safe place.
        next: an operator of the plugin whose form waits for it.
    """

    kept: bool = False
    next: str | None = None


class ConfirmOwnerKey(foo.Operator):
    """Returns when it was confirmed."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Your owner key",
            description="Where the owner key is, how to keep a copy of it, and what "
            "happens without it: read it once and confirm it",
            icon="vpn_key",
            dynamic=True,
            view_target=False,
            **risk("LOW"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx, Parameters, _fill, "Your owner key", "Confirm", dataset=False
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import confirm_owner_key, owner_key_facts

        parameters = read(Parameters, ctx.params)
        if not parameters.kept:
            raise InputError("Confirm that there is a copy of the owner key")
        confirm_owner_key(secrets_of(ctx))
        notify(ctx, "Noted that you keep a copy of the owner key", well=True)
        if parameters.next in forms.NEED_A_CONFIRMED_KEY:
            ctx.prompt(f"{forms.PLUGIN}/{parameters.next}")
        return {"confirmed": owner_key_facts(secrets_of(ctx)).confirmed}

    @from_python(Parameters)
    def __call__(self, kept: bool = False) -> Any:
        """Confirm; see :func:`fiftyone_reue.samples.confirm_owner_key`.

        Args:
            kept: whether you keep a copy of the owner key in a safe place.
        """
        return call(self.uri, None, Parameters(kept))


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples import owner_key_facts

    facts = owner_key_facts(secrets_of(ctx))
    notices = (
        ("where", "Where it is", facts.where),
        ("backup", "Keep a copy", facts.backup),
        ("without", "Without it", facts.without),
    )
    for name, label, text in notices:
        view = types.Notice(label=label, description=markdown(text))
        inputs.view(name, view)
    if facts.warning:
        inputs.view("danger", types.Warning(label=markdown(facts.warning)))
    prop = inputs.bool(
        "kept",
        default=False,
        required=True,
        label="I keep a copy in a safe place, apart from this machine",
        description=f"Confirmed on {facts.confirmed[:10]}" if facts.confirmed else None,
    )
    if not ctx.params.get("kept"):
        prop.invalid = True
        prop.error_message = "Make a copy first, then tick this"
