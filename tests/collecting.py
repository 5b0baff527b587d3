"""The kind of each collected test, and which tests one worker has to itself."""

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
    "e2e": "fiftyone",
    "cli/test_app_vault.py": "fiftyone",
    "docs/test_docstrings.py": "fiftyone",
    "demo/test_job.py": "fiftyone",
}
"""Folders and files whose tests share what takes long to start: FiftyOne with its
database, the App, or the awkward files that went through all verbs. Where several
processes run the tests (pytest-xdist), one of them gets a whole group."""


class Collecting:
    """A plugin for pytest."""

    # Before pytest picks by marks, and pytest-xdist reads the groups.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        _name_units(items)
        if config.pluginmanager.hasplugin("xdist"):
            for item in items:
                item.add_marker(pytest.mark.xdist_group(group_of(item.path)))


def _name_units(items: list[pytest.Item]) -> None:
    """``unit`` is what has no other kind, whatever its file or it is marked as."""
    for node in {*items, *(item.getparent(pytest.Module) for item in items)} - {None}:
        node.own_markers[:] = [one for one in node.own_markers if one.name != "unit"]
    for item in items:
        if not any(item.get_closest_marker(name) for name in NO_UNIT):
            item.add_marker("unit")


def group_of(path: Path) -> str:
    """A test file's group: those of ``TOGETHER``, else the file alone."""
    name = path.relative_to(TESTS).as_posix()
    for part, group in TOGETHER.items():
        if name == part or name.startswith(f"{part}/"):
            return group
    return name
