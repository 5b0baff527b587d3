"""Every command either takes a URL or says that it doesn't; none makes a folder s3:."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fiftyone_reue import cli
from fiftyone_reue.cli.options import LocalPath, PlaceType

pytestmark = pytest.mark.unit

URL = "s3://bucket/x"


def commands(group: click.Command, *above: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield from commands(found, *above, name)
    else:
        yield " ".join(above), group


def paths() -> list[tuple[str, click.Parameter]]:
    return [
        (name, one)
        for name, command in commands(cli.main)
        for one in command.params
        if isinstance(one.type, click.Path)
    ]


def test_every_path_is_of_one_kind_or_the_other():
    found = paths()
    assert len(found) > 50
    assert all(isinstance(one.type, LocalPath | PlaceType) for _, one in found)
    taken = {(name, one.name) for name, one in found if isinstance(one.type, PlaceType)}
    assert taken == {
        *((verb, "source") for verb in ("preview", "score", "audit", "info")),
        *(
            (verb, name)
            for verb in ("protect", "publish")
            for name in ("source", "coco")
        ),
        *((verb, "output") for verb in ("protect", "publish")),
        *(("unpack", name) for name in ("source", "output")),
        *(("verify", name) for name in ("case", "manifests")),
        *(("restore", name) for name in ("source", "output", "records")),
        *((verb, "sources") for verb in ("extract", "report", "reveal")),
        *((verb, "originals") for verb in ("extract", "report", "reveal")),
        ("vault index", "originals"),
    }


def given(one: click.Parameter, value: str) -> object:
    """A value as the command line gives it."""
    several = one.nargs == -1 or (isinstance(one, click.Option) and one.multiple)
    return (value,) if several else value


@pytest.mark.parametrize(
    ("command", "one"),
    [
        pytest.param(command, one, id=f"{command} {one.name}")
        for command, one in paths()
        if isinstance(one.type, LocalPath)
    ],
)
def test_where_no_url_will_do_it_is_said(command, one, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    context, value = click.Context(click.Command(command)), given(one, URL)
    with pytest.raises(click.BadParameter) as error:
        one.type_cast_value(context, value)
    said = "lock its ledger" if one.name == "vault_folder" else "this can't be a URL: "
    assert f"{URL}: " in error.value.message
    assert said in error.value.message
    assert list(Path().iterdir()) == []


def test_secrets_in_urls_are_refused_without_being_repeated():
    for command, one in paths():
        context = click.Context(click.Command(command))
        value = given(one, "s3://who:secret@bucket/x")
        with pytest.raises(click.BadParameter) as error:
            one.type_cast_value(context, value)
        assert "secret@" not in error.value.message
