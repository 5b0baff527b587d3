"""Parts that several forms share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone.operators.types as types

from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.names.display import count, markdown, printable
from fiftyone_reue.networks.recipe import SIDES
from fiftyone_reue.options import Option
from fiftyone_reue.stores.address import is_url

from .background import asked_by_page
from .parameters import require_known, text_of
from .running import names_of, secrets_of

if TYPE_CHECKING:
    from fiftyone_reue.samples.shown_names import ShownNames

PLUGIN = "@reue/fiftyone-reue"

_MOST_NAMED = 20
"""So many choices are listed where none of them was made."""

_TEXTS = ("recipient", "release", "name", "label_field", "method", "output_dir")
"""Fields that several forms read while they are filled in."""


def asked(
    ctx: Any,
    kind: type,
    fill: Callable[[types.Object, Any], None],
    label: str,
    button: str,
    *,
    dataset: bool = True,
    key: bool = True,
    vault: bool = True,
) -> types.Property:
    """An operator's form; what is wrong with the vault or dataset is shown in it.

    Args:
        ctx: the operator's.
        kind: the dataclass of its parameters; others are refused.
        fill: puts the fields into the form.
        label: its heading.
        button: what submits it.
        dataset: whether it needs an open dataset, else it says so.
        key: whether it needs the owner key.
        vault: whether it needs a vault.
    """
    from fiftyone_reue.samples.vaults import require_key, require_vault

    inputs = types.Object()
    try:
        if dataset and ctx.dataset is None:
            block(inputs, "Open a dataset first")
        else:
            if key and vault:
                require_key(secrets_of(ctx))
            elif vault:
                require_vault()
            for name in _TEXTS:
                if ctx.params.get(name) is not None:
                    text_of(name, ctx.params[name])
            _take_shown_names(ctx)
            fill(inputs, ctx)
            _say_wrong_choices(inputs, ctx.params)
            _say_unknown(inputs, ctx, kind)
    except ReueError as error:
        first, _, rest = str(error).partition("\n")
        block(inputs, first, rest)
    view = types.PromptView(label=label, submit_button_label=button)
    return types.Property(inputs, view=view)


def _take_shown_names(ctx: Any) -> None:
    """Put recipients' own names where they are named as they are shown.

    In the parameters themselves, which an execution looks at after its form.
    """
    one, more = ctx.params.get("recipient"), ctx.params.get("also_for")
    if one:
        ctx.params["recipient"] = names_of(ctx).own(one)
    if isinstance(more, list):
        names = names_of(ctx)
        ctx.params["also_for"] = [
            names.own(name) if isinstance(name, str) else name for name in more
        ]


def _say_unknown(inputs: types.Object, ctx: Any, kind: type) -> None:
    """Say which parameters are unknown, before what they may have been meant for."""
    filled = dict(inputs.properties)
    try:
        require_known(ctx, kind, filled)
    except InputError as error:
        inputs.properties.clear()
        block(inputs, str(error), name="unknown")
        inputs.properties.update(filled)


def _say_wrong_choices(inputs: types.Object, params: Mapping[str, Any]) -> None:
    """Say what can be chosen where something else is given, as from Python."""
    for name, prop in inputs.properties.items():
        given = params.get(name)
        if not isinstance(prop.type, types.Enum) or given in (None, "") or prop.invalid:
            continue
        values = list(prop.type.values)
        if given not in values:
            some = ", ".join(printable(value) for value in values[:_MOST_NAMED])
            more = ", ..." if len(values) > _MOST_NAMED else ""
            prop.invalid = True
            prop.error_message = (
                f"There is no {name.replace('_', ' ')} {printable(given)!r}; choose "
                f"{some}{more}"
            )


def block(
    inputs: types.Object, text: str, details: str = "", *, name: str = "problem"
) -> None:
    """Show why the form can't be submitted."""
    view = types.Warning(label=markdown(text), description=markdown(details))
    prop = inputs.view(name, view)
    prop.invalid = True
    prop.error_message = printable(text)


