"""Awkward BMP, GIF and PNM files."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.cases.case import Case, refused
from tests.cases.pictures import cutout, gray, noise, photo, saved, wide


def bmp(
    body: bytes,
    width: int,
    height: int,
    bits: int,
    *,
    header: int = 40,
    compression: int = 0,
    table: bytes = b"",
    gap: bytes = b"",
    masks: tuple[int, ...] = (),
) -> bytes:
    """A file header by header; rows as they are to be stored."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        size = len(body)
        info = struct.pack(
            "<IiiHHIIiiII",
            header,
            width,
            height,
            1,
            bits,
            compression,
            size,
            0,
            0,
            0,
            0,
        )
        info += struct.pack(f"<{len(masks)}I", *masks)
        info = info.ljust(header, b"\0")
    start = 14 + len(info) + len(table) + len(gap)
    file = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    return file + info + table + gap + body


def stored(samples: np.ndarray) -> bytes:
    """Rows from the bottom, each of a multiple of 4 bytes."""
    made = [row.tobytes() for row in samples[::-1]]
    return b"".join(row + b"\0" * (-len(row) % 4) for row in made)


def table(colours: np.ndarray, entry: int = 4) -> bytes:
    """RGB colours as BMP stores them."""
    made = np.zeros((len(colours), entry), np.uint8)
    made[:, :3] = colours[:, ::-1]
    return made.tobytes()


