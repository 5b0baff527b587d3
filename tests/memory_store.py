"""fsspec's store in memory, for tests: `memory://`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def memory_store() -> Iterator[Any]:
    """The file system, empty before and after."""
    import fsspec

    system = fsspec.filesystem("memory")
    _empty(system)
    try:
        yield system
    finally:
        _empty(system)


def put_folder(system: Any, folder: Path, root: str) -> dict[str, bytes]:
    """Put a folder's files below a root; their bytes by their paths below it."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    for name, data in files.items():
        system.pipe_file(f"{root}/{name}", data)
    return files


def files_below(system: Any, root: str) -> dict[str, bytes]:
    """The objects below a root, but for manifests, by their paths below it."""
    found = (path for path in system.find(root) if not path.endswith("manifest.json"))
    names = {path: path.partition(f"{root.strip('/')}/")[2] for path in found}
    return {name: system.cat_file(path) for path, name in names.items()}


def _empty(system: Any) -> None:
    system.store.clear()
    system.pseudo_dirs[:] = [""]