def choice(
    inputs: types.Object,
    name: str,
    values: Sequence[tuple[str, str, str]],
    **options: Any,
) -> types.Property:
    """A dropdown.

    Args:
        inputs: the form.
        name: the parameter's.
        values: value, label and description of each choice.
        **options: of the property.
    """
    view = types.DropdownView(componentsProps=spoken(str(options.get("label") or name)))
    for value, label, description in values:
        view.add_choice(
            value, label=printable(label), description=printable(description)
        )
    return inputs.enum(name, view.values(), view=view, **options)


def spoken(label: str) -> dict[str, Any]:
    """A dropdown's parts with what a screen reader says; the App names none."""
    return {"select": {"SelectDisplayProps": {"aria-label": printable(label)}}}


def radio(
    inputs: types.Object,
    name: str,
    values: Sequence[tuple[str, str, str]],
    **options: Any,
) -> types.Property:
    """A choice among few, all of them in sight; see :func:`choice`."""
    view = types.RadioGroup(orientation="vertical")
    for value, label, description in values:
        view.add_choice(
            value, label=printable(label), description=printable(description)
        )
    return inputs.enum(name, view.values(), view=view, **options)


def several(
    inputs: types.Object,
    name: str,
    values: Sequence[tuple[str, str, str]],
    **options: Any,
) -> types.Property:
    """A dropdown that takes any number of choices; see :func:`choice`."""
    view = types.AutocompleteView(allow_user_input=False, allow_duplicates=False)
    for value, label, description in values:
        view.add_choice(
            value, label=printable(label), description=printable(description)
        )
    return inputs.list(name, types.String(), view=view, **options)


def setting(
    inputs: types.Object,
    one: Option,
    *,
    params: Mapping[str, Any] | None = None,
    description: str | None = None,
) -> None:
    """A field for an option that a configuration or a method declares.

    Args:
        inputs: the form, or an object in it.
        one: the option.
        params: what was filled in, for folders, which are checked.
        description: instead of the option's help.
    """
    about = {
        "label": one.label or one.name.replace("_", " ").capitalize(),
        "description": description or one.help,
    }
    if one.kind == "folder":
        folder(inputs, dict(params or {}), one.name, **about)
    elif one.choices:
        values = [(name, name, "") for name in one.choices]
        choice(inputs, one.name, values, default=one.default, **about)
    elif one.kind == "yes or no":
        inputs.bool(one.name, default=one.default, **about)
    elif one.kind in ("whole number", "number"):
        add = inputs.int if one.kind == "whole number" else inputs.float
        add(one.name, min=one.least, max=one.most, default=one.default, **about)
    elif one.kind == "names":
        inputs.str(one.name, default=",".join(one.default), **about)
    else:
        inputs.str(one.name, default=one.default, **about)


def folder(
    inputs: types.Object, params: dict[str, Any], name: str, **options: Any
) -> None:
    """A folder on the server, typed in."""
    prop = inputs.str(name, **options)
    path = params.get(name)
    problem = folder_problem(path) if isinstance(path, str) and path else None
    if problem:
        prop.invalid = True
        prop.error_message = problem


def folder_problem(path: str) -> str | None:
    """What is wrong with an output folder, in a few words."""
    expanded = Path(path).expanduser()
    if not expanded.is_absolute():
        return "Give the whole path, from / on"
    if expanded.is_file():
        return "This is a file; give a folder"
    return None


def file(
    inputs: types.Object,
    params: Mapping[str, Any],
    name: str,
    taken: Callable[[Path], str | None],
    **options: Any,
) -> None:
    """What is to be written on the server, typed in.

    Args:
        inputs: the form.
        params: what was filled in.
        name: the parameter's.
        taken: why nothing can be written at a path, in a few words; None if it can.
        **options: of the property.
    """
    prop = inputs.str(name, required=True, **options)
    text = params.get(name)
    given = isinstance(text, str) and text  # of anything else FiftyOne says so
    problem = _file_problem(Path(str(text)).expanduser(), taken) if given else None
    if problem:
        prop.invalid = True
        prop.error_message = problem


