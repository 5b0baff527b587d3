"""A page's examples: found in its Markdown, and run as a reader would run them.

``python tests/docs/examples.py PAGE FOLDER`` runs a page in a folder, in which `photos`
lies already. What a fence is decides what is done with it:

- ``bash`` runs in the folder;
- ``python`` runs there, with the names of those before;
- any with a ``title="..."`` is written to that file;
- ``diff`` is applied to the folder;
- all others are only shown.

Examples in tabs run in a folder for each tab, named like it. A page with a ``diff``
has a copy of the project in its folder, and its examples use that one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SHORT_TRAININGS = Path(__file__).with_name("short_trainings")
PROJECT = (
    *("fiftyone_reue", "operators", "panels", "javascript"),
    *("fiftyone.yml", "__init__.py"),
)
"""What a page that changes the project gets a copy of; the plugin needs one more."""

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?P<rest>[^\n]*)\n"
    r"(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TAB = re.compile(r'^=== "(.+)"$', re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Example:
    """One fenced block.

    Attributes:
        language: of the fence.
        code: without the fence's indentation.
        title: the file that it is, or None.
        tab: the tab that it stands in, or "".
        line: where it begins.
    """

    language: str
    code: str
    title: str | None
    tab: str
    line: int

    @property
    def does_something(self) -> bool:
        return self.language in ("bash", "python", "diff") or self.title is not None


def examples(text: str) -> list[Example]:
    """All blocks of a page that have a language, in order."""
    found = []
    for fence in _FENCE.finditer(text):
        tabs = _TAB.findall(text[: fence.start()]) if fence["indent"] else []
        title = _TITLE.search(fence["rest"])
        found.append(
            Example(
                fence["language"],
                textwrap.dedent(fence["code"]),
                title[1] if title else None,
                tabs[-1] if tabs else "",
                text.count("\n", 0, fence.start()) + 2,
            )
        )
    return found


def changes_the_project(found: list[Example]) -> bool:
    return any(one.language == "diff" for one in found)


def copy_project(folder: Path) -> None:
    """The package and the plugin, for examples that change them."""
    ignore = shutil.ignore_patterns("*.key")
    for name in (*PROJECT, "requirements.txt"):
        if (REPO / name).is_dir():
            shutil.copytree(REPO / name, folder / name, ignore=ignore)
        else:
            shutil.copy(REPO / name, folder / name)


def run(page: Path, folder: Path) -> None:
    """Run all examples of a page; what fails raises."""
    found = examples(page.read_text("utf-8"))
    names: dict[str, dict[str, object]] = {}
    for one in found:
        place = folder / one.tab if one.tab else folder
        if not place.is_dir():
            place.mkdir()
            shutil.copytree(folder / "photos", place / "photos")
        os.chdir(place)
        where = f"{page.name}:{one.line}"
        if one.does_something:
            print(f"-- {where}, after {time.process_time():.0f} s", flush=True)
        if one.title is not None:
            Path(one.title).parent.mkdir(parents=True, exist_ok=True)
            Path(one.title).write_text(one.code, "utf-8")
        elif one.language == "bash":
            _call(["bash", "-eu", "-o", "pipefail", "-c", one.code], where)
        elif one.language == "diff":
            _call(["git", "apply", "-"], where, one.code)
        elif one.language == "python":
            padding = "\n" * (one.line - 1)
            compiled = compile(padding + one.code, str(page), "exec")
            exec(compiled, names.setdefault(one.tab, {"__name__": "__main__"}))


def _call(words: list[str], where: str, given: str | None = None) -> None:
    done = subprocess.run(
        words, input=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    print(done.stdout, flush=True)
    if done.returncode:
        raise SystemExit(f"{where}: exit status {done.returncode}")


def in_a_process(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a page's examples in a process, and with FiftyOne data, of their own.

    Networks are trained, but for some steps alone.
    """
    project = folder if changes_the_project(examples(page.read_text("utf-8"))) else REPO
    binaries = Path(sys.executable).parent
    return subprocess.run(
        [sys.executable, __file__, str(page), str(folder)],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{project}{os.pathsep}{SHORT_TRAININGS}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "FIFTYONE_DATABASE_NAME": f"reue-docs-{os.getpid()}-{page.stem}",
            "FIFTYONE_CONFIG_PATH": str(folder / "config" / "fiftyone.json"),
            "FIFTYONE_PLUGINS_DIR": str(folder / "plugins"),
            "FIFTYONE_DEFAULT_DATASET_DIR": str(folder / "datasets"),
        },
        capture_output=True,
        text=True,
    )


def _forget() -> None:
    """Drop what FiftyOne kept, in a database that may outlive the folder."""
    if "fiftyone" in sys.modules:
        import fiftyone.core.odm as foo

        foo.drop_database()


if __name__ == "__main__":
    # The script's own folder isn't a package that examples could import from.
    sys.path[0] = sys.argv[2]
    try:
        run(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    finally:
        _forget()
