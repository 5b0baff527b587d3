"""Awkward JPEG files."""

import base64
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from tests.cases.case import Case, refused
from tests.cases.pictures import gray, noise, photo, saved, thumbnail

_EXIF_HEAD = b"Exif\0\0MM\0*\0\0\0\x08"


def jpeg(image: np.ndarray | Image.Image, **options: object) -> bytes:
    return saved(image, "JPEG", **{"quality": 90, **options})


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    """A segment more, behind what stands at the start."""
    segment = struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
    return data[:2] + segment + data[2:]


def without_jfif(data: bytes) -> bytes:
    length = int.from_bytes(data[4:6], "big")
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + length :]


def with_frame_byte(data: bytes, at: int, value: int) -> bytes:
    """Change a byte of the frame header: 1 is the marker, 4 the precision."""
    place = data.index(b"\xff\xc0") + at
    return data[:place] + bytes([value]) + data[place + 1 :]


def exif(directory: list[tuple[int, int, int, bytes]], after: bytes = b"") -> bytes:
    """An EXIF payload of one directory (values of 4 bytes), and what follows it."""
    entries = b"".join(
        struct.pack(">HHI", tag, kind, count) + value
        for tag, kind, count, value in directory
    )
    return _EXIF_HEAD + struct.pack(">H", len(directory)) + entries + after


def exif_with_preview(preview: bytes, tags: list[tuple[int, int]]) -> bytes:
    """An empty first directory, a second one with a picture behind it."""
    start = 8 + 2 + 4 + 2 + 12 * (len(tags) + 2) + 4
    directory = struct.pack(">H", len(tags) + 2)
    entries = [*tags]
    offset, length = (513, 514) if preview.startswith(b"\xff\xd8") else (273, 279)
    entries += [(offset, start), (length, len(preview))]
    for tag, value in sorted(entries):
        directory += struct.pack(">HHII", tag, 4, 1, value)
    first = struct.pack(">HI", 0, 14)
    return _EXIF_HEAD + first + directory + bytes(4) + preview


