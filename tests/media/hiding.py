"""Files of every format that is read, with a picture hidden in each place they have."""

import base64
import binascii
import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from fiftyone_reue.media import ifd
from fiftyone_reue.media.codec import encode
from fiftyone_reue.media.ifd import Entry
from fiftyone_reue.media.raster import Metadata, Raster

Places = Iterator[tuple[str, bytes]]


def jpeg(picture: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=60, **options)
    return file.getvalue()


def small(
    picture: np.ndarray, width: int, height: int, mode: str = "RGB"
) -> np.ndarray:
    image = Image.fromarray(picture).convert(mode)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


class Hidden:
    """A picture in the forms in which files carry it, and a host that shows nothing."""

    def __init__(self, picture: np.ndarray) -> None:
        draw = np.random.default_rng(0)
        self.host = draw.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        self.thumbnail = small(picture, 32, 24)
        self.jpeg = jpeg(self.thumbnail)
        self.rgb = self.thumbnail.tobytes()
        self.gray = small(picture, 16, 12, "L").tobytes()
        self.base64 = base64.b64encode(self.jpeg)

    # Text

    def texts(self) -> Places:
        """Codings of the picture that only use printable characters."""
        yield "base64", self.base64
        yield "wrapped base64", base64.encodebytes(self.jpeg)
        yield "base64 of rows", base64.b64encode(self.gray)
        yield "hex", self.jpeg.hex().encode()
        digits = self.jpeg.hex()
        lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
        yield "wrapped hex", "\n".join(lines).encode()
        yield "hex in pairs", self.jpeg.hex(" ").encode()
        yield "hex in fours", self.jpeg.hex(" ", 2).upper().encode()
        yield "numbers", ", ".join(map(str, self.gray)).encode()
        yield "ascii85", base64.a85encode(self.jpeg, wrapcol=76)
        yield (
            "uuencode",
            b"".join(
                binascii.b2a_uu(self.jpeg[at : at + 45])
                for at in range(0, len(self.jpeg), 45)
            ),
        )
        yield "data address", b"data:image/jpeg;base64," + self.base64
        yield "XML", b"<a><b>A few words</b><c>%s</c></a>" % self.base64
        yield "JSON", b'{"thumbnail": "%s", "title": "A cat"}' % self.base64
        prose = b"A cat sat on a mat and looked out of the window. " * 40
        yield "base64 in prose", prose + self.base64 + b"\n" + prose

    # EXIF

    def exif(self, *entries: Entry, tail: bytes = b"", following: bytes = b"") -> bytes:
        """A block with an orientation, other entries, and what lies behind them."""
        root = [Entry(274, ifd.SHORT, 1, b"\6\0"), *entries]
        block = b"II*\0\x08\0\0\0" + ifd.write_directory(root, "<", 8)
        if following:
            link = 8 + 2 + 12 * len(root)
            block = block[:link] + struct.pack("<I", len(block)) + block[link + 4 :]
        return block + following + tail

    def exif_places(self) -> Places:
        """Blocks that hold the picture, by place."""
        size = len(self.exif())
        entries = [(513, 0), (514, len(self.jpeg))]
        entries[0] = (513, size + 2 + 24 + 4)
        yield "IFD1 JPEG", self.exif(following=_directory(entries), tail=self.jpeg)
        rows = [(256, 32), (257, 24), (258, 8), (259, 1), (262, 2), (273, 0)]
        rows += [(277, 3), (278, 24), (279, len(self.rgb))]
        rows[5] = (273, size + 2 + 12 * len(rows) + 4)
        yield "IFD1 rows", self.exif(following=_directory(rows), tail=self.rgb)
        yield "nothing points to it", self.exif(tail=self.jpeg)
        below = _directory(rows)
        pointer = Entry(330, ifd.LONG, 1, struct.pack("<I", size + 12))
        rows[5] = (273, size + 12 + 2 + 12 * len(rows) + 4)
        below = _directory(rows)
        yield "SubIFD", self.exif(pointer, tail=below + self.rgb)
        yield "MakerNote", self.exif(self._below(37500, ifd.UNDEFINED, self.jpeg))
        nested = jpeg(self.host, exif=b"Exif\0\0" + self.exif(tail=self.jpeg))
        yield "JPEG in a JPEG", self.exif(self._below(37500, ifd.UNDEFINED, nested))
        comments = {
            "UserComment, base64": b"ASCII\0\0\0" + self.base64,
            "UserComment, bytes": b"ASCII\0\0\0" + self.jpeg,
            "UserComment, wide": b"UNICODE\0"
            + self.base64.decode().encode("utf-16-le"),
            "UserComment, rows as wide text": b"UNICODE\0" + self.gray,
            "UserComment, no coding": bytes(8) + self.base64,
            "UserComment, Japanese": b"JIS\0\0\0\0\0" + self.jpeg,
        }
        for name, value in comments.items():
            yield name, self.exif(self._below(37510, ifd.UNDEFINED, value))
        yield "ISO values", self.exif(self._below(34855, ifd.SHORT, self.gray))
        yield "CFAPattern", self.exif(self._below(41730, ifd.UNDEFINED, self.gray))
        far = Entry(29, ifd.ASCII, len(self.base64), self.base64)
        yield "GPS text", self.exif(Entry(34853, ifd.LONG, 1, bytes(4), (far,)))
        wide = self.base64.decode().encode("utf-16-le")
        for name, value in (("base64", wide), ("rows", self.gray)):
            yield f"XPComment, {name}", self.exif(_entry(40092, ifd.BYTE, value))
        for name, text in self.texts():
            yield f"ImageDescription, {name}", self.exif(_entry(270, ifd.ASCII, text))
        yield "ImageDescription, bytes", self.exif(_entry(270, ifd.ASCII, self.jpeg))
        yield "tiepoints", self.exif(_entry(33922, ifd.DOUBLE, self.gray))
        keys = b"\1\0\1\0\0\0\x18\0" + self.gray
        yield "geographic keys", self.exif(_entry(34735, ifd.SHORT, keys))
        for kind in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12):
            yield (
                f"private tag of type {kind}",
                self.exif(_entry(65000, kind, self.rgb)),
            )
        for kind, code in ((3, "H"), (4, "I"), (9, "i"), (11, "f"), (12, "d")):
            value = struct.pack(f"<{len(self.gray)}{code}", *self.gray)
            yield f"numbers of type {kind}", self.exif(_entry(65000, kind, value))
        for tag in (33723, 34377, 37724, 50341, 50706, 46275, 330, 34665, 40965):
            yield f"tag {tag}", self.exif(_entry(tag, ifd.UNDEFINED, self.jpeg))

    def _below(self, tag: int, kind: int, value: bytes) -> Entry:
        return Entry(34665, ifd.LONG, 1, bytes(4), (_entry(tag, kind, value),))

    # Colour profiles

    def profiles(self) -> Places:
        """Colour profiles that hold the picture, by place."""
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        yield "replaced", self.jpeg
        yield "behind", profile + self.jpeg
        behind = profile + self.jpeg
        yield "behind, counted", len(behind).to_bytes(4, "big") + behind[4:]
        yield "private tag", _with_tag(profile, b"MSFT", self.jpeg)
        yield "text", _with_tag(profile, b"cprt", b"text\0\0\0\0" + self.base64)
        wide = self.gray
        text = struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(wide), 28)
        yield "wide text", _with_tag(profile, b"desc", text + wide)
        curve = struct.pack(">4s4xI", b"curv", len(self.gray) // 2) + self.gray
        yield "curve", _with_tag(profile, b"rTRC", curve)
        table = struct.pack(">4s4xBBBx36x", b"mft1", 3, 3, 6)
        ramp = bytes(range(256)) * 3
        rows = small(self.thumbnail, 16, 12).tobytes() + bytes(72)
        yield "table", _with_tag(profile, b"A2B0", table + ramp + rows + ramp)
        yield (
            "JPEG in a curve",
            _with_tag(profile, b"rTRC", b"curv\0\0\0\0" + bytes(4) + self.jpeg),
        )
        yield "header", profile[:100] + self.gray[:28] + profile[128:] + self.gray

    def xmp(self) -> bytes:
        return (
            b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><xmp:Thumbnails>'
            b"<xmpGImg:image>%s</xmpGImg:image></xmp:Thumbnails></x:xmpmeta>"
        ) % self.base64

    # Formats

    def jpegs(self) -> Places:
        host = jpeg(self.host)
        for name, block in self.exif_places():
            if len(block) < 65000:
                yield f"EXIF {name}", _segment(host, 0xE1, b"Exif\0\0" + block)
        for name, profile in self.profiles():
            part = b"ICC_PROFILE\0\1\1" + profile
            yield f"profile, {name}", _segment(host, 0xE2, part)
        name = b"http://ns.adobe.com/xap/1.0/\0"
        yield "XMP", _segment(host, 0xE1, name + self.xmp())
        more = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40)
        yield "extended XMP", _segment(host, 0xE1, more + self.base64)
        for number in range(16):
            yield f"APP{number}", _segment(host, 0xE0 + number, b"own\0" + self.jpeg)
        yield "JFXX JPEG", _segment(host, 0xE0, b"JFXX\0\x10" + self.jpeg)
        yield "JFXX rows", _segment(host, 0xE0, b"JFXX\0\x13\x20\x18" + self.rgb)
        jfif = b"JFIF\0\1\2\0\0\1\0\1\x20\x18" + self.rgb
        yield "JFIF rows", host[:2] + _jpeg_part(0xE0, jfif) + host[20:]
        yield "comment", _segment(host, 0xFE, self.base64)
        yield "IPTC", _segment(host, 0xED, b"Photoshop 3.0\0" + self.jpeg)
        yield "Adobe", _segment(host, 0xEE, b"Adobe" + self.jpeg)
        yield "behind the end", host + self.jpeg

    def pngs(self) -> Places:
        host = encode(Raster(self.host, "PNG"), "PNG")
        for name, block in self.exif_places():
            yield f"EXIF {name}", _chunk(host, b"eXIf", block)
            digits = (b"Exif\0\0" + block).hex()
            wrapped = "\n".join(
                digits[at : at + 72] for at in range(0, len(digits), 72)
            )
            text = f"\nexif\n{len(digits) // 2:8}\n{wrapped}\n".encode()
            key = b"Raw profile type exif\0"
            yield (
                f"EXIF in zTXt {name}",
                _chunk(host, b"zTXt", key + b"\0" + zlib.compress(text)),
            )
        for name, profile in self.profiles():
            yield (
                f"profile, {name}",
                _chunk(host, b"iCCP", b"p\0\0" + zlib.compress(profile)),
            )
        key = b"XML:com.adobe.xmp\0\0\0\0\0"
        yield "XMP", _chunk(host, b"iTXt", key + self.xmp())
        for name, text in self.texts():
            yield f"tEXt {name}", _chunk(host, b"tEXt", b"Comment\0" + text)
            packed = zlib.compress(text)
            yield f"zTXt {name}", _chunk(host, b"zTXt", b"Comment\0\0" + packed)
            yield f"iTXt {name}", _chunk(host, b"iTXt", b"Comment\0\1\0\0\0" + packed)
        yield "tEXt, bytes", _chunk(host, b"tEXt", b"Comment\0" + self.jpeg)
        packed = zlib.compress(b"A few words") + self.jpeg
        yield "behind packed text", _chunk(host, b"zTXt", b"Comment\0\0" + packed)
        for name, text in (
            ("JPEG", self.base64),
            ("rows", base64.b64encode(self.gray)),
        ):
            split = host
            for at in range(0, len(text), 90):
                part = b"\0" + text[at : at + 90]
                split = _chunk(split, b"tEXt", b"Part" + part, at=len(split) - 12)
            yield f"{name} split over texts", split
        rows = np.frombuffer(self.gray, np.uint8).reshape(12, 16)
        lines = {
            "widths of spaces": [b" " * v + b"x" for v in self.gray],
            "hexadecimal rows": [bytes(row).hex().encode() for row in rows],
            "hexadecimal pairs": [bytes(row).hex(" ").encode() for row in rows],
            "rows of numbers": [" ".join(map(str, row)).encode() for row in rows],
        }
        for name, texts in lines.items():
            same = varied = host
            for number, text in enumerate(texts):
                key = b"Author\0" + text
                same = _chunk(same, b"tEXt", key, at=len(same) - 12)
                key = b"row %s\0%s" % (bytes([97 + number % 26]), text)
                varied = _chunk(varied, b"tEXt", key, at=len(varied) - 12)
            yield name, same
            yield f"{name}, keywords", varied
        split = host
        for at in range(0, len(self.base64), 70):
            key = self.base64[at : at + 70]
            split = _chunk(split, b"tEXt", key + b"\0x", at=len(split) - 12)
        yield "base64 in keywords", split
        for kind in (b"prVt", b"prVT", b"sPLT", b"hIST", b"dSIG", b"gAMA", b"pCAL"):
            yield kind.decode(), _chunk(host, kind, self.jpeg)
        yield "sPLT rows", _chunk(host, b"sPLT", b"name\0\x08" + self.rgb)
        again = _chunk(_chunk(host, b"eXIf", self.exif()), b"eXIf", self.jpeg)
        yield "second EXIF", again
        yield "behind the end", host + self.jpeg

    def webps(self, lossless: bool) -> Places:
        file = io.BytesIO()
        Image.fromarray(self.host).save(file, "WEBP", lossless=lossless)
        host = file.getvalue()

        def extended(kind: bytes, payload: bytes, flag: int) -> bytes:
            image = _even(host[12:16], host[20 : 20 + _length(host)])
            canvas = struct.pack("<B3x", flag) + b"\x27\0\0\x1d\0\0"
            parts = [_even(b"VP8X", canvas)]
            parts += (
                [_even(kind, payload), image]
                if kind == b"ICCP"
                else [
                    image,
                    _even(kind, payload),
                ]
            )
            body = b"WEBP" + b"".join(parts)
            return b"RIFF" + struct.pack("<I", len(body)) + body

        for name, block in self.exif_places():
            yield f"EXIF {name}", extended(b"EXIF", block, 8)
        for name, profile in self.profiles():
            yield f"profile, {name}", extended(b"ICCP", profile, 32)
        yield "XMP", extended(b"XMP ", self.xmp(), 4)
        yield "unknown chunk", extended(b"prev", self.jpeg, 0)
        yield "behind the end", host + self.jpeg

    def tiffs(self) -> Places:
        def written(**metadata) -> bytes:
            raster = Raster(self.host, "TIFF", Metadata(**metadata))
            return encode(raster, "TIFF")

        for name, block in self.exif_places():
            structure = ("IFD1", "nothing", "SubIFD", "tag 330", "tag 37724")
            if not name.startswith((*structure, "tag 34665")):
                yield f"tag {name}", written(exif=block)
        for name, profile in self.profiles():
            yield f"profile, {name}", written(icc=profile)
        yield "XMP", written(xmp=self.xmp())
        layers = written(exif=self.exif(_entry(65001, ifd.UNDEFINED, self.jpeg)))
        tag = struct.pack("<HH", 65001, 7)
        yield "Photoshop layers", layers.replace(tag, struct.pack("<HH", 37724, 7))
        yield "nothing points to it", written() + self.jpeg

    def bmps(self) -> Places:
        for name, profile in self.profiles():
            raster = Raster(self.host, "BMP", Metadata(icc=profile))
            yield f"profile, {name}", encode(raster, "BMP")
        host = encode(Raster(self.host, "BMP"), "BMP")
        offset = struct.pack("<I", 54 + len(self.jpeg))
        yield "gap", host[:10] + offset + host[14:54] + self.jpeg + host[54:]
        yield "behind the end", host + self.jpeg

    def gifs(self) -> Places:
        file = io.BytesIO()
        Image.fromarray(self.host).quantize(16).save(file, "GIF")
        host = file.getvalue()
        at = host.rindex(b"\x3b")
        yield "comment", host[:at] + b"\x21\xfe" + _blocks(self.base64) + host[at:]
        name = b"\x21\xff\x0bXMP DataXMP"
        yield "XMP", host[:at] + name + _blocks(self.xmp()) + host[at:]
        plain = b"\x21\x01\x0c" + bytes(12)
        yield "plain text", host[:at] + plain + _blocks(self.base64) + host[at:]
        yield "behind the end", host + self.jpeg

    def pnms(self) -> Places:
        pixels = self.host.tobytes()
        yield "comment", b"P6 # %s\n40 30\n255\n" % self.base64 + pixels
        yield "behind the end", b"P6\n40 30\n255\n" + pixels + self.jpeg


