"""Awkward PNG files."""

import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tests.cases.case import Case, refused
from tests.cases.jpeg import large_profile, profile, xmp
from tests.cases.pictures import (
    cutout,
    gray,
    mask,
    noise,
    photo,
    saved,
    thumbnail,
    wide,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


def chunk(kind: bytes, payload: bytes = b"") -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + payload))
    return struct.pack(">I", len(payload)) + kind + payload + check


def rows(samples: np.ndarray, depth: int) -> bytes:
    """Unfiltered rows of ``(H, W)`` or ``(H, W, C)`` samples."""
    made = []
    for row in samples.reshape(len(samples), -1):
        if depth == 16:
            made.append(row.astype(">u2").tobytes())
        elif depth == 8:
            made.append(row.astype(np.uint8).tobytes())
        else:
            bits = (row[:, None] >> np.arange(depth)[::-1]) & 1
            made.append(np.packbits(bits.astype(np.uint8)).tobytes())
    return b"".join(b"\0" + row for row in made)


def png(
    samples: np.ndarray,
    colour: int,
    depth: int = 8,
    *,
    interlaced: bool = False,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
    pieces: int = 1,
    level: int = 6,
) -> bytes:
    """A file chunk by chunk.

    Args:
        samples: ``(H, W)`` or ``(H, W, C)``.
        colour: the header's kind of colour.
        depth: bits a sample.
        interlaced: whether by Adam7.
        before: chunks before the image data.
        after: chunks behind it.
        pieces: how many IDAT chunks.
        level: of the compression.
    """
    height, width = samples.shape[:2]
    raw = rows(samples, depth)
    if interlaced:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in _ADAM7]
        raw = b"".join(rows(one, depth) for one in passes if one.size)
    packed = zlib.compress(raw, level)
    step = -(-len(packed) // pieces)
    data = [
        chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step)
    ]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    parts = [chunk(b"IHDR", header), *before, *data, *after, chunk(b"IEND")]
    return SIGNATURE + b"".join(parts)


def palette(count: int, *, repeated: bool = False) -> bytes:
    colours = np.random.default_rng(count).integers(0, 256, (count, 3), np.uint8)
    if repeated:
        colours[1::2] = colours[::2][: len(colours[1::2])]
    return chunk(b"PLTE", colours.tobytes())


def quantised(count: int) -> tuple[np.ndarray, bytes]:
    """A photograph in so many colours: indices and palette."""
    from PIL import Image

    image = Image.fromarray(photo()).quantize(count)
    colours = (image.getpalette() or [])[: 3 * count]
    return np.asarray(image), chunk(b"PLTE", bytes(colours).ljust(3 * count, b"\0"))


def text(keyword: bytes, words: bytes) -> bytes:
    return chunk(b"tEXt", keyword + b"\0" + words)


def cases() -> Iterator[Case]:
    """All of them."""

    def exact(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"png/{name}.png", kind, data, "exact", **options)

    def kept(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"png/{name}.png", kind, data, "file", **options)

    yield from _kinds_of_samples(exact, kept)
    yield from _palettes(kept)
    yield from _chunks(exact)
    yield from _refused()


