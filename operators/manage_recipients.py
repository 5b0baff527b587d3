"""Add recipients, give them their keys, and revoke these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import markdown, printable

from . import confirming, forms
from .parameters import call, read
from .running import risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.vault.vault import Vault

ACTION = "manage_recipients"

ADD = "add"
KEY = "key"
REVOKE = "revoke"
LIST = "list"


@dataclass(frozen=True)
class Parameters:
    """What to do with which recipient.

    Attributes:
        action: "add", "key", "revoke" or "list".
        name: of the new recipient.
        key_out: the key file to write for them.
        recipient: whose key to write again, or to revoke.
        public_key: of the recipient's own; seals the key file for it.
    """

    action: str = ADD
    name: str | None = None
    key_out: str | None = None
    recipient: str | None = None
    public_key: str | None = None


class ManageRecipients(foo.Operator):
    """Returns a sentence, and the recipients without their keys."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Manage recipients",
            description="Add somebody to make copies for, write their key file again, "
            "or revoke their key",
            icon="group",
            dynamic=True,
            view_target=False,
            rerunnable=False,
            **risk("MEDIUM"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx, _fill, "Manage recipients", "Go on", dataset=False, key=False
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import list_recipients

        parameters = read(Parameters, ctx.params)
        text = _do(ctx, parameters)
        if parameters.action != LIST:
            ctx.ops.notify(printable(text), variant="success")
        rows = [
            {
                "name": person.name,
                "releases": person.releases,
                "state": "active" if person.revoked_at is None else "revoked",
            }
            for person in list_recipients()
        ]
        table = [{**row, "name": printable(row["name"])} for row in rows]
        shown = markdown(text)
        return {"text": text, "recipients": rows, "shown": shown, "table": table}

    def resolve_output(self, ctx: Any) -> types.Property:
        outputs = types.Object()
        outputs.str("shown", label="Result", view=types.MarkdownView())
        table = types.TableView()
        for name in ("name", "releases", "state"):
            table.add_column(name, label=name.capitalize())
        outputs.list("table", types.Object(), view=table, label="Recipients")
        return types.Property(outputs, view=types.View(label="Recipients"))

    def __call__(
        self,
        action: str = LIST,
        name: str | None = None,
        key_out: str | None = None,
        recipient: str | None = None,
        public_key: str | None = None,
    ) -> Any:
        """Add, revoke or list recipients, or write a key file again.

        Args:
            action: "add" (with name and key_out), "key" (with recipient and key_out),
                "revoke" (with recipient), "list".
            name: 1 to 64 letters, digits and ``. _ @ -`` and inner spaces.
            key_out: the key file to write; must not be there yet.
            recipient: whose key to write again, or to revoke.
            public_key: of the recipient's own (``age1...``); only who has its
                identity can open the key file.
        """
        parameters = Parameters(action, name, key_out, recipient, public_key)
        confirms = None if action == LIST else ACTION
        return call(self.uri, None, parameters, confirms=confirms)


def _do(ctx: Any, parameters: Parameters) -> str:
    from fiftyone_reue.samples import (
        add_recipient,
        revoke_recipient,
        write_recipient_key,
    )

    public_key = parameters.public_key or None
    sealed = " Only their own identity opens it." if public_key else ""
    match parameters.action:
        case "add":
            if parameters.name is None or parameters.key_out is None:
                raise InputError("Give the recipient's name and the key file to write")
            path = Path(parameters.key_out).expanduser()
            vault = _confirmed_vault(ctx)
            add_recipient(parameters.name, path, public_key=public_key, vault=vault)
            return (
                f"Added {parameters.name}. Send them {path}; it restores their "
                f"licensed copies.{sealed}"
            )
        case "key":
            if parameters.recipient is None or parameters.key_out is None:
                raise InputError("Say whose key to write (recipient) to which file")
            path = Path(parameters.key_out).expanduser()
            whose, vault = parameters.recipient, _confirmed_vault(ctx)
            write_recipient_key(whose, path, public_key=public_key, vault=vault)
            return (
                f"Send {whose} {path}; it is the key that they had, and opens all that "
                f"they were given.{sealed}"
            )
        case "revoke":
            if parameters.recipient is None:
                raise InputError("Say whose key to revoke (recipient)")
            revoke_recipient(parameters.recipient, vault=_confirmed_vault(ctx))
            return (
                f"Revoked {parameters.recipient}. Copies that they have already, and "
                "what they restored, stay readable."
            )
        case "list":
            return "These are the recipients."
        case other:
            raise InputError(
                f"There is no action {other!r}; choose add, key, revoke, list"
            )


def _confirmed_vault(ctx: Any) -> Vault:
    vault = vault_of(ctx)
    confirming.require(ctx, ACTION, vault)
    return vault


def _fill(inputs: types.Object, ctx: Any) -> None:
    actions = [
        (ADD, "Add a recipient", "Makes the key file to send them"),
        (KEY, "Write a key file again", "When it or their identity was lost"),
        (REVOKE, "Revoke a recipient", "No more releases and restores for them"),
        (LIST, "List the recipients", ""),
    ]
    forms.choice(inputs, "action", actions, default=ADD, label="What to do")
    action = ctx.params.get("action", ADD)
    if action == ADD:
        forms.owner_key(inputs, ctx)
        inputs.str("name", required=True, label="Name of the recipient")
        _key_file(inputs, ctx)
        _public_key(inputs, ctx)
        confirming.ask(inputs, ctx, ACTION)
    elif action == KEY:
        if _whose(inputs, ctx):
            _key_file(inputs, ctx)
            _public_key(inputs, ctx)
            confirming.ask(inputs, ctx, ACTION)
    elif action == REVOKE and _whose(inputs, ctx):
        inputs.view(
            "warning",
            types.Warning(
                label="This stops future releases and restores only",
                description="It can't reach copies and keys handed out already, and "
                "can't be undone.",
            ),
        )
        confirming.ask(inputs, ctx, ACTION)


def _whose(inputs: types.Object, ctx: Any) -> bool:
    nobody = "There is nobody whose key is in use"
    return forms.recipient(inputs, ctx, nobody=nobody, required=True, label="Recipient")


def _key_file(inputs: types.Object, ctx: Any) -> None:
    forms.file(
        inputs,
        ctx.params,
        "key_out",
        _taken,
        label="Key file to write",
        description="The whole path on the server, such as /home/me/alice.key. The "
        "file is secret: send it to nobody else",
    )


def _public_key(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.vault.identities import check_public_key

    prop = inputs.str(
        "public_key",
        label="Their public key",
        description="If they told you one (age1...): the key file can then be opened "
        "by nobody else, and sent by any mail",
    )
    text = ctx.params.get("public_key")
    if not text:
        return
    try:
        check_public_key(text)
    except InputError as error:
        prop.invalid = True
        prop.error_message = str(error)


def _taken(path: Path) -> str | None:
    if path.is_dir():
        return "This is a folder; add a file name"
    if path.exists():
        return "This file is there already; choose another name"
    return None
