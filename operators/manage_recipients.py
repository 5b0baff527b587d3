"""Add recipients, give them their keys, revoke and reinstate them, rename them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError, VaultError, WrongKeyError
from fiftyone_reue.names.display import markdown, printable

from . import confirming, forms
from .parameters import call, from_python, read
from .running import names_of, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.samples.recipients import RecipientInfo
    from fiftyone_reue.vault.vault import Vault

ACTION = "manage_recipients"

ADD = "add"
KEY = "key"
REVOKE = "revoke"
REINSTATE = "reinstate"
RENAME = "rename"
LIST = "list"


@dataclass(frozen=True)
class Parameters:
    """What to do with which recipient.

    Attributes:
        action: "add", "key", "rename", "revoke", "reinstate" or "list".
        name: of the new recipient.
        key_out: the key file to write for them.
        recipient: whose key to write again, to revoke or to reinstate, or whom to show
            by another name.
        public_key: of the recipient's own; seals the key file for it.
        shown_as: the name to show; none for their own alone.
    """

    action: str = ADD
    name: str | None = None
    key_out: str | None = None
    recipient: str | None = None
    public_key: str | None = None
    shown_as: str | None = None


class ManageRecipients(foo.Operator):
    """Returns a sentence, and the recipients without their keys."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Manage recipients",
            description="Add somebody to make copies for, write their key file again, "
            "show them by another name, revoke their key or reinstate it",
            icon="group",
            dynamic=True,
            view_target=False,
            rerunnable=False,
            **risk("MEDIUM"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx,
            Parameters,
            _fill,
            "Manage recipients",
            "Go on",
            dataset=False,
            key=False,
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        from fiftyone_reue.samples import list_recipients

        parameters = read(Parameters, ctx.params)
        text = _do(ctx, parameters)
        if parameters.action != LIST:
            ctx.ops.notify(printable(text), variant="success")
        rows = [
            {
                "name": person.label,
                "releases": person.releases,
                "state": _state(person),
            }
            for person in list_recipients(vault=_vault_or_none(ctx))
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

    @from_python(Parameters)
    def __call__(
        self,
        action: str = LIST,
        name: str | None = None,
        key_out: str | None = None,
        recipient: str | None = None,
        public_key: str | None = None,
        shown_as: str | None = None,
    ) -> Any:
        """Add, rename, revoke, reinstate or list recipients, or write a key file again.

        Args:
            action: "add" (with name and key_out), "key" (with recipient and key_out),
                "revoke" and "reinstate" (with recipient), "rename" (with recipient and
                shown_as), "list".
            name: 1 to 64 letters, digits and ``. _ @ -`` and inner spaces.
            key_out: the key file to write; must not be there yet.
            recipient: whose.
            public_key: of the recipient's own (``age1...``); only who has its
                identity can open the key file.
            shown_as: the name that they are shown by beside their own, which stays in
                all that they were given; without, their own alone.
        """
        parameters = Parameters(action, name, key_out, recipient, public_key, shown_as)
        confirms = None if action == LIST else ACTION
        return call(self.uri, None, parameters, confirms=confirms)


def _do(ctx: Any, parameters: Parameters) -> str:
    from fiftyone_reue.releases.revocation import reinstate, revoke
    from fiftyone_reue.samples import (
        add_recipient,
        rename_recipient,
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
                f"Send {names_of(ctx).of(whose)} {path}; it is the key that they had, "
                f"and opens all that they were given.{sealed}"
            )
        case "revoke":
            if parameters.recipient is None:
                raise InputError("Say whose key to revoke (recipient)")
            whose, vault = parameters.recipient, _confirmed_vault(ctx)
            return " ".join(revoke(vault, whose).sentences(names_of(ctx).of(whose)))
        case "reinstate":
            if parameters.recipient is None:
                raise InputError("Say whose revocation to take back (recipient)")
            whose, vault = parameters.recipient, _confirmed_vault(ctx)
            return " ".join(reinstate(vault, whose).sentences(names_of(ctx).of(whose)))
        case "rename":
            if parameters.recipient is None:
                raise InputError("Say whom to show by another name (recipient)")
            whose, shown = parameters.recipient, parameters.shown_as or ""
            rename_recipient(whose, shown, vault=_confirmed_vault(ctx))
            if not shown:
                return f"{whose} is shown by that name alone."
            return f"{whose} is shown as {shown}; what they were given says {whose}."
        case "list":
            return "These are the recipients."
        case other:
            raise InputError(
                f"There is no action {other!r}; choose add, key, rename, revoke, "
                "reinstate, list"
            )


def _state(person: RecipientInfo) -> str:
    if person.revoked_at is not None:
        return "revoked"
    return "active again" if person.reinstated else "active"


def _vault_or_none(ctx: Any) -> Vault | None:
    """For what is sealed of recipients; without the owner key their names are shown."""
    try:
        return vault_of(ctx)
    except (VaultError, WrongKeyError):
        return None


def _confirmed_vault(ctx: Any) -> Vault:
    vault = vault_of(ctx)
    confirming.require(ctx, ACTION, vault)
    return vault


def _fill(inputs: types.Object, ctx: Any) -> None:
    actions = [
        (ADD, "Add a recipient", "Makes the key file to send them"),
        (KEY, "Write a key file again", "When it or their identity was lost"),
        (RENAME, "Show a recipient by another name", "Beside their own, which stays"),
        (REVOKE, "Revoke a recipient", "No more releases and restores for them"),
        (REINSTATE, "Take a revocation back", "The key that they had counts again"),
        (LIST, "List the recipients", ""),
    ]
    forms.choice(inputs, "action", actions, default=ADD, label="What to do")
    action = ctx.params.get("action", ADD)
    if action == ADD:
        forms.owner_key(inputs, ctx)
        _name(inputs, ctx, "name", required=True, label="Name of the recipient")
        _key_file(inputs, ctx)
        _public_key(inputs, ctx)
        confirming.ask(inputs, ctx, ACTION)
    elif action == KEY:
        if _whose(inputs, ctx):
            _key_file(inputs, ctx)
            _public_key(inputs, ctx)
            confirming.ask(inputs, ctx, ACTION)
    elif action == REVOKE and _whose(inputs, ctx, already=_REVOKED_ALREADY):
        inputs.view(
            "warning",
            types.Warning(
                label="This stops future releases and restores only",
                description="It can't reach copies and keys handed out already.",
            ),
        )
        confirming.ask(inputs, ctx, ACTION)
    elif action == REINSTATE and _whose(
        inputs, ctx, revoked=True, already=_NOT_REVOKED
    ):
        inputs.view(
            "warning",
            types.Warning(
                label="The key that they had counts again",
                description="If somebody else has it by now, add them under another "
                "name instead. What was published meanwhile takes a new licence, and "
                "that they were revoked stays in the ledger.",
            ),
        )
        confirming.ask(inputs, ctx, ACTION)
    elif action == RENAME and _whose(inputs, ctx):
        _name(
            inputs,
            ctx,
            "shown_as",
            label="Name to show",
            description="What they were given, evidence and commands go on saying "
            "their own name. Leave it empty to show that alone",
        )
        confirming.ask(inputs, ctx, ACTION)


def _name(inputs: types.Object, ctx: Any, name: str, **options: Any) -> None:
    """A name that somebody can be called by; what can't be one is said at once."""
    from fiftyone_reue.vault.vault import check_name

    prop = inputs.str(name, **options)
    text = ctx.params.get(name)
    if not text:
        return
    try:
        check_name(str(text))
    except InputError as error:
        prop.invalid = True
        prop.error_message = printable(error)


_REVOKED_ALREADY = "is revoked already; nothing is changed"
_NOT_REVOKED = "isn't revoked; there is nothing to take back"


def _whose(
    inputs: types.Object, ctx: Any, *, revoked: bool = False, already: str = ""
) -> bool:
    return forms.recipient(
        inputs,
        ctx,
        already=already,
        only_revoked=revoked,
        nobody="Nobody is revoked"
        if revoked
        else "There is nobody whose key is in use",
        required=True,
        label="Recipient",
    )


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