def _file_problem(path: Path, taken: Callable[[Path], str | None]) -> str | None:
    if not path.is_absolute():
        return "Give the whole path, from / on"
    problem = taken(path)
    if problem is None and not path.parent.is_dir():
        return f"There is no folder {path.parent}"
    return problem


def given(
    inputs: types.Object,
    ctx: Any,
    name: str,
    *,
    folder: bool = False,
    file: bool = False,
    **options: Any,
) -> None:
    """What is to be read on the server, typed in: it has to be there.

    Args:
        inputs: the form.
        ctx: the operator's.
        name: the parameter's.
        folder: whether it may be one; what is in a store isn't looked for.
        file: whether it may be one.
        **options: of the property.
    """
    prop = inputs.str(name, **options)
    text = ctx.params.get(name)
    if not isinstance(text, str) or not text or is_url(text):
        return
    path = Path(text).expanduser()
    wanted = " or ".join(["file"] * file + ["folder"] * folder)
    if not path.is_absolute() and asked_by_page(ctx):
        prop.invalid = True
        prop.error_message = "Give the whole path, from / on"
    elif not (folder and path.is_dir()) and not (file and path.is_file()):
        prop.invalid = True
        prop.error_message = f"There is no such {wanted}"


def key_confirmed(inputs: types.Object, ctx: Any, action: str) -> bool:
    """Whether the owner confirmed to know about the owner key; else says where to.

    Python is asked nothing: there it was said when the vault was made.

    Args:
        inputs: the form.
        ctx: the operator's.
        action: its name.
    """
    from fiftyone_reue.samples.owner_key import owner_key_facts

    if ctx.request_params.get("spaces") is None or ctx.delegated:
        return True
    if owner_key_facts(secrets_of(ctx)).confirmed:
        return True
    block(
        inputs,
        "Read about your owner key first",
        "Where it is, how to keep a copy, and that nothing comes back without it.",
        name="unconfirmed_key",
    )
    inputs.btn(
        "read_owner_key",
        "Read and confirm",
        icon="vpn_key",
        on_click=f"{PLUGIN}/confirm_owner_key",
        prompt=True,
        params={"next": action},
    )
    return False


NEED_A_CONFIRMED_KEY = ("protect_dataset", "publish_dataset")
"""The operators of which the form asks for it."""


def owner_key(inputs: types.Object, ctx: Any) -> None:
    """Where the owner key is, if a person should know."""
    from fiftyone_reue.samples.vaults import key_notice

    text = key_notice(secrets_of(ctx))
    if text:
        inputs.view("owner_key", types.Notice(label=markdown(text)))


def recipient(
    inputs: types.Object,
    ctx: Any,
    *,
    allow_revoked: bool = False,
    only_revoked: bool = False,
    adding: bool = False,
    nobody: str = "There is nobody to make a copy for yet",
    already: str = "",
    **options: Any,
) -> bool:
    """A choice among the vault's recipients; says what to do where there is none.

    Args:
        inputs: the form.
        ctx: FiftyOne's.
        allow_revoked: whether they can be chosen, too.
        only_revoked: whether nobody else can.
        adding: whether somebody else can be added from here.
        nobody: what is said where there is none.
        already: what is said of somebody known who can't be chosen, after their name;
            by default that they were revoked.
        options: of the choice.

    Returns:
        Whether there is any.
    """
    from fiftyone_reue.samples import list_recipients

    recipients = [
        one
        for one in list_recipients()
        if allow_revoked or (one.revoked_at is not None) == only_revoked
    ]
    given = ctx.params.get("recipient")
    known = {one.name for one in list_recipients()}
    if already and given in known - {one.name for one in recipients}:
        block(inputs, f"{names_of(ctx).of(str(given))} {already}")
        return False
    if not recipients and only_revoked:
        block(inputs, nobody)
        return False
    if not recipients:
        block(
            inputs,
            nobody,
            "Add a recipient first: each copy is made for one, and names them if it "
            "leaks.",
        )
        _add_recipient(inputs, "Add a recipient")
        return False
    names = names_of(ctx)
    values = [
        (one.name, names.of(one.name), count(one.releases, "release"))
        for one in recipients
    ]
    prop = choice(inputs, "recipient", values, **options)
    if given and given not in [p.name for p in recipients]:
        prop.invalid = True
        prop.error_message = recipient_problem(ctx, str(given))
    if adding:
        _add_recipient(inputs, "Add somebody else")
    return True