def xmp(preview: bytes, note: str = "") -> bytes:
    """A packet with a picture in it, as base64."""
    text = base64.b64encode(preview).decode()
    return (
        "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta "
        "xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf="
        "'http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
        "xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmlns:g="
        f"'http://ns.adobe.com/xap/1.0/g/img/'{note}><xmp:Thumbnails><rdf:Alt>"
        f"<rdf:li><g:image>{text}</g:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
        "</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


def iptc(caption: bytes) -> bytes:
    """A Photoshop block with a caption."""
    record = b"\x1c\x02\x78" + struct.pack(">H", len(caption)) + caption
    record += b"\0" * (len(record) % 2)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    return b"Photoshop 3.0\0" + block


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def large_profile(size: int = 1_400_000) -> bytes:
    """A profile with a private table that compresses to nothing less."""
    made = bytearray(profile())
    count = int.from_bytes(made[128:132], "big")
    moved = bytearray(made[:132])
    moved[128:132] = struct.pack(">I", count + 1)
    for number in range(count):
        name, at, length = struct.unpack_from(">4sII", made, 132 + 12 * number)
        moved += struct.pack(">4sII", name, at + 12, length)
    body = made[132 + 12 * count :]
    moved += struct.pack(">4sII", b"priv", len(moved) + 12 + len(body), size)
    moved += body + noise(size)
    moved[:4] = struct.pack(">I", len(moved))
    return bytes(moved)


def in_pieces(icc: bytes, leave_out: int = 0) -> list[bytes]:
    size = 65_000
    parts = [icc[at : at + size] for at in range(0, len(icc), size)]
    return [
        b"ICC_PROFILE\0" + bytes([number, len(parts)]) + part
        for number, part in enumerate(parts, 1)
        if number != leave_out
    ]


def cases() -> Iterator[Case]:
    """All of them; each one's owner gets back the very file, or it is refused."""

    def kept(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"jpg/{name}.jpg", kind, data, "file", **options)

    yield kept("gray", "one channel", jpeg(gray()))
    for name, value in (("444", 0), ("422", 1), ("420", 2)):
        yield kept(name, f"chroma {name}", jpeg(photo(), subsampling=value))
    yield kept("progressive", "progressive", jpeg(photo(), progressive=True))
    yield kept("optimised", "optimised tables", jpeg(photo(), optimize=True))
    yield kept("quality_100", "quality 100", jpeg(photo(), quality=100))
    yield kept("quality_30", "quality 30", jpeg(photo(), quality=30))
    coarse = jpeg(photo(), quality=10)
    yield refused("jpg/quality_10.jpg", "nothing can be added", coarse, "no room")
    yield kept("restarts", "restart intervals", jpeg(photo(), restart_marker_blocks=4))
    odd = Image.fromarray(photo()).crop((0, 0, 93, 77))
    yield kept("odd_sides", "sides that are no multiple of 8", jpeg(odd))
    yield kept("rgb", "RGB instead of YCbCr (Adobe)", jpeg(photo(), keep_rgb=True))
    yield kept("no_jfif", "no JFIF header", without_jfif(jpeg(photo())))
    yield kept("density", "72 x 300 dots an inch", jpeg(photo(), dpi=(72, 300)))
    for value in range(1, 9):
        tag = (274, 3, 1, struct.pack(">HH", value, 0))
        data = with_segment(jpeg(photo()), 0xE1, exif([tag], bytes(4)))
        yield kept(f"orientation_{value}", f"EXIF orientation {value}", data)

    image = photo()
    block = exif_with_preview(thumbnail(image), [(259, 6)])
    yield kept("exif_thumb", "EXIF thumbnail", with_segment(jpeg(image), 0xE1, block))
    image = photo()
    small = np.asarray(Image.fromarray(image).resize((48, 40)))
    tags = [(256, 48), (257, 40), (259, 1), (262, 2), (277, 3), (278, 40)]
    block = exif_with_preview(small.tobytes(), tags)
    yield kept(
        "exif_thumb_raw",
        "uncompressed EXIF thumbnail",
        with_segment(jpeg(image), 0xE1, block),
    )
    image = photo()
    nested = with_segment(
        thumbnail(image), 0xE1, exif_with_preview(thumbnail(image), [(259, 6)])
    )
    block = exif_with_preview(nested, [(259, 6)])
    yield kept(
        "exif_thumb_nested",
        "a thumbnail with a thumbnail",
        with_segment(jpeg(image), 0xE1, block),
    )
    image = photo()
    data = with_segment(jpeg(image), 0xE0, b"JFXX\0\x10" + thumbnail(image))
    yield kept("jfxx", "JFXX thumbnail", data)
    image = photo()
    small = np.asarray(Image.fromarray(image).resize((24, 20)))
    head = b"JFIF\0\1\2\0\0\1\0\1" + bytes((24, 20)) + small.tobytes()
    data = with_segment(without_jfif(jpeg(image)), 0xE0, head)
    yield kept("jfif_thumb", "JFIF thumbnail", data)
    image = photo()
    packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp(thumbnail(image))
    yield kept("xmp_thumb", "XMP thumbnail", with_segment(jpeg(image), 0xE1, packet))
    image = photo()
    whole = xmp(saved(image, "PNG"))
    name = b"0123456789ABCDEF" * 2
    more = b"http://ns.adobe.com/xmp/extension/\0" + name
    more += struct.pack(">II", len(whole), 0) + whole
    data = with_segment(jpeg(image), 0xE1, more)
    yield kept("xmp_extended", "extended XMP with the picture", data)
    yield kept("iptc", "IPTC", with_segment(jpeg(photo()), 0xED, iptc(b"On a hill")))
    yield kept("comment", "comment", with_segment(jpeg(photo()), 0xFE, b"by hand"))
    data = with_segment(jpeg(photo()), 0xFE, noise(60_000))
    yield kept("comment_binary", "60 kB of bytes as comment", data)
    yield kept("app15", "unknown APP15", with_segment(jpeg(photo()), 0xEF, noise(99)))
    yield kept("profile", "colour profile", jpeg(photo(), icc_profile=profile()))
    data = jpeg(photo())
    for piece in reversed(in_pieces(large_profile())):
        data = with_segment(data, 0xE2, piece)
    yield kept("profile_large", "colour profile of 1.4 MB", data)
    data = jpeg(photo())
    for piece in reversed(in_pieces(large_profile(200_000), leave_out=2)):
        data = with_segment(data, 0xE2, piece)
    yield kept("profile_hole", "a piece of the profile is missing", data)

    first, second = (Image.fromarray(photo()) for _ in range(2))
    data = saved(first, "MPO", save_all=True, append_images=[second])
    yield kept("mpo", "two pictures (MPO)", data)
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + noise(5_000)
    yield kept("motion", "a film behind it (motion photo)", jpeg(photo()) + film)
    image = photo()
    yield kept("twice", "itself behind it", jpeg(image) + jpeg(image, quality=95))
    yield kept("zeros", "zeros behind it", jpeg(photo()) + bytes(512))
    data = jpeg(photo())
    place = data.index(b"\xff\xdb")
    yield kept("fill", "fill bytes", data[:place] + b"\xff\xff" + data[place:])
    yield Case("jpg/named_png.png", "JPEG named .png", jpeg(photo()), "file")
    yield Case("jpg/named_jpe.jpe", "suffix .jpe", jpeg(photo()), "file")

    cmyk = jpeg(Image.fromarray(photo()).convert("CMYK"))
    yield kept("cmyk", "CMYK", cmyk)
    place = cmyk.index(b"Adobe") + 11
    ycck = cmyk[:place] + b"\2" + cmyk[place + 1 :]
    yield kept("ycck", "YCCK", ycck)
    twelve = with_frame_byte(jpeg(photo()), 4, 12)
    yield refused("jpg/bits_12.jpg", "12 bits", twelve, "12.bit")
    coded = with_frame_byte(jpeg(photo()), 1, 0xC9)
    yield refused("jpg/arithmetic.jpg", "arithmetic coding", coded, "arithmetic")
    lossless = with_frame_byte(jpeg(photo()), 1, 0xC3)
    yield refused("jpg/lossless.jpg", "lossless JPEG", lossless, "lossless")
    data = jpeg(photo())
    half = data[: len(data) // 2]
    yield refused("jpg/truncated.jpg", "cut off", half, "cut|truncated")
    yield refused("jpg/header_only.jpg", "headers only", data[:200], "damaged|cut")
    thin = jpeg(photo()[:1])
    yield refused("jpg/thin.jpg", "one pixel high", thin, "too few|pixels")
