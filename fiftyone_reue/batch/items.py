"""What a job works on: one file, who it is, and where its result goes."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import PurePosixPath

from fiftyone_reue.batch.regions import Regions
from fiftyone_reue.names import filenames


@dataclass(frozen=True)
class Item:
    """One image of a job.

    Attributes:
        sample_id: unique in the job: a sample's id, or a path below the folder.
        path: the file to read.
        label: its class, or None.
        output: where the result goes, below the output folder, without suffix.
        keep_name: whether a restored original gets its file's own name back; else it
            is named as its copy.
        regions: where which class is, if the image has classes of its own for its
            parts; ``label`` is the one that takes the most of it then.
        size: bytes of the file, where whoever listed it was told; else None. A store
            would be asked once more for each.
    """

    sample_id: str
    path: str
    label: str | None
    output: str
    keep_name: bool = False
    regions: Regions | None = None
    size: int | None = field(default=None, compare=False)


def with_distinct_outputs(
    items: Iterable[Item], taken: dict[str, str], anew: Container[str] = frozenset()
) -> list[Item]:
    """Give every item an output of its own.

    ``a.png`` and ``a.jpg`` both give ``a.png``: the one with the later name becomes
    ``a_jpg.png``. Outputs are apart on file systems that don't see case or how an
    accent is composed, too.

    Args:
        items: in a stable order.
        taken: outputs (without suffix) that an earlier run gave, by sample id.
        anew: samples that are to have another than that, if theirs is another now.

    Returns:
        The items in their order; the others in ``taken`` keep what they had.
    """
    used = {filenames.fold(output) for output in taken.values()}
    distinct = []
    for item in items:
        output = taken.get(item.sample_id)
        if output is None or item.sample_id in anew:
            own = None if output is None else filenames.fold(output)
            output = _free(item, used, own)
            used.add(filenames.fold(output))
        distinct.append(replace(item, output=output))
    return distinct


def with_distinct_folders(items: Iterable[Item], taken: Iterable[str]) -> list[Item]:
    """Keep the items' output folders apart on every file system.

    Of ``Cat/a`` and ``cat/a`` the one with the later name gets another folder, the
    same in every run: it ends in a hash of its own name.

    Args:
        items: in any order.
        taken: outputs that an earlier run gave; their folders are kept.
    """
    items = list(items)
    folders = _Folders()
    for output in taken:
        folders.keep(output)
    wanted = sorted({item.output for item in items})
    outputs = {output: folders.place(output) for output in wanted}
    return [replace(item, output=outputs[item.output]) for item in items]


class _Folders:
    """Which folders' names were given, and which others they would be merged with."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], set[str]] = {}

    def keep(self, output: str) -> None:
        above = ""
        for name in output.split("/")[:-1]:
            self._names(above, name).add(name)
            above += f"{name}/"

    def place(self, output: str) -> str:
        *folders, last = output.split("/")
        above = ""
        for name in folders:
            apart = filenames.apart(name, name)
            if apart in self._names(above, apart):
                name = apart  # from an earlier run
            elif self._names(above, name) and name not in self._names(above, name):
                name = apart
            self._names(above, name).add(name)
            above += f"{name}/"
        return above + last

    def _names(self, above: str, name: str) -> set[str]:
        return self._given.setdefault((above, filenames.fold(name)), set())


def _free(item: Item, used: set[str], own: str | None) -> str:
    """An output that nothing else has; ``own`` is what the item has in ``used``."""
    if _is_free(item.output, used, own):
        return item.output
    above, slash, name = item.output.rpartition("/")
    suffix = PurePosixPath(item.path).suffix.lstrip(".").lower()
    ending = f"_{suffix}" if suffix.isascii() and suffix.isalnum() else "_copy"
    for number in count(1):
        tail = ending if number == 1 else f"{ending}_{number}"
        stem = filenames.shortened(name, filenames.LIMIT - len(tail))
        candidate = f"{above}{slash}{stem}{tail}"
        if _is_free(candidate, used, own):
            return candidate
    raise AssertionError("numbers don't end")


def _is_free(output: str, used: set[str], own: str | None) -> bool:
    folded = filenames.fold(output)
    return folded not in used or folded == own
