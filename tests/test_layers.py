"""Dependencies point downwards: a part knows those below it, and none above."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import fiftyone_reue

pytestmark = pytest.mark.unit

PACKAGE = Path(fiftyone_reue.__file__).parent

LAYERS = (
    {"compiled", "errors", "prf"},
    {"options", "progress", "names", "stores", "together"},
    {"arrays"},
    {"media"},
    {"alignment", "invertible", "networks", "semantics", "watermark"},
    {"perturb", "vault"},
    {"batch"},
    {"releases", "auditing", "proofs"},
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


def imported_names(source: str) -> Iterator[str]:
    """What a file imports of the package, at the top, later, or for types only."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports aren't followed here"
            names = [f"{node.module}.{one.name}" for one in node.names]
        yield from (name for name in names if name.startswith("fiftyone_reue."))


def imported_parts(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported_names(path.read_text("utf-8"))}


def circle(sources: dict[str, str]) -> list[str]:
    """Modules that import one another in a circle, if there are some.

    Args:
        sources: files' text by the modules' names.
    """

    def module_of(name: str) -> str:
        return name if name in sources else name.rpartition(".")[0]

    graph = {
        module: {*map(module_of, imported_names(source))} & sources.keys()
        for module, source in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


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
        for name in imported_parts(path)
        if name in above
    }
    assert found == set()


@pytest.mark.slow
def test_no_module_imports_itself_by_way_of_others() -> None:
    sources = {
        module_name(path): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")
    }
    # Everything is in it, and some ask it for the version.
    del sources["fiftyone_reue"]
    assert circle(sources) == []


@pytest.mark.parametrize(
    "back",
    [
        "from fiftyone_reue.a import thing",
        "def f():\n    from fiftyone_reue import a",
        "if TYPE_CHECKING:\n    import fiftyone_reue.a",
    ],
)
def test_a_circle_is_found_wherever_the_import_stands(back: str) -> None:
    sources = {
        "fiftyone_reue.a": "from fiftyone_reue.b import other",
        "fiftyone_reue.b": "from fiftyone_reue.c import third",
        "fiftyone_reue.c": back,
    }
    assert set(circle(sources)) == set(sources)
    assert circle({**sources, "fiftyone_reue.c": ""}) == []