def _add_recipient(inputs: types.Object, label: str) -> None:
    inputs.btn(
        "add_recipient",
        label,
        icon="person_add",
        on_click=f"{PLUGIN}/manage_recipients",
        prompt=True,
    )


def recipient_problem(ctx: Any, name: str) -> str:
    """Why no copy can be made for somebody who can't be chosen, and what to do."""
    from fiftyone_reue.samples import list_recipients

    names = names_of(ctx)
    known = {person.name: person.revoked_at for person in list_recipients()}
    if name in known:
        return (
            f"{printable(names.of(name))} was revoked: choose somebody else, or take "
            "it back in Manage recipients"
        )
    active = [
        printable(names.of(one)) for one, revoked in known.items() if revoked is None
    ]
    return (
        f"There is no recipient {printable(name)!r}; choose {', '.join(active)}, or "
        "add them first"
    )


def release(
    inputs: types.Object, ctx: Any, *, required: bool, description: str
) -> list[str]:
    """A choice among the dataset's releases.

    Returns:
        Their names.
    """
    from fiftyone_reue.samples.releases import holders

    held = holders(ctx.dataset)
    if held:
        called = names_of(ctx)
        values = [(name, name, _for(called, whose)) for name, whose in held.items()]
        choice(
            inputs,
            "release",
            values,
            required=required,
            label="Release",
            description=description,
        )
    return list(held)


def _for(called: ShownNames, whose: str) -> str:
    """Whom a release is for."""
    return f"For {called.of(whose)}" if whose else ""


def measured_release(inputs: types.Object, ctx: Any) -> list[str]:
    """A choice of the release to measure; says what to do where there is none.

    Returns:
        The names of all.
    """
    names = release(
        inputs,
        ctx,
        required=False,
        description="Leave it empty for the one that the samples show",
    )
    if not names:
        block(inputs, "There is no release yet", "Protect the dataset first.")
    return names


def enough_images(inputs: types.Object, ctx: Any, *, least: int, told: int = 0) -> None:
    """Say of so few images what can be known of a measurement before it begins.

    Args:
        inputs: the form.
        ctx: the operator's.
        least: fewer are refused.
        told: of fewer nothing can be told.
    """
    images = ctx.target_view().count()
    if images < least:
        text = f"{count(images, 'image')} can't be measured: it takes {least}"
        block(inputs, text, "Choose more, or the whole dataset.", name="few")
    elif images < told:
        text = f"Nothing can be told from {count(images, 'image')}: it takes {told}"
        more = "What is measured is then not more than luck."
        inputs.view("few", types.Warning(label=text, description=more))


def originals(inputs: types.Object, ctx: Any) -> None:
    """Where the originals are, if not where they were."""
    given(
        inputs,
        ctx,
        "originals",
        folder=True,
        label="Where the originals are",
        description="Only if they moved since they were protected",
    )


def device(inputs: types.Object) -> None:
    """Where to compute."""
    values = [
        ("auto", "Automatic", "A GPU when there is one"),
        ("cpu", "CPU", ""),
        ("cuda", "GPU (CUDA)", ""),
    ]
    choice(inputs, "device", values, default="auto", label="Compute on")


def training_size(inputs: types.Object, params: Mapping[str, Any]) -> None:
    """At how many pixels to train."""
    prop = inputs.int(
        "size",
        label="Pixels a side to train at",
        description=f"{', '.join(map(str, SIDES))}; leave it empty for what people "
        "train at on such images, where there is time for it",
    )
    # A list would have the App show an empty choice where it may be left out.
    if params.get("size") not in (None, "", *SIDES):
        prop.invalid = True
        prop.error_message = f"Give one of {', '.join(map(str, SIDES))}, or nothing"
