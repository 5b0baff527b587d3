"""Every example of the documentation is run, on a folder with small photographs."""

import dataclasses
import inspect
import re
import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import fiftyone_reue as reue
from fiftyone_reue import api, cli, samples
from fiftyone_reue.perturb import base, registry
from tests.docs.examples import (
    REPO,
    changes_the_project,
    copy_project,
    examples,
    in_a_process,
)

PAGES = sorted((REPO / "docs").rglob("*.md"))
WITH_EXAMPLES = [
    page
    for page in PAGES
    if any(one.does_something for one in examples(page.read_text("utf-8")))
]


def named(page: Path) -> str:
    return str(page.relative_to(REPO))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a class, with six tiles of 32 pixels each."""
    from fiftyone_reue.demo.tiles import build

    folder = tmp_path_factory.mktemp("tiles")
    build(folder / "tiles", size=32, train=6, test=1)
    return folder / "tiles" / "train"


# -- pages


@pytest.mark.integration
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=named)
def test_a_pages_examples_run(page: Path, tmp_path: Path, photographs: Path) -> None:
    shutil.copytree(photographs, tmp_path / "photos")
    if changes_the_project(examples(page.read_text("utf-8"))):
        copy_project(tmp_path)
    done = in_a_process(page, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.integration
def test_an_example_that_fails_is_noticed(tmp_path: Path, photographs: Path) -> None:
    for code in ("```python\nassert False\n```", "```bash\nreue nothing\n```"):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.copytree(photographs, tmp_path / "run" / "photos")
        page = tmp_path / "page.md"
        page.write_text(f"# A page\n\n{code}\n")
        assert in_a_process(page, tmp_path / "run").returncode != 0


def shown_commands(text: str) -> Iterator[list[str]]:
    """The calls of `reue` in blocks that are only shown."""
    fence, lines = None, []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("```"):
            fence = line[3:] if fence is None else None
        elif fence in ("", "text"):
            lines.append(line)
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        line = line.removeprefix("$ ")
        if line.startswith("reue "):
            yield shlex.split(line, comments=True)[1:]


@pytest.mark.unit
@pytest.mark.parametrize("page", [REPO / "README.md", *PAGES], ids=named)
def test_commands_that_are_only_shown_exist(page: Path) -> None:
    """Some take hours or a GPU; but their words are the command line's."""
    for words in shown_commands(page.read_text("utf-8")):
        command: click.Command = cli.main
        while isinstance(command, click.Group):
            assert words[:1], page
            name = words.pop(0)
            assert name in command.commands, f"{page.name}: reue {name}"
            command = command.commands[name]
        known = {name for one in command.params for name in one.opts}
        given = {word.split("=")[0] for word in words if word.startswith("--")}
        assert given <= known | {"--help"}, f"{page.name}: {command.name}"


@pytest.mark.unit
def test_commands_that_are_only_shown_are_found() -> None:
    text = "```\n$ reue audit x --vault v \\\n    --seeds 3   # long\nls\n```\n"
    assert list(shown_commands(text)) == [
        ["audit", "x", "--vault", "v", "--seeds", "3"]
    ]


# -- docstrings


def docstring_example(thing: Any) -> str | None:
    """The code below ``Example::``."""
    text = inspect.getdoc(thing) or ""
    found = re.search(r"^Example::\n\n((?: {4}.*\n?|\n)+)", text, re.MULTILINE)
    return textwrap.dedent(found[1]) if found else None


FACE = {
    "fiftyone_reue": reue,
    "fiftyone_reue.api": api,
    **{name: getattr(reue, name) for name in reue.__all__ if name != "__version__"},
    "method_options": registry.method_options,
    "Method.perturb": base.Method.perturb,
}
EMPTY = ("fiftyone_reue.api", "create_vault")
"""These make a vault themselves; all others find one, with alice's release in it."""
UNRELEASED = ("fiftyone_reue", "protect")


@pytest.mark.unit
@pytest.mark.parametrize("name", FACE)
def test_a_public_docstring_has_an_example(name: str) -> None:
    assert docstring_example(FACE[name]), name


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    """Photographs, a vault, alice and her key, her release, and what was found."""
    from fiftyone_reue.vault.key_files import write_key_file

    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(photographs, folder / "photos")
    with reue.create_vault(folder / "vault", plain_key_file=True) as vault:
        _, key = vault.add_recipient("alice")
        write_key_file(folder / "alice.key", key)
        out = folder / "for_alice"
        reue.protect(folder / "photos", out, vault=vault, recipient="alice")
    shutil.copytree(folder / "for_alice", folder / "found_on_the_web")
    return folder


