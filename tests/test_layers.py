"""Dependencies point downwards: a part knows those below it, and none above."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fiftyone_reue

pytestmark = pytest.mark.unit

PACKAGE = Path(fiftyone_reue.__file__).parent

LAYERS = (
    {"errors", "prf"},
    {"options", "progress", "names"},
    {"arrays"},
    {"media"},
    {"invertible", "networks", "semantics", "watermark"},
    {"perturb", "vault"},
    {"batch"},
    {"releases", "auditing"},
    {"workflows"},
    {"api"},
    {"samples"},
    {"install"},
    {"demo"},
    {"cli"},
)
"""From the bottom. Parts of one layer may know one another, but for those apart."""

MOVED = {"train", "generate", "database"}
"""Old names, which only lead to the new ones."""


def parts() -> set[str]:
    return {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or path.is_dir()) and not path.name.startswith("_")
        if path.suffix != ".typed"
    }


def imported(path: Path) -> Iterator[str]:
    """The parts of the package that a file imports, at the top or later."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{one.name}" for one in node.names]
        for name in names:
            if name.startswith("fiftyone_reue."):
                yield name.split(".")[1]


def test_every_part_has_a_layer() -> None:
    assert parts() - MOVED == set().union(*LAYERS)


@pytest.mark.parametrize("part", sorted(set().union(*LAYERS)))
def test_nothing_above_is_imported(part: str) -> None:
    (level,) = (place for place, layer in enumerate(LAYERS) if part in layer)
    above = set().union(*LAYERS[level + 1 :])
    files = (
        [PACKAGE / f"{part}.py"]
        if (PACKAGE / f"{part}.py").is_file()
        else sorted((PACKAGE / part).rglob("*.py"))
    )
    found = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files
        if path.name != "__main__.py"
        for name in imported(path)
        if name in above
    }
    assert found == set()
