"""Every example of a page is run, in a folder with small photographs."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fiftyone_reue import cli
from tests.docs.examples import (
    REPO,
    changes_the_project,
    copy_project,
    examples,
    in_a_process,
)

PAGES = sorted([*(REPO / "docs").rglob("*.md"), *(REPO / "skills").rglob("*.md")])
WITH_EXAMPLES = [
    page
    for page in PAGES
    if any(one.does_something for one in examples(page.read_text("utf-8")))
]


def named(page: Path) -> str:
    return str(page.relative_to(REPO))


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=named)
def test_a_pages_examples_run(page: Path, tmp_path: Path, photographs: Path) -> None:
    shutil.copytree(photographs, tmp_path / "photos")
    if changes_the_project(examples(page.read_text("utf-8"))):
        copy_project(tmp_path)
    done = in_a_process(page, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.integration
@pytest.mark.slow
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
