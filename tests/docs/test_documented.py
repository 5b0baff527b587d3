"""Whatever a user can name is on the page where they would look for it."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml

import fiftyone_reue
from fiftyone_reue import cli, samples
from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures
from fiftyone_reue.networks.registry import list_networks
from fiftyone_reue.options import options_of
from fiftyone_reue.perturb.base import MethodInfo
from fiftyone_reue.perturb.registry import list_methods, method_options
from fiftyone_reue.releases.config import ProtectConfig
from tests.docs.examples import REPO

pytestmark = pytest.mark.unit

DOCS = REPO / "docs"
MANIFEST = yaml.safe_load((REPO / "fiftyone.yml").read_text("utf-8"))


def hook(name: str) -> ModuleType:
    """A hook of the site, which no package holds."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    """A page as its readers get it, with what is generated."""
    return hook("generated").filled((DOCS / name).read_text("utf-8"))


def sections(text: str) -> dict[str, str]:
    """What stands below each heading, by its words, to the next one of any level."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    names = [re.sub(r"\s*\{#\w+\}$", "", one).strip("`") for one in parts[1::2]]
    return dict(zip(names, parts[2::2], strict=True))


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from commands(one, f"{path} {name}")


COMMANDS = dict(commands(cli.main, "reue"))


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_and_its_options_are_documented(path: str) -> None:
    command = COMMANDS[path]
    about = sections(page("reference/cli.md"))[path]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[-1]} says nothing"
            for name in parameter.opts:
                assert f"`{name}`" in about
        else:
            context = click.Context(command)
            assert parameter.make_metavar(context) in about.split("```")[1]


@pytest.mark.parametrize("info", list_methods(), ids=lambda info: info.name)
def test_a_method_and_its_options_are_documented(info: MethodInfo) -> None:
    about = sections(page("methods.md"))[info.name]
    claims, _, table = about.partition("- *called*: ")
    assert len(claims.split()) > 10, "say in words what it is and what it claims"
    assert info.paper.partition("arXiv:")[2] in table
    assert ("For measuring only" not in " ".join(claims.split())) == info.bounded
    for one in method_options(info.name):
        assert f"| `{one.name}` | {hook('generated').plain(one.help)}" in table


def test_every_setting_is_documented() -> None:
    about = page("reference/python.md")
    for one in options_of(ProtectConfig):
        flag = f"--{one.name.replace('_', '-')}"
        assert f"| `{one.name}` | `{flag}` | {one.help}" in about


@pytest.mark.parametrize("name", MANIFEST["operators"])
def test_an_operator_is_documented(name: str) -> None:
    about = sections(page("reference/app.md"))[name]
    kind = "".join(word.capitalize() for word in name.split("_"))
    assert f"::: operators.{name}.{kind}.__call__" in about
    tree = ast.parse((REPO / "operators" / f"{name}.py").read_text("utf-8"))
    assert f"*{_label(tree)}.*" in about


@pytest.mark.parametrize("name", MANIFEST["panels"])
def test_a_panel_is_documented(name: str) -> None:
    about = sections(page("reference/app.md"))[name]
    tree = ast.parse((REPO / "panels" / f"{name}.py").read_text("utf-8"))
    assert f"*{_label(tree)}.*" in about


def _label(tree: ast.Module) -> str:
    """What the App calls it."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (made,) = (one for one in calls if ast.unparse(one.func).endswith("Config"))
    (label,) = (one.value for one in made.keywords if one.arg == "label")
    return str(ast.literal_eval(label))


def test_secrets_are_documented() -> None:
    for name in MANIFEST["secrets"]:
        assert f"`{name}`" in page("reference/app.md")
        assert f"`{name}`" in page("keys.md")


@pytest.mark.parametrize("name", fiftyone_reue.__all__)
def test_a_name_of_the_face_is_documented(name: str) -> None:
    listed = re.findall(r"^::: (\S+)$", page("reference/python.md"), re.MULTILINE)
    if name == "__version__":
        assert "`fiftyone_reue.__version__`" in page("reference/python.md")
    else:
        assert f"fiftyone_reue.{name}" in listed


@pytest.mark.parametrize("name", samples.__all__)
def test_a_name_for_datasets_is_documented(name: str) -> None:
    listed = re.findall(r"^::: (\S+)$", page("reference/samples.md"), re.MULTILINE)
    assert f"fiftyone_reue.samples.{name}" in listed


def test_what_an_audit_can_be_told_is_documented() -> None:
    about = page("measures.md")
    for info in (*list_countermeasures(), *list_networks()):
        assert f"| `{info.name}` | {info.title}" in about


def test_every_part_of_the_package_is_in_the_architecture() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    layers = text.split("## Layers")[1].split("\n## ")[0]
    for path in Path(fiftyone_reue.__file__).parent.iterdir():
        if path.stem.startswith("_") or path.suffix == ".typed" or _only_leads(path):
            continue
        name = f"{path.name}/" if path.is_dir() else path.name
        assert f"{name}`" in layers, name


def _only_leads(path: Path) -> bool:
    """Whether it is an old name that leads to a new one."""
    return path.is_file() and "DeprecationWarning" in path.read_text("utf-8")


def test_what_is_missing_is_noticed() -> None:
    """The look-ups above can fail: they find no name that isn't there."""
    assert "reue nothing" not in sections(page("reference/cli.md"))
    assert "nothing" not in sections(page("methods.md"))
    with pytest.raises(KeyError):
        hook("generated").filled("<!-- generated: nothing -->")
