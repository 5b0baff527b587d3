"""Writing a file that only its owner may read, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from fiftyone_reue.errors import OutputError

Buffer: TypeAlias = bytes | memoryview


def write_private(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Writes `text` as :func:`write_private_parts` writes bytes."""
    write_private_parts(path, [text.encode()], overwrite=overwrite)


def write_private_parts(
    path: Path, parts: Iterable[Buffer], *, overwrite: bool = False
) -> None:
    """Writes bytes with mode 0600, under a temporary name first.

    Args:
        path: the file.
        parts: one after the other, of contiguous bytes.
        overwrite: whether it may be there.

    Raises:
        FileExistsError: if the file is there and `overwrite` is False, also if
            another process wrote it at the same moment
        OutputError: if it can't be written
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.reue-tmp")
    try:
        try:
            _write_and_flush(temporary, parts)
            if overwrite:
                os.replace(temporary, path)
                _flush_folder(path.parent)
            else:
                publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path} can't be written: {error.strerror}; check that its folder "
            "exists, the permissions and the free space"
        ) from error


def publish(temporary: Path, path: Path) -> None:
    """Gives a finished file its name; the temporary one may be removed then.

    Raises:
        FileExistsError: if the name is taken
        OSError: if it can't be done
    """
    _move_to_free_name(temporary, path)
    _flush_folder(path.parent)


def _write_and_flush(path: Path, parts: Iterable[Buffer]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def _move_to_free_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: the check and the move are two steps.
        if path.exists():
            raise FileExistsError(str(path)) from None
        os.replace(temporary, path)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
