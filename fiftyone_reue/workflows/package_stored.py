"""Images unpacked into a store, which has no folder that could be given its name last.

So a mark is written first and deleted last. Where it is found, a run was killed; what
that one wrote is written again by the next one of the same source.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence

from fiftyone_reue.batch import outputs
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.media.files import unstored
from fiftyone_reue.names import contained
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place, is_there
from fiftyone_reue.workflows.package_writers import IMAGES, Copied, Writer

MARK = f".unpacking{objects.TEMPORARY_SUFFIX}"
"""Walks pass it over, as whatever ends so and begins with a dot."""

_MOST = 1 << 16


@contextlib.contextmanager
def storing(source: Place, output: Address) -> Iterator[Writer]:
    """What takes files up into a store; whatever stops it, none of them stays.

    Args:
        source: what is unpacked.
        output: where nothing is, or what a run of the same source left when it was
            killed.

    Raises:
        InputError: something else is there, or this store can't be written whole.
        OutputError: it can't be written.
    """
    mark = output / MARK
    said = _said(source)
    if is_there(output) and _marked(mark) != said:
        raise InputError(f"{output} is there already; choose a new name")
    outputs.require_writable(output)
    writer = _Stored(output)
    try:
        objects.write(str(mark), said)
        yield writer
        objects.remove(str(mark))
    except OSError as error:
        writer.take_back()
        raise unstored(str(output), error) from error
    except BaseException:
        writer.take_back()
        raise


class _Stored(Writer):
    def __init__(self, output: Address) -> None:
        self._output = output
        self._names: list[str] = []

    def beside(self, files: Sequence[tuple[str, bytes]]) -> None:
        self._names += [name for name, _ in files]
        for reason in outputs.write_below(self._output, files).values():
            raise OutputError(reason)

    def copies(self, batch: Sequence[Copied]) -> None:
        self.beside([(f"{IMAGES}/{one.output}", one.data) for one in batch])

    def close(self) -> None:
        """Everything is there already."""

    def take_back(self) -> None:
        """Delete all that was written, the mark last, as far as the store lets it."""
        for name in (*self._names, MARK):
            with contextlib.suppress(Exception):
                objects.remove(str(contained.inside(self._output, name)))


def _said(source: Place) -> bytes:
    return json.dumps({"unpacking": str(source.absolute())}).encode()


def _marked(mark: Address) -> bytes | None:
    try:
        return objects.read(str(mark), _MOST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{mark}: {objects.reason(error)}") from error