def bmps() -> Iterator[Case]:
    """BMP files."""

    def exact(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"bmp/{name}.bmp", kind, data, "exact", **options)

    def kept(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"bmp/{name}.bmp", kind, data, "file", **options)

    yield exact("rgb24", "24 bits", saved(photo(), "BMP"))
    height, width = gray().shape
    bgr = photo()[..., ::-1]
    yield exact("top_down", "from the top", bmp(stored(bgr[::-1]), width, -height, 24))
    bgr = photo()[..., ::-1]
    yield exact("os2", "OS/2 header", bmp(stored(bgr), width, height, 24, header=12))
    bgr = photo()[..., ::-1]
    data = bmp(stored(bgr), width, height, 24, gap=noise(64))
    yield exact("gap", "a gap before the picture", data)
    four = np.dstack([photo()[..., ::-1], np.zeros((height, width), np.uint8)])
    yield exact("rgb32", "32 bits without alpha", bmp(stored(four), width, height, 32))
    bgra = cutout()[..., [2, 1, 0, 3]]
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for name, size in (("v4", 108), ("v5", 124)):
        data = bmp(
            stored(bgra), width, height, 32, header=size, compression=3, masks=masks
        )
        yield exact(name, f"cutout, {name.upper()} header", data)
    yield exact("trailing", "bytes behind it", saved(photo(), "BMP") + noise(50))
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    data = bmp(stored(gray()), width, height, 8, table=table(ramp))
    yield exact("gray", "a gray palette", data)

    image = Image.fromarray(photo()).quantize(256)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    data = bmp(stored(np.asarray(image)), width, height, 8, table=table(colours))
    yield kept("palette8", "palette, 8 bits", data)
    image = Image.fromarray(photo()).quantize(16)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:16]
    colours = np.pad(colours, ((0, 16 - len(colours)), (0, 0)))
    indices = np.asarray(image)
    nibbles = indices[:, ::2] << 4 | indices[:, 1::2]
    data = bmp(stored(nibbles), width, height, 4, table=table(colours))
    yield kept("palette4", "palette, 4 bits", data)
    bits = np.packbits(gray() > 110, axis=1)
    two = np.array([[20, 0, 60], [250, 240, 200]], np.uint8)
    data = bmp(stored(bits), width, height, 1, table=table(two))
    yield kept("palette1", "two colours", data)
    data = bmp(stored(bits), width, height, 1, header=12, table=table(two, 3))
    yield kept("os2_palette1", "two colours, OS/2 header", data)
    samples = photo().astype(np.uint16) >> 3
    packed = samples[..., 0] << 10 | samples[..., 1] << 5 | samples[..., 2]
    data = bmp(stored(packed.astype("<u2")), width, height, 16)
    yield kept("rgb16", "5 bits a colour", data)

    rows = b"".join(b"\0" + bytes([width]) + row.tobytes() for row in gray()[::-1])
    data = bmp(rows + b"\0\1", width, height, 8, compression=1, table=table(ramp))
    yield refused("bmp/rle8.bmp", "RLE8", data, "compressed|RLE")
    data = saved(photo(), "BMP")
    cut = data[: len(data) // 2]
    yield refused("bmp/truncated.bmp", "cut off", cut, "cut|truncated|damaged|short")


def gifs() -> Iterator[Case]:
    """GIF files."""

    def kept(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"gif/{name}.gif", kind, data, "file", **options)

    image = Image.fromarray(photo()).quantize(256)
    yield kept("plain", "one frame", saved(image, "GIF", interlace=False))
    image = Image.fromarray(photo()).quantize(256)
    yield kept("interlaced", "interlaced", saved(image, "GIF", interlace=True))
    image = Image.fromarray(photo()).quantize(64)
    corner = int(np.asarray(image)[0, 0])
    yield kept(
        "clear", "a transparent colour", saved(image, "GIF", transparency=corner)
    )
    yield kept("gray", "gray", saved(Image.fromarray(gray()), "GIF"))
    image = Image.fromarray(photo()).quantize(32)
    yield kept("comment", "a comment", saved(image, "GIF", comment=b"by hand"))
    data = saved(Image.fromarray(photo()).quantize(32), "GIF", loop=0)
    yield kept("loop", "a loop of one frame", data)
    data = saved(Image.fromarray(photo()).quantize(32), "GIF") + noise(40)
    yield kept("trailing", "bytes behind it", data)
    frames = [Image.fromarray(photo()).quantize(64) for _ in range(3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield refused("gif/animated.gif", "three frames", data, "frames")
    data = saved(Image.fromarray(photo()).quantize(64), "GIF")
    cut = data[: len(data) // 2]
    yield refused("gif/truncated.gif", "cut off", cut, "cut|truncated|damaged|decoded")


def pnms() -> Iterator[Case]:
    """Netpbm files."""

    def kept(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"pnm/{name}", kind, data, "file", **options)

    def either(name: str, kind: str, data: bytes) -> Case:
        says = "bitmap|PBM|PAM|text|largest|can't be carried"
        return Case(f"pnm/{name}", kind, data, "either", says)

    height, width = gray().shape
    sides = b"%d %d\n" % (width, height)
    yield kept("p5.pgm", "gray (P5)", b"P5\n" + sides + b"255\n" + gray().tobytes())
    samples = wide(gray()).astype(">u2").tobytes()
    yield kept("p5_16.pgm", "gray, 16 bits", b"P5\n" + sides + b"65535\n" + samples)
    yield kept("p6.ppm", "RGB (P6)", b"P6\n" + sides + b"255\n" + photo().tobytes())
    samples = wide(photo()).astype(">u2").tobytes()
    data = b"P6\n" + sides + b"65535\n" + samples
    yield kept("p6_16.ppm", "RGB, 16 bits", data)
    data = b"P5\n# by hand\n" + sides + b"255\n" + gray().tobytes()
    yield kept("comment.pgm", "a comment", data)
    numbers = "\n".join(" ".join(map(str, row)) for row in gray()).encode()
    yield kept("p2.pgm", "gray as text (P2)", b"P2\n" + sides + b"255\n" + numbers)
    numbers = "\n".join(" ".join(map(str, r.ravel())) for r in photo()).encode()
    yield kept("p3.ppm", "RGB as text (P3)", b"P3\n" + sides + b"255\n" + numbers)
    bits = gray() < 110
    data = b"P4\n" + sides + np.packbits(bits, axis=1).tobytes()
    yield either("p4.pbm", "one bit (P4)", data)
    bits = gray() < 100
    digits = "\n".join("".join(map(str, row)) for row in bits.astype(int)).encode()
    yield either("p1.pbm", "one bit as text (P1)", b"P1\n" + sides + digits)
    head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\n" % (width, height)
    data = head + b"TUPLTYPE RGB_ALPHA\nENDHDR\n" + cutout().tobytes()
    yield either("p7.pam", "PAM (P7)", data)
    samples = (gray() // 3).tobytes()
    data = b"P5\n" + sides + b"100\n" + samples
    yield refused("pnm/peak.pgm", "a largest value of 100", data, "largest|100")
    data = b"P6\n" + sides + b"255\n" + photo().tobytes()
    yield refused("pnm/truncated.ppm", "cut off", data[:9000], "cut|truncated|damaged")


def cases() -> Iterator[Case]:
    """All of them."""
    yield from bmps()
    yield from gifs()
    yield from pnms()
