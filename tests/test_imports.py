"""Tests import only what `make venv` installs, whatever else lies in this .venv."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def declared() -> list[str]:
    """The requirements of the extras that `make venv` names, and the project's own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = (ROOT / "Makefile").read_text("utf-8").split("-e '.[")[1].split("]")[0]
    return project["dependencies"] + [
        one
        for extra in extras.split(",")
        for one in project["optional-dependencies"][extra]
    ]


def installed(requirements: list[str]) -> set[str]:
    """The distributions that are installed with these, and with what they require."""
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(one), "") for one in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in {"", *requirement.extras}:
            if (name, wanted) in found:
                continue
            found.add((name, wanted))
            try:
                needs = requires(name) or []
            except PackageNotFoundError:
                continue
            waiting += [(Requirement(one), wanted) for one in needs]
    return {name for name, _ in found}


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """What a file imports when it is itself imported, as parts of dotted names."""
    waiting: list[ast.AST] = list(ast.parse(path.read_text("utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (tuple(one.name.split(".")) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            base = str(node.module).split(".")
            yield from ((*base, one.name) for one in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def own_files(name: tuple[str, ...]) -> Iterator[Path]:
    """The checkout's files that an import of this name runs."""
    for length in range(1, len(name) + 1):
        path = ROOT.joinpath(*name[:length])
        yield from (
            one
            for one in (path.with_suffix(".py"), path / "__init__.py")
            if one.is_file()
        )


def reached() -> dict[str, Path]:
    """Roots of all names that the tests' files reach, with a file that names each."""
    waiting = sorted((ROOT / "tests").rglob("*.py"))
    seen = set(waiting)
    roots: dict[str, Path] = {}
    while waiting:
        path = waiting.pop()
        for name in imports(path):
            files = list(own_files(name))
            if not files:
                roots.setdefault(name[0], path.relative_to(ROOT))
            waiting += [one for one in files if one not in seen]
            seen.update(files)
    return roots


@pytest.mark.slow
def test_tests_import_what_the_setup_installs() -> None:
    packages = packages_distributions()
    there = installed(declared())
    missing = {
        root: str(path)
        for root, path in reached().items()
        if root not in sys.stdlib_module_names
        and not (ROOT / root).exists()
        # benchmarks/ are run by their paths, so they know one another by bare names.
        and not (ROOT / "benchmarks" / f"{root}.py").exists()
        and not there & {canonicalize_name(one) for one in packages.get(root, ())}
    }
    assert not missing


@pytest.mark.slow
def test_an_undeclared_package_is_found() -> None:
    assert ("mozjpeg_lossless_optimization",) in set(
        imports(ROOT / "benchmarks" / "jpeg_exact.py")
    )
    assert "mozjpeg-lossless-optimization" not in installed(declared())
