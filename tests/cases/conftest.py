"""The trees of awkward files, run through all verbs once, and the table of it."""

from pathlib import Path

import pytest

from tests.cases import making, trees
from tests.cases.running import Run, run_all
from tests.cases.trees import Thing

COLUMNS = (
    "format",
    "kind",
    "protect",
    "licensed",
    "original",
    "traced",
    "info",
    "private",
)
_TABLE: pytest.StashKey[list[tuple[str, ...]]] = pytest.StashKey()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The generated files, and what became of them."""
    root = tmp_path_factory.mktemp("cases")
    for case in making.every():
        path = root / "source" / case.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data)
    return run_all(root, [case.name for case in making.every()])


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, cases_folder: Path) -> Run:
    """The same of files that were collected elsewhere, beside the checkout."""
    root = tmp_path_factory.mktemp("shared")
    names = []
    for path in sorted(cases_folder.glob("*/*")):
        copy = root / "source" / path.relative_to(cases_folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        names.append(path.relative_to(cases_folder).as_posix())
    return run_all(root, names)


@pytest.fixture(scope="session")
def names(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Thing]]:
    """Awkward names and things that are no files, and what became of them."""
    root = tmp_path_factory.mktemp("names")
    (root / "source").mkdir()
    things = trees.build(root / "source")
    return run_all(root, []), things


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> list[tuple[str, ...]]:
    """Takes rows; printed at the end, see the columns above."""
    rows: list[tuple[str, ...]] = []
    request.config.stash[_TABLE] = rows
    return rows


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table, if these tests alone were asked for."""
    rows = config.stash.get(_TABLE, [])
    if not rows or not all("cases" in argument for argument in config.args):
        return
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    terminalreporter.section("awkward files")
    for row in (COLUMNS, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())
