"""Writing a job's results below its output folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from fiftyone_reue.errors import OutputError
from fiftyone_reue.media.files import (
    is_refused_name,
    make_folder,
    refused_path,
    remove_stale_temporaries,
    unstored,
    write_entries,
)
from fiftyone_reue.names import contained
from fiftyone_reue.names.contained import Entry
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place

_USUAL = 0o666, 0o777
_PRIVATE = 0o600, 0o700


def prepare(output: Place, *, private: bool = False) -> None:
    """Make the output folder, and clear what a killed run left half-written.

    Args:
        output: the folder, or its address; in a store there is none to make.
        private: if it is made, for its owner only. Who may read an object, the store
            decides.

    Raises:
        OutputError: the folder can't be made, or the store can't be reached.
        InputError: the store can't be written so that files are whole.
    """
    if isinstance(output, Address):
        try:
            objects.require_whole(str(output))
            objects.remove_stale(str(output))
        except OSError as error:
            raise unstored(str(output), error) from error
        return
    make_folder(output, _modes(private)[1])
    remove_stale_temporaries(output)


def require_writable(output: Place) -> None:
    """Make sure, before anything is computed, that a store takes what will be written.

    Of a folder :func:`prepare` says it, which makes it.

    Raises:
        OutputError: there is no such bucket, or it can't be written.
        InputError: the store can't be written so that files are whole.
    """
    if not isinstance(output, Address):
        return
    try:
        objects.try_writing(str(output))
    except FileNotFoundError as error:
        if not objects.is_in_bucket(str(output)):
            raise OutputError(
                f"{output}: this folder can't be made; check its name, and whether one "
                "above it is a file"
            ) from error
        raise OutputError(
            f"{output}: there is no bucket called {output.authority}; check its name, "
            "or create it"
        ) from error
    except OSError as error:
        raise unstored(str(output), error) from error


def remove_empty(output: Place) -> None:
    """Take the output folder away again if nothing came to be in it."""
    if isinstance(output, Address):
        return  # without an object it isn't there
    with suppress(OSError):  # something did, or it is gone already
        output.rmdir()


def write_below(
    output: Place, files: Sequence[tuple[str, bytes]], *, private: bool = False
) -> dict[str, str]:
    """Write files whole or not at all, making their folders. No link is followed.

    Args:
        output: the folder, made if it isn't there; or its address.
        files: relative paths and contents.
        private: make files and folders that only their owner may read.

    Returns:
        Why they couldn't be written, of files whose very name the file system refuses,
        too long or a folder's, and of those that a store didn't take; the others are
        there.

    Raises:
        UnsafePathError: a path leads out of the folder, or through a link.
        OutputError: disk full, no permission, a file where a folder should be; or a
            store took none of them.
    """
    if isinstance(output, Address):
        return _put(output, files)
    file_mode, folder_mode = _modes(private)
    make_folder(output, folder_mode)  # somebody may have deleted it meanwhile
    reasons: dict[str, str] = {}
    refused: dict[Path, str] = {}
    folders: dict[str, list[tuple[str, bytes]]] = {}
    for name, data in files:
        # From an open folder longer paths can be written than anybody could open.
        why = refused_path(contained.inside(output, name))
        if why is not None:
            reasons[name] = why
            continue
        folders.setdefault(name.rpartition("/")[0], []).append((name, data))
    with ExitStack() as stack:
        entries: list[tuple[Entry, bytes]] = []
        for group in folders.values():
            names = [name for name, _ in group]
            opening = contained.opened(output, names, make=folder_mode)
            try:
                opened = stack.enter_context(opening)
            except OutputError as error:
                if not is_refused_name(error):
                    raise
                reasons |= dict.fromkeys(names, str(error))
                continue
            entries += zip(opened, (data for _, data in group), strict=True)
        write_entries(entries, file_mode, refused)
    by_path = {contained.inside(output, name): name for name, _ in files}
    return reasons | {by_path[path]: why for path, why in refused.items()}


def _put(output: Address, files: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Write objects; one that fails is that image's matter, all of them the run's."""
    by_url = {str(contained.inside(output, name)): name for name, _ in files}
    named = zip(by_url, (data for _, data in files), strict=True)
    errors = objects.write_all(list(named))
    refused = {url: unstored(url, error) for url, error in errors.items()}
    if refused and len(refused) == len(files):
        raise next(iter(refused.values()))
    return {by_url[url]: str(error) for url, error in refused.items()}


def _modes(private: bool) -> tuple[int, int]:
    return _PRIVATE if private else _USUAL