def _entry(tag: int, kind: int, value: bytes) -> Entry:
    size = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
    return Entry(tag, kind, len(value) // size[kind], value)


def _directory(entries: list[tuple[int, int]]) -> bytes:
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return struct.pack("<H", len(entries)) + body + bytes(4)


def _with_tag(profile: bytes, name: bytes, value: bytes) -> bytes:
    """A profile with a tag more, or another value for one."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for at in range(132, 132 + 12 * count, 12):
        key, start, size = struct.unpack_from(">4sII", profile, at)
        tags[key] = profile[start : start + size]
    tags[name] = value
    at = 132 + 12 * len(tags)
    table = body = b""
    for key, content in tags.items():
        table += struct.pack(">4sII", key, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = at + len(body)
    head = struct.pack(">I", size) + profile[4:128] + struct.pack(">I", len(tags))
    return head + table + body


def _jpeg_part(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _segment(host: bytes, marker: int, payload: bytes) -> bytes:
    return host[:20] + _jpeg_part(marker, payload) + host[20:]


def _chunk(host: bytes, kind: bytes, payload: bytes, at: int = 33) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + payload))
    return (
        host[:at] + struct.pack(">I4s", len(payload), kind) + payload + crc + host[at:]
    )


def _length(webp: bytes) -> int:
    return int.from_bytes(webp[16:20], "little")


def _even(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)


def _blocks(payload: bytes) -> bytes:
    parts = [payload[at : at + 255] for at in range(0, len(payload), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
