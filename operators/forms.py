"""Parts that several forms share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone.operators.types as types

from fiftyone_reue.errors import ReueError
from fiftyone_reue.names.display import markdown, printable
from fiftyone_reue.options import Option

PLUGIN = "@reue/fiftyone-reue"


def asked(
    ctx: Any,
    fill: Callable[[types.Object, Any], None],
    label: str,
    button: str,
    *,
    dataset: bool = True,
) -> types.Property:
    """An operator's form; what is wrong with the vault or dataset is shown in it.

    Args:
        ctx: the operator's.
        fill: puts the fields into the form.
        label: its heading.
        button: what submits it.
        dataset: whether it needs an open dataset, else it says so.
    """
    from fiftyone_reue.samples.vaults import require_vault

    inputs = types.Object()
    try:
        if dataset and ctx.dataset is None:
            block(inputs, "Open a dataset first")
        else:
            require_vault()
            fill(inputs, ctx)
    except ReueError as error:
        block(inputs, str(error))
    view = types.PromptView(label=label, submit_button_label=button)
    return types.Property(inputs, view=view)


def block(inputs: types.Object, text: str, details: str = "") -> None:
    """Show why the form can't be submitted."""
    view = types.Warning(label=markdown(text), description=markdown(details))
    prop = inputs.view("problem", view)
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
    view = types.DropdownView()
    for value, label, description in values:
        view.add_choice(
            value, label=printable(label), description=printable(description)
        )
    return inputs.enum(name, view.values(), view=view, **options)


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


def owner_key(inputs: types.Object, ctx: Any) -> None:
    """Where the owner key is, if a person should know."""
    from fiftyone_reue.samples.vaults import SECRETS, key_notice

    values = {name: ctx.secret(name) for name in SECRETS}
    text = key_notice({name: value for name, value in values.items() if value})
    if text:
        inputs.view("owner_key", types.Notice(label=text))


def recipient(
    inputs: types.Object, *, allow_revoked: bool = False, **options: Any
) -> bool:
    """A choice among the vault's recipients; says what to do where there is none.

    Returns:
        Whether there is any.
    """
    from fiftyone_reue.samples import list_recipients

    recipients = [p for p in list_recipients() if allow_revoked or p.revoked_at is None]
    if not recipients:
        block(
            inputs,
            "There is nobody to make a copy for yet",
            "Add a recipient first: each copy is made for one, and names them if it "
            "leaks.",
        )
        inputs.btn(
            "add_recipient",
            "Add a recipient",
            icon="person_add",
            on_click=f"{PLUGIN}/manage_recipients",
            prompt=True,
        )
        return False
    values = [(p.name, p.name, f"{p.releases} releases") for p in recipients]
    choice(inputs, "recipient", values, **options)
    return True


def release(
    inputs: types.Object, ctx: Any, *, required: bool, description: str
) -> list[str]:
    """A choice among the dataset's releases.

    Returns:
        Their names.
    """
    from fiftyone_reue.samples import list_releases

    names = list_releases(ctx.dataset)
    if names:
        values = [(name, name, "") for name in names]
        choice(
            inputs,
            "release",
            values,
            required=required,
            label="Release",
            description=description,
        )
    return names


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


def originals(inputs: types.Object) -> None:
    """Where the originals are, if not where they were."""
    inputs.str(
        "originals",
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