def _kinds_of_samples(exact, kept) -> Iterator[Case]:
    yield exact("gray8", "gray, 8 bits", png(gray(), GRAY))
    yield exact("gray16", "gray, 16 bits", png(wide(gray()), GRAY, 16))
    yield exact("rgb8", "RGB as Pillow writes it", saved(photo(), "PNG"))
    yield exact("rgb16", "RGB, 16 bits", png(wide(photo()), RGB, 16))
    both = np.dstack([gray(), np.full_like(gray(), 200)])
    yield exact("gray_alpha8", "gray and alpha", png(both, GRAY_ALPHA))
    yield exact(
        "gray_alpha16", "gray and alpha, 16 bits", png(wide(both), GRAY_ALPHA, 16)
    )
    yield exact("rgba8", "cutout", png(cutout(), RGBA))
    yield exact("rgba16", "cutout, 16 bits", png(wide(cutout()), RGBA, 16))
    hidden = cutout()
    under = hidden[..., 3] == 0
    hidden[under, :3] = np.random.default_rng(1).integers(0, 256, (under.sum(), 3))
    yield exact("rgba_hidden", "colour under full transparency", png(hidden, RGBA))
    empty = np.dstack([photo(), np.zeros_like(gray())])
    yield Case(
        "png/rgba_empty.png",
        "all of it transparent",
        png(empty, RGBA),
        "either",
        "transparent|alpha",
        traced=False,
    )
    for depth in (1, 2, 4):
        small = gray() >> (8 - depth)
        yield kept(f"gray{depth}", f"gray, {depth} bits", png(small, GRAY, depth))
        data = png(small, GRAY, depth, interlaced=True)
        yield kept(f"gray{depth}_adam7", f"gray, {depth} bits, interlaced", data)
    yield exact("adam7", "interlaced", png(photo(), RGB, interlaced=True))
    data = png(wide(cutout()), RGBA, 16, interlaced=True)
    yield exact("adam7_rgba16", "interlaced, alpha, 16 bits", data)
    key = chunk(b"tRNS", struct.pack(">H", 90))
    data = png(gray(), GRAY, before=[key])
    yield kept("gray8_key", "gray with a transparent value", data)
    samples = wide(gray())
    key = chunk(b"tRNS", struct.pack(">H", int(samples[5, 5])))
    data = png(samples, GRAY, 16, before=[key])
    yield kept("gray16_key", "gray, 16 bits, with a transparent value", data)
    samples = photo()
    key = chunk(b"tRNS", struct.pack(">HHH", *map(int, samples[7, 7])))
    data = png(samples, RGB, before=[key])
    yield kept("rgb8_key", "RGB with a transparent colour", data)
    yield exact("stored", "not compressed", png(photo(), RGB, level=0))
    yield exact("level_9", "compressed most", png(photo(), RGB, level=9))
    yield exact("pieces", "image data in 40 chunks", png(photo(), RGB, pieces=40))
    data = chunk(b"sBIT", b"\x0c")
    twelve = png(wide(gray()) >> 4, GRAY, 16, before=[data])
    yield exact("sbit_12", "12 bits in 16 (sBIT)", twelve)
    # What sBIT leaves out is zero here: the data's range is what it says.
    yield exact("sbit_5", "5 bits in 8 (sBIT)", _five_bits())
    yield exact("bits_12", "12 bits in 16, not said", png(wide(gray()) >> 4, GRAY, 16))
    millimetres = 400 + 14 * gray().astype(np.uint16)
    yield Case(
        "png/depth.png",
        "depth in millimetres",
        png(millimetres, GRAY, 16),
        "either",
        "depth|range|bits",
    )


def _five_bits() -> bytes:
    samples = photo() & 0xF8
    return png(samples, RGB, before=[chunk(b"sBIT", b"\5\5\5")])


def _palettes(kept) -> Iterator[Case]:
    for depth in (1, 2, 4, 8):
        indices, colours = quantised(1 << depth)
        data = png(indices, PALETTE, depth, before=[colours])
        yield kept(f"palette{depth}", f"palette, {depth} bits", data)
    indices, colours = quantised(256)
    data = png(indices, PALETTE, before=[colours], interlaced=True)
    yield kept("palette_adam7", "palette, interlaced", data)
    indices, colours = quantised(16)
    data = png(indices, PALETTE, before=[colours, chunk(b"tRNS", bytes(range(16)))])
    yield kept("palette_alpha", "palette with transparency", data, traced=False)
    data = png(indices, PALETTE, before=[palette(16, repeated=True)])
    yield kept("palette_repeated", "a palette that repeats colours", data)
    data = png(mask(), PALETTE, before=[palette(4)])
    yield kept("palette_mask", "a palette whose indices are the data", data)
    data = png(indices % 4, PALETTE, before=[palette(200)])
    yield kept("palette_unused", "a palette with unused colours", data)
    ramp = chunk(b"PLTE", bytes(np.repeat(np.arange(256, dtype=np.uint8), 3)))
    yield kept("palette_gray", "a gray palette", png(gray(), PALETTE, before=[ramp]))


