"""Arrays out of an npz file or its bytes, in no more memory than is allowed."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy

from fiftyone_reue.errors import DamagedRecordError

_MOST_ARRAYS = 1 << 16


def read_arrays(
    source: bytes | str | os.PathLike[str], most: int
) -> dict[str, np.ndarray]:
    """What ``np.savez`` or ``np.savez_compressed`` wrote.

    A few bytes can announce an array of any size, and be unpacked to as many bytes, so
    both are looked at before anything is allocated.

    Args:
        source: the file's bytes, or a path.
        most: bytes that all arrays may take together.

    Returns:
        The arrays by name.

    Raises:
        DamagedRecordError: they would take more, or it isn't such a file.
        OSError: the file can't be read.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > _MOST_ARRAYS or sum(m.file_size for m in members) > most:
                raise DamagedRecordError(
                    "What was kept of a fit or a network is larger than any: it is "
                    f"damaged or was forged (at most {most >> 20} MB are read)"
                )
            return {
                member.filename.removesuffix(".npy"): _array(archive, member)
                for member in members
            }
    except (
        ValueError,
        EOFError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DamagedRecordError(
            f"What was kept of a fit or a network is damaged: {error}"
        ) from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        content = io.BytesIO(file.read())  # no more than the size that it announces
    version = npy.read_magic(content)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = read_header[version](content)
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or size != len(content.getbuffer()) - content.tell():
        raise ValueError(f"{member.filename} doesn't hold what its header says")
    content.seek(0)
    return npy.read_array(content, allow_pickle=False)
