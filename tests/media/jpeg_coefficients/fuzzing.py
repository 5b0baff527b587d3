"""Crafted JPEG files by the thousand, in a process that may take little memory.

    python -m tests.media.jpeg_coefficients.fuzzing 10000 [library]

With a library, which is one that looks after its memory, memory isn't limited.
Prints one line: how many were read, refused, and how long the slowest took. Any other
error, more than a gigabyte of memory, or a crash ends it with another exit code.
"""

import ctypes
import resource
import sys
import time
from types import SimpleNamespace

import numpy as np

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.exact import describe, rebuild
from fiftyone_reue.media.jpeg_coefficients.limits import hold
from fiftyone_reue.media.jpeg_coefficients.planes import targets
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.writing import write
from tests.media.jpeg_coefficients.encoded import by_opencv, by_pillow, picture

_MOST_MEMORY = 1 << 30
_SLOW = 5.0


def crafted(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with faults of a few kinds."""
    new = bytearray(data)
    header = data.find(b"\xff\xda") + 20
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(0, 8)
        size = len(new)
        at = int(rng.integers(2, max(size, 3)))
        if kind == 0:
            del new[at:]
        elif kind == 1:
            new[at : at + 1] = rng.bytes(1)
        elif kind == 2:
            near = int(rng.integers(2, max(min(header, size), 3)))
            new[near : near + 1] = rng.bytes(1)
        elif kind == 3:
            new[at:at] = b"\xff" + rng.bytes(1)
        elif kind == 4:
            del new[at : at + int(rng.integers(1, 30))]
        elif kind == 5:
            other = int(rng.integers(0, max(size, 1)))
            new[at:at] = new[other : other + int(rng.integers(1, 400))]
        elif kind == 6:
            frame = max(new.find(b"\xff\xc0"), new.find(b"\xff\xc2"))
            place = frame + int(rng.integers(4, 19))
            new[place : place + 1] = rng.choice([b"\0", b"\1", b"\x7f", b"\xff"])
        else:
            scan = new.rfind(b"\xff\xda")
            new[scan:scan] = new[scan:-2] * int(rng.integers(1, 60))
    return bytes(new)


def main(count: int, checking: str = "") -> None:
    if checking:
        library.CODEC = SimpleNamespace(load=lambda: ctypes.CDLL(checking))
    library.codec()
    if not checking:
        resource.setrlimit(resource.RLIMIT_AS, (_in_use() + _MOST_MEMORY,) * 2)
    rng = np.random.default_rng(0)
    samples = picture(70, 50)
    seeds = [data for q in (10, 75, 95) for _, data in by_pillow(q, samples)]
    seeds += [data for _, data in by_opencv(80, samples)]
    whole = refused = 0
    slowest = 0.0
    for _ in range(count):
        data = crafted(seeds[rng.integers(len(seeds))], rng)
        start = time.perf_counter()
        try:
            found = read(data)
        except (UnreadableImageError, UnsupportedImageError):
            refused += 1
        else:
            whole += 1
            content = describe(data, found).content
            assert rebuild(content, read(write(found))) == data
            change(found, rng)
        slowest = max(slowest, time.perf_counter() - start)
    assert slowest < _SLOW, slowest
    print(f"{count} files: {whole} came back, {refused} refused, {slowest:.2f} s")


def change(found: Coefficients, rng: np.random.Generator) -> None:
    """Go through all that is computed of a change, whatever the coefficients."""
    pattern = rng.integers(-8, 9, (found.height, found.width)).astype(np.int8)
    try:
        held = hold(found, targets(found, pattern), 8)
    except (UnsupportedImageError, ValueError):
        return
    for one in held.offsets:
        assert np.array_equal(library.gathered(library.spread(one), one.shape), one)
    follow(rng)


def follow(rng: np.random.Generator) -> None:
    """Go through what follows from what is shown, of a picture of any size."""
    reach, cell = int(rng.integers(0, 20)), int(rng.choice([1, 2, 16]))
    values = rng.integers(-200, 200, rng.integers(33, 70, 2))
    library.filtered(values, *rng.integers(-200, 200, (2, reach + 1)))
    height, width = (int(side) for side in rng.integers(1, 150, 2))
    cells = rng.integers(-99, 99, (-(-height // cell), -(-width // cell)))
    fields = library.fields(
        cells.astype(np.int16),
        cell,
        (height, width),
        96,
        4,
        int(rng.choice([1, 8, 16, 1 << 15])),
        int(rng.integers(2)),
    )
    whole = np.resize(fields, (8 * (height // 8 + 1), 8 * (width // 8 + 1)))
    assert library.share(whole[..., None].view(np.uint8), whole)[1] >= 0


def _in_use() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