@pytest.fixture
def short_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are trained, but for some steps alone."""
    from fiftyone_reue.auditing import unlearnability
    from fiftyone_reue.auditing.budgets import BUDGETS
    from fiftyone_reue.networks.recipe import Recipe

    quick = dataclasses.replace(BUDGETS["quick"], epochs=1, least_steps=2)
    monkeypatch.setitem(BUDGETS, "quick", quick)
    short = Recipe(epochs=1, least_steps=2, batch=16)
    monkeypatch.setattr(unlearnability, "Recipe", lambda: short)
    monkeypatch.setattr("fiftyone_reue.workflows.score.Recipe", lambda: short)


@pytest.mark.integration
@pytest.mark.usefixtures("short_trainings")
@pytest.mark.parametrize("name", FACE)
def test_a_docstrings_example_runs(
    name: str, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(house, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    if name in EMPTY:
        shutil.rmtree("vault")
    if name in (*EMPTY, *UNRELEASED):
        shutil.rmtree("for_alice")
    if name == "register_method":
        monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))
    draw = np.random.default_rng(0)
    given = {
        **{one: getattr(reue, one) for one in reue.__all__},
        "LinearlySeparable": registry.LinearlySeparable,
        "images": draw.integers(0, 256, (6, 32, 32, 3), np.uint8),
        "labels": [0, 1] * 3,
        "method_options": registry.method_options,
        "replace": dataclasses.replace,
        "reue": reue,
    }
    code = docstring_example(FACE[name])
    assert code is not None
    exec(compile(code, f"<example of {name}>", "exec"), given)


# -- docstrings of the verbs for FiftyOne datasets

ORDER = (
    "open_vault",
    "add_recipient",
    "list_recipients",
    "protect_samples",
    "list_releases",
    "show_release",
    "find_stale",
    "extract_samples",
    "extract_folder",
    "reveal_samples",
    "score_samples",
    "audit_samples",
    "restore_samples",
    "confirmation_code",
    "delete_release",
    "revoke_recipient",
    "check_vault",
    "rotate_key",
)
"""One after the other they are a vault's life."""


def dataset_verbs() -> set[str]:
    return {
        name
        for name in samples.__all__
        if not inspect.isclass(getattr(samples, name)) and not name.endswith("_steps")
    }


@pytest.mark.unit
def test_every_verb_for_datasets_has_an_example() -> None:
    without = {name for name in dataset_verbs() if name not in ORDER}
    assert without == {"repair_vault"}, "it does nothing where nothing is lost"


@pytest.mark.integration
@pytest.mark.usefixtures("short_trainings")
def test_the_examples_for_datasets_run(
    house: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_vault: Callable[[], None],
) -> None:
    import fiftyone as fo

    shutil.copytree(house, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    kind = fo.types.ImageClassificationDirectoryTree
    dataset = fo.Dataset.from_dir(str(Path("photos").resolve()), dataset_type=kind)
    with samples.open_vault(plain_key_file=True) as vault:
        vault.add_recipient("alice")
    samples.protect_samples(dataset, "alice", output_dir=Path("mine").resolve())
    found = fo.Dataset.from_images_dir(str(Path("mine").resolve()), recursive=True)
    given = {"Path": Path, "dataset": dataset, "suspects": found, "reue": samples}
    try:
        for name in ORDER:
            code = docstring_example(getattr(samples, name))
            assert code is not None, name
            exec(compile(code, f"<example of {name}>", "exec"), given)
    finally:
        given["vault"].close()  # type: ignore[attr-defined]
        dataset.delete()
        found.delete()
    assert given["check"].recipient == "alice"  # type: ignore[attr-defined]


@pytest.fixture
def no_vault(fiftyone_folder: Path) -> Iterator[None]:
    """FiftyOne's database without a vault, before and after."""
    import fiftyone.core.odm as foo

    def drop() -> None:
        database = foo.get_db_conn()
        for name in database.list_collection_names():
            if name.startswith("reue_"):
                database.drop_collection(name)
        shutil.rmtree(fiftyone_folder / "reue", ignore_errors=True)

    drop()
    yield
    drop()