def _chunks(exact) -> Iterator[Case]:
    def with_chunk(name: str, kind: str, *chunks: bytes, **options: bool) -> Case:
        return exact(name, kind, png(photo(), RGB, before=chunks), **options)

    yield with_chunk("gama_1", "gAMA 1.0", chunk(b"gAMA", struct.pack(">I", 100_000)))
    yield with_chunk("gama", "gAMA 0.45455", chunk(b"gAMA", struct.pack(">I", 45_455)))
    yield with_chunk("srgb", "sRGB", chunk(b"sRGB", b"\0"))
    white = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    yield with_chunk("chrm", "cHRM", chunk(b"cHRM", struct.pack(">8I", *white)))
    yield with_chunk("cicp", "cICP (PQ)", chunk(b"cICP", bytes((9, 16, 0, 1))))
    packed = b"ICC\0\0" + zlib.compress(profile())
    yield with_chunk("iccp", "colour profile", chunk(b"iCCP", packed))
    yield with_chunk(
        "iccp_bad", "a profile that can't be unpacked", chunk(b"iCCP", packed[:60])
    )
    packed = b"ICC\0\0" + zlib.compress(large_profile())
    # Pillow doesn't open the original: nor need it open the copies.
    yield with_chunk("iccp_large", "colour profile of 1.4 MB", chunk(b"iCCP", packed))
    yield with_chunk(
        "phys", "300 dots an inch", chunk(b"pHYs", b"\0\0\x2e\x23" * 2 + b"\1")
    )
    yield with_chunk("bkgd", "background", chunk(b"bKGD", bytes(6)))
    yield with_chunk(
        "time", "time", chunk(b"tIME", struct.pack(">H5B", 2020, 1, 2, 3, 4, 5))
    )
    yield with_chunk("text", "plain text", text(b"Title", b"A hill"))
    yield with_chunk("text_latin", "text in Latin-1", text(b"Author", b"J\xf6rg"))
    packed = zlib.compress(b"A hill, once more")
    yield with_chunk("ztxt", "packed text", chunk(b"zTXt", b"Comment\0\0" + packed))
    words = "Hügel".encode()
    yield with_chunk(
        "itxt", "text in UTF-8", chunk(b"iTXt", b"Title\0\0\0de\0\0" + words)
    )

    def holding(name: str, kind: str, make) -> Case:
        image = photo()
        return exact(name, kind, png(image, RGB, before=[make(image)]))

    def packet(image: np.ndarray) -> bytes:
        head = b"XML:com.adobe.xmp\0\0\0\0\0"
        return chunk(b"iTXt", head + xmp(thumbnail(image)))

    def hexadecimal(image: np.ndarray) -> bytes:
        data = b"Exif\0\0" + thumbnail(image)
        words = b"\nexif\n%8d\n" % len(data) + data.hex().encode() + b"\n"
        head = b"Raw profile type exif\0\0"
        return chunk(b"zTXt", head + zlib.compress(words))

    yield holding("xmp_thumb", "XMP thumbnail", packet)
    yield holding("exif_hex", "EXIF as hex in packed text", hexadecimal)
    yield holding(
        "private",
        "a private chunk with the picture",
        lambda image: chunk(b"prVw", saved(image, "PNG")),
    )
    yield holding(
        "exif_thumb",
        "an EXIF thumbnail",
        lambda image: chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0" + thumbnail(image)),
    )
    turned = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    yield with_chunk("exif_turned", "EXIF orientation 6", chunk(b"eXIf", turned))
    yield exact("trailing", "bytes behind it", png(photo(), RGB) + noise(300))
    image = photo()
    data = png(image, RGB) + saved(image, "PNG")
    yield exact("twice", "itself behind it", data)
    yield exact(
        "after", "text behind the image", png(photo(), RGB, after=[text(b"A", b"b")])
    )
    control = chunk(b"acTL", struct.pack(">II", 1, 0))
    yield with_chunk("apng_1", "an animation of one frame", control)


def _refused() -> Iterator[Case]:
    def no(name: str, kind: str, data: bytes, says: str) -> Case:
        return refused(f"png/{name}.png", kind, data, says)

    from PIL import Image

    frames = [Image.fromarray(photo()) for _ in range(2)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield no("apng", "two frames", data, "frames")
    data = png(photo(), RGB)
    apple = data[:8] + chunk(b"CgBI", b"P\0 \6") + data[8:]
    yield no("cgbi", "Apple's variant", apple, "CgBI")
    yield no("truncated", "cut off", data[: len(data) // 2], "cut|truncated|damaged")
    place = data.index(b"IDAT") + 1000
    broken = data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]
    yield no("damaged", "a byte is wrong", broken, "damaged|checksum|CRC|decoded")
    unknown = png(photo(), RGB, before=[chunk(b"QQQQ")])
    yield no("critical", "an unknown critical chunk", unknown, "QQQQ")
    bomb = png(np.zeros((1, 1, 3), np.uint8), RGB)
    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    bomb = bomb[:8] + chunk(b"IHDR", header) + bomb[33:]
    yield no("huge", "200,000 pixels a side", bomb, "limit")
    yield no("dot", "one pixel", png(photo()[:1, :1], RGB), "too few")
