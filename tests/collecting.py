"""The kind of each collected test, which tests one worker has to itself, and when."""

from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
NO_UNIT = ("integration", "e2e", "gpu", "slow")
"""Marks of tests that aren't quick, or need more than the process."""

TOGETHER = {
    "cases": "cases",
    "samples": "fiftyone",
    "operators": "fiftyone",
    "panels": "fiftyone",
    "e2e": "browser",
    "docs/test_site.py": "browser",
    "cli/test_app_vault.py": "fiftyone",
    "docs/test_docstrings.py": "fiftyone",
    "demo/test_job.py": "fiftyone",
    "batch/test_on_ray.py": "ray",
    "workflows/test_on_ray.py": "ray",
}
"""Folders and files whose tests share what takes long to start: FiftyOne with its
database, the App, or the awkward files that went through all verbs; or whose clusters
of Ray would take each other's processors. Where several
processes run the tests (pytest-xdist), one of them gets a whole group."""

APART = ("docs/test_pages.py", "media/jpeg_coefficients/test_fuzz.py")
"""Files whose tests take long and share nothing: any process gets any of them."""

FIRST = (
    "fiftyone",
    "browser",
    "docs/test_pages.py",
    "media/jpeg_coefficients/test_fuzz.py",
    "cases",
)
"""Groups and files that take minutes begin first: what begins last keeps one process
busy while the others have nothing left to do."""


class Collecting:
    """A plugin for pytest."""

    # Before pytest picks by marks, and pytest-xdist reads the groups.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        _name_units(items)
        if config.pluginmanager.hasplugin("xdist"):
            groups = {item: group_of(item.path) for item in items}
            for item, group in groups.items():
                if group not in APART:
                    item.add_marker(pytest.mark.xdist_group(group))
            slow = Counter(
                group
                for item, group in groups.items()
                if not item.get_closest_marker("unit")
            )
            items.sort(key=lambda item: _turn(groups[item], slow[groups[item]]))


def _name_units(items: list[pytest.Item]) -> None:
    """``unit`` is what has no other kind, whatever its file or it is marked as."""
    for node in {*items, *(item.getparent(pytest.Module) for item in items)} - {None}:
        node.own_markers[:] = [one for one in node.own_markers if one.name != "unit"]
    for item in items:
        if not any(item.get_closest_marker(name) for name in NO_UNIT):
            item.add_marker("unit")


def _turn(group: str, slow: int) -> tuple[int, int]:
    """When a group begins: those of ``FIRST``, then by how many tests aren't quick."""
    return (FIRST.index(group) if group in FIRST else len(FIRST), -slow)


def group_of(path: Path) -> str:
    """A test file's group: those of ``TOGETHER``, else the file alone."""
    name = path.relative_to(TESTS).as_posix()
    for part, group in TOGETHER.items():
        if name == part or name.startswith(f"{part}/"):
            return group
    return name
