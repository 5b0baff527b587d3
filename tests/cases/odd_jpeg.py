"""JPEG files as few programs write them, and what people and phones hide in them."""

import functools
import struct
from collections.abc import Iterator

import imagecodecs
import numpy as np
from PIL import Image

from tests.cases import jpeg as usual
from tests.cases.case import Case, refused
from tests.cases.jpeg import in_pieces, jpeg, large_profile, with_segment, without_jfif
from tests.cases.pictures import noise, photo, saved, thumbnail
from tests.media.jpeg_coefficients.encoded import cjpeg, opencv

SOF0, DHT, SOI, EOI, SOS, DQT, DNL, DRI, DHP, COM = (
    *(0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xFE),
)
APP0 = 0xE0
LONGEST = 65533


def segment(marker: int, payload: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def placed(data: bytes, marker: int) -> int:
    """Where the first segment of a kind begins."""
    at = 2
    while data[at + 1] != marker:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def before(data: bytes, marker: int, more: bytes) -> bytes:
    """More bytes in front of the first segment of a kind."""
    at = placed(data, marker)
    return data[:at] + more + data[at:]


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def coded(data: bytes) -> bytes:
    """A JPEG's coded samples: what shows its picture, and is nowhere else."""
    return data[placed(data, SOS) + 14 : -2]


def adobe(payload: bytes, data: bytes) -> bytes:
    return with_segment(data, 0xEE, payload)


def cmyk() -> bytes:
    return jpeg(Image.fromarray(photo()).convert("CMYK"))


def without(data: bytes, marker: int) -> bytes:
    at = placed(data, marker)
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def kept(name: str, kind: str, data: bytes, *private: bytes, **options: bool) -> Case:
    return Case(f"jpg/{name}.jpg", kind, data, "file", private=private, **options)


def not_taken(name: str, kind: str, data: bytes, says: str) -> Case:
    return refused(f"jpg/{name}.jpg", kind, data, says)


def processes() -> Iterator[Case]:
    """Other ways of coding."""
    wide = usual.photo().astype(np.uint16) << 4
    twelve = imagecodecs.jpeg_encode(wide, level=90, bitspersample=12)
    yield not_taken("real_12", "12 bits, truly", twelve, "12.bit")
    lossless = imagecodecs.jpeg_encode(photo(), lossless=True)
    yield not_taken("real_lossless", "lossless, truly", lossless, "lossless")
    lossless = imagecodecs.ljpeg_encode(wide[..., 0], bitspersample=12)
    yield not_taken("ljpeg", "lossless, 12 bits", lossless, "lossless")
    yield not_taken("jpegls", "JPEG-LS", imagecodecs.jpegls_encode(photo()), "JPEG-LS")
    for name, options in (
        ("arithmetic_real", ("-arithmetic",)),
        ("arithmetic_progressive", ("-arithmetic", "-progressive")),
    ):
        data = cjpeg(photo(), *options)
        if data is not None:
            yield not_taken(name, " ".join(options), data, "arithmetic")
    data = jpeg(photo())
    frame = placed(data, SOF0)
    header = data[frame + 2 : frame + 19]
    differential = changed(data, frame + 1, b"\xc5")
    both = differential[:frame] + b"\xff\xde" + header + differential[frame:]
    yield not_taken("hierarchical", "hierarchical", both, "hierarchical|damaged")
    alone = data[:frame] + b"\xff\xde" + header + data[frame:]
    yield not_taken("dhp", "a hierarchy's header alone", alone, "hierarchical")
    extended = changed(data, frame + 1, b"\xc1")
    yield kept("extended", "extended, 8 bits", extended)
    steps = cjpeg(photo(), "-quality", "2")
    if steps is not None:
        yield not_taken("steps_16", "steps of 16 bits", steps, "no room")
    at = placed(data, DQT)
    eight = data[at + 5 : at + 69]
    sixteen = segment(DQT, b"\x10" + b"".join(bytes((0, one)) for one in eight))
    wider = data[:at] + sixteen + data[at + 69 :]
    yield kept("steps_wide", "small steps in 16 bits", wider)
    flat = data[:at] + segment(DQT, b"\x00" + bytes(64)) + data[at + 69 :]
    yield not_taken("steps_0", "steps of 0", flat, "step of 0|quantisation")


def frames() -> Iterator[Case]:
    """Odd frames: sides, components, samplings."""
    data = jpeg(photo())
    frame = placed(data, SOF0)
    height = data[frame + 5 : frame + 7]
    later = changed(data, frame + 5, b"\0\0")[:-2] + segment(DNL, height) + data[-2:]
    yield not_taken("dnl", "its height behind its picture", later, "height")
    again = data[:-2] + segment(DNL, height) + data[-2:]
    yield kept("dnl_again", "its height once more", again)
    other = data[:-2] + segment(DNL, b"\0\7") + data[-2:]
    yield not_taken("dnl_other", "another height", other, "two heights")
    yield not_taken("no_width", "no width", changed(data, frame + 7, b"\0\0"), "0 x 80")
    for count in (2, 5):
        more = data[:frame] + segment(
            SOF0,
            b"\x08"
            + data[frame + 5 : frame + 9]
            + bytes((count,))
            + bytes((1, 17, 0)) * count,
        )
        more += data[frame + 19 :]
        yield not_taken(
            f"components_{count}", f"{count} components", more, "channel|component"
        )
    wide = saved(Image.fromarray(photo()).resize((9000, 16)), "JPEG", quality=60)
    yield kept("wide", "9000 x 16 pixels", wide, traced=False)
    tiny = jpeg(photo()[:8, :8])
    yield Case(
        "jpg/tiny.jpg", "8 x 8 pixels", tiny, "either", "few|pixels", traced=False
    )
    gray = jpeg(usual.gray())
    sampled = changed(gray, placed(gray, SOF0) + 11, b"\x22")
    yield kept("gray_2x2", "one channel, sampled 2 x 2", sampled)
    for name in ("1x1,2x2,1x1", "4x1", "1x4", "3x1", "2x2,1x2,1x1"):
        made = cjpeg(photo(), "-quality", "85", "-sample", name)
        if made is not None:
            yield kept(f"sampled_{name.replace(',', '_')}", f"sampled {name}", made)
    yield kept("sampled_440", "chroma 4:4:0", opencv(photo(), 1, 90, 7, 0x121111))
    many = changed(data, frame + 11, b"\x44")
    yield not_taken("sampled_4x4", "units of too many blocks", many, "units|damaged")
    ids = data
    for number, place in enumerate((frame + 10, frame + 13, frame + 16)):
        ids = changed(ids, place, bytes((number,)))
    scan = placed(data, SOS)
    for number, place in enumerate((scan + 5, scan + 7, scan + 9)):
        ids = changed(ids, place, bytes((number,)))
    yield kept("ids_0", "components 0, 1, 2", ids)
    same = changed(data, frame + 13, b"\x01")
    yield not_taken(
        "ids_same", "two components of one number", same, "component|damaged"
    )
    twice = before(data, SOS, data[frame : frame + 19])
    yield not_taken("two_frames", "two frames", twice, "two frames|damaged")


def bare() -> bytes:
    """With no word on colours."""
    return without_jfif(jpeg(photo()))


def colours() -> Iterator[Case]:
    """Adobe's and JFIF's segments, and what contradicts them."""
    for transform in (0, 1, 2, 7):
        payload = b"Adobe\0\x64\0\0\0\0" + bytes((transform,))
        yield kept(
            f"adobe_{transform}", f"Adobe says {transform}", adobe(payload, bare())
        )
    both = adobe(b"Adobe\0\x64\0\0\0\0\0", jpeg(photo()))
    yield kept("adobe_jfif", "JFIF, and Adobe says RGB", both)
    yield kept("adobe_short", "Adobe, cut short", adobe(b"Adobe\0\x64\0\0\0", bare()))
    secret = noise(40)
    long = adobe(b"Adobe\0\x64\0\0\0\0\1" + secret, bare())
    yield kept("adobe_long", "Adobe, with more behind", long, secret)
    two = adobe(b"Adobe\0\x64\0\0\0\0\0", adobe(b"Adobe\0\x64\0\0\0\0\1", bare()))
    yield kept("adobe_two", "two of Adobe that differ", two)
    late = segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
    data = bare()
    yield kept("adobe_late", "Adobe behind the scan", data[:-2] + late + data[-2:])
    data = jpeg(photo(), progressive=True)
    at = data.index(b"\xff\xda", placed(data, SOS) + 2)
    turned = segment(APP0 + 1, usual.exif([(274, 3, 1, b"\0\6\0\0")], bytes(4)))
    profile = segment(APP0 + 2, b"ICC_PROFILE\0\1\1" + usual.profile())
    data = data[:at] + turned + profile + late + data[at:]
    yield kept("metadata_late", "EXIF, profile and Adobe between scans", data)
    yield kept("cmyk_bare", "CMYK without Adobe", without(cmyk(), 0xEE))
    data = cmyk()
    at = placed(data, 0xEE) + 15
    yield kept("ycck_1", "four components, Adobe says 1", changed(data, at, b"\1"))
    yield kept(
        "jfif_short", "JFIF, cut short", with_segment(bare(), APP0, b"JFIF\0\1\1")
    )
    secret = noise(64)
    long = with_segment(bare(), APP0, b"JFIF\0\1\1\0\0\1\0\1\0\0" + secret)
    yield kept("jfif_long", "JFIF, with more behind", long, secret)


def segments() -> Iterator[Case]:
    """Between, around and within segments."""
    data = jpeg(photo())
    end = data[:-2]
    yield not_taken("no_eoi", "no end mark", end, "cut")
    yield kept("eoi_twice", "the end mark twice", data + b"\xff\xd9")
    for name, junk in (
        ("zero", bytes(7)),
        ("text", b"by hand"),
        ("noise", b"\x12\x80" * 30),
    ):
        secret = (junk,) if len(junk) > 16 else ()
        yield kept(
            f"between_{name}",
            "bytes between segments",
            before(data, DQT, junk),
            *secret,
        )
        behind = end + junk + b"\xff\xd9"
        yield kept(f"behind_{name}", "bytes behind the samples", behind, *secret)
    yield kept(
        "fill_all",
        "fill bytes everywhere",
        before(before(data, SOS, b"\xff" * 9), SOF0, b"\xff"),
    )
    yield kept("fill_end", "fill bytes before the end", end + b"\xff\xff\xff\xd9")
    restarts = jpeg(photo(), restart_marker_blocks=4)
    at = restarts.index(b"\xff\xd0", placed(restarts, SOS))
    filled = restarts[:at] + b"\xff" + restarts[at:]
    yield kept("fill_restart", "fill byte before a restart", filled)
    lost = restarts[:at] + restarts[at + 2 :]
    yield not_taken(
        "restart_lost", "a restart marker is missing", lost, "restart|damaged|cut"
    )
    other = changed(restarts, at + 1, b"\xd3")
    yield not_taken(
        "restart_other", "another restart marker", other, "restart|damaged|cut"
    )
    for name, marker in (
        ("com", COM),
        ("app13", 0xED),
        ("app1", 0xE1),
        ("dht", DHT),
        ("dqt", DQT),
    ):
        empty = before(data, SOF0, segment(marker))
        yield kept(f"empty_{name}", f"an empty segment ({name})", empty)
    for length in (0, 1):
        short = before(data, SOF0, b"\xff\xfe" + struct.pack(">H", length))
        yield not_taken(
            f"length_{length}", f"a segment of length {length}", short, "damaged|cut"
        )
    no_interval = before(data, SOS, segment(DRI, b"\0\0"))
    yield kept("restart_0", "a restart interval of 0", no_interval)
    never = before(data, SOS, segment(DRI, b"\xff\xff"))
    yield kept("restart_never", "a restart interval longer than all", never)
    jpgn = before(data, SOF0, segment(0xF3, noise(30)))
    yield Case(
        "jpg/jpg3.jpg", "a segment of JPEG's extensions", jpgn, "either", "0xF3|damaged"
    )
    reserved = before(data, SOF0, segment(0x7E, noise(30)))
    yield Case(
        "jpg/reserved.jpg", "a reserved segment", reserved, "either", "0x7E|damaged"
    )
    dac = before(data, SOS, segment(0xCC, b"\x00\x10"))
    yield kept("dac", "arithmetic conditions beside Huffman tables", dac)
    late = noise(300)
    moved = before(data, SOS, segment(COM, late) + segment(0xE1, b"Exif\0\0" + late))
    yield kept("late", "a comment and EXIF before the scan", moved, late)
    scans = jpeg(photo(), progressive=True)
    at = scans.index(b"\xff\xda", placed(scans, SOS) + 20)
    note = noise(200)
    among = scans[:at] + segment(COM, note) + scans[at:]
    yield kept("among", "a comment between scans", among, note)
    no_tables = data
    while b"\xff\xc4" in no_tables[: placed(no_tables, SOS)]:
        no_tables = without(no_tables, DHT)
    yield Case(
        "jpg/no_dht.jpg",
        "no Huffman tables (MJPEG)",
        no_tables,
        "either",
        "Huffman|damaged",
    )
    tables = before(
        data, SOS, segment(DHT, b"\x03" + bytes((0, 1)) + bytes(14) + b"\x05")
    )
    yield kept("dht_unused", "a table that nothing uses", tables)
    padded = jpeg(photo(), restart_marker_blocks=1)
    yield kept("restart_1", "a restart marker a unit", padded)
    flipped = changed(data, len(data) - 3, bytes((data[-3] & 0xFE,)))
    yield Case(
        "jpg/padding.jpg",
        "other bits fill the last byte",
        flipped,
        "either",
        "damaged|cut",
    )
    wrong = placed(data, SOS) + 200
    spoiled = (
        data[:wrong]
        + bytes(b ^ 0x55 for b in data[wrong : wrong + 40])
        + data[wrong + 40 :]
    )
    yield Case("jpg/spoiled.jpg", "spoiled samples", spoiled, "either", "damaged|cut")
    missing = scans[: scans.rindex(b"\xff\xda")] + b"\xff\xd9"
    yield not_taken("scan_missing", "the last scan is missing", missing, "scan|cut")
    doubled = scans[:-2] + scans[scans.rindex(b"\xff\xda") :]
    yield Case(
        "jpg/scan_twice.jpg",
        "the last scan twice",
        doubled,
        "either",
        "scan|order|damaged",
    )
    yield not_taken(
        "soi_twice", "two start marks", b"\xff\xd8" + data, "damaged|mark|image|begin"
    )
    yield not_taken(
        "junk_first",
        "bytes before the start",
        b"\0" + data,
        "image|format|known|recogn",
    )


def scans() -> Iterator[Case]:
    """Scans that hold components one by one."""
    for name, script in (("apart", "0;1;2;"), ("two", "0; 1 2;"), ("turned", "2;0;1;")):
        data = _with_script(script)
        if data is not None:
            yield kept(f"scans_{name}", f"scans {script}", data)


def _with_script(script: str) -> bytes | None:
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(script)
        file.flush()
        return cjpeg(photo(), "-quality", "85", "-scans", file.name)


def private() -> Iterator[Case]:
    """What shows the original, or more, in places that phones and editors know."""
    for name, size in (("60k", 60_000), ("300k", 300_000), ("2m", 2_000_000)):
        film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + noise(size)
        yield kept(
            f"motion_{name}", f"a film of {size} bytes", jpeg(photo()) + film, film
        )
    secret = noise(LONGEST)
    yield kept(
        "com_longest",
        "the longest comment",
        with_segment(jpeg(photo()), COM, secret),
        secret,
    )
    data = jpeg(photo())
    for number in range(6):
        data = with_segment(data, 0xE4 + number, noise(LONGEST - number))
    yield kept(
        "apps_longest",
        "six of the longest segments",
        data,
        noise(LONGEST),
        noise(LONGEST - 5),
    )
    body = noise(LONGEST - 6 - 8)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + body
    yield kept(
        "exif_longest",
        "the longest EXIF block",
        with_segment(jpeg(photo()), 0xE1, exif),
        body,
    )
    pieces = in_pieces(large_profile(200_000))
    for name, order in (("turned", pieces[::-1]), ("doubled", [*pieces, pieces[0]])):
        data = jpeg(photo())
        for piece in reversed(order):
            data = with_segment(data, 0xE2, piece)
        yield kept(
            f"icc_{name}", f"colour profile's pieces {name}", data, noise(200_000)
        )
    icc = usual.profile()
    tiny = [b"ICC_PROFILE\0" + bytes((n + 1, 255)) + icc[n::255] for n in range(255)]
    data = jpeg(photo())
    for piece in reversed(tiny):
        data = with_segment(data, 0xE2, piece)
    yield kept("icc_255", "a profile in 255 pieces that is none", data)

    yield gain_map()
    image = photo()
    inner = thumbnail(image)
    blocks = b"8BIM" + struct.pack(">HHI", 1036, 0, 28 + len(inner))
    blocks += struct.pack(">IIIIIIHH", 1, 48, 40, 144, 5760, len(inner), 24, 1) + inner
    shop = b"Photoshop 3.0\0" + blocks + b"\0" * (len(inner) % 2)
    yield kept(
        "photoshop_thumb",
        "thumbnail of Photoshop",
        with_segment(jpeg(image), 0xED, shop),
        coded(inner),
    )
    image = photo()
    inner = thumbnail(image)
    depth = inner
    packet = usual.xmp(depth)
    name = b"0123456789ABCDEF" * 2
    data = jpeg(image)
    parts = [packet[at : at + 700] for at in range(0, len(packet), 700)]
    for number, part in reversed(list(enumerate(parts))):
        more = b"http://ns.adobe.com/xmp/extension/\0" + name
        more += struct.pack(">II", len(packet), 700 * number) + part
        data = with_segment(data, 0xE1, more)
    yield kept(
        "xmp_pieces",
        "extended XMP in pieces, a depth map in it",
        data,
        packet[300:1200],
    )
    image = photo()
    inner = thumbnail(image)
    for name, marker, start in (
        ("jumbf", 0xEB, b"JP\0\1\0\0\0\1"),
        ("fpxr", 0xE2, b"FPXR\0\0\2"),
        ("mpf", 0xE2, b"MPF\0"),
        ("ciff", 0xE0, b"II\x1a\0\0\0HEAPJPGM"),
        ("ocad", 0xE0, b"Ocad$Rev: 14797 $"),
        ("meta", 0xE3, b"Meta\0\0"),
        ("ducky", 0xEC, b"Ducky\0"),
        ("spiff", 0xE8, b"SPIFF\0"),
        ("graphic", 0xEA, b"PIC\0"),
        ("sony", 0xE5, b"RMETA\0"),
        ("ours", 0xE9, b"reUX\0"),
        ("adobe_cm", 0xED, b"Adobe_CM"),
    ):
        data = with_segment(jpeg(image), marker, start + inner)
        yield kept(f"in_{name}", f"thumbnail in {name}", data, coded(inner))
    image = photo()
    samsung = (
        jpeg(image) + b"\0\0\x01\x0aImage_UTC_Data" + noise(4000) + b"SEFHe\0\0\0SEFT"
    )
    yield kept("samsung", "Samsung's trailer", samsung, noise(4000))
    first, second, third = (Image.fromarray(photo()) for _ in range(3))
    mpo = saved(first, "MPO", save_all=True, append_images=[second, third])
    starts = [at for at in range(len(mpo)) if mpo.startswith(b"\xff\xd8\xff", at)]
    yield kept(
        "mpo_3",
        "three pictures (MPO)",
        mpo,
        coded(mpo[starts[1] : starts[2]]),
        coded(mpo[starts[2] :]),
    )
    image = photo()
    prepared = usual.exif_with_preview(thumbnail(image), [(259, 6)])
    twice = with_segment(with_segment(jpeg(image), 0xE1, prepared), 0xE1, prepared)
    yield kept(
        "exif_twice",
        "EXIF twice, each with a thumbnail",
        twice,
        coded(thumbnail(image)),
    )
    image = photo()
    whole = jpeg(image, quality=97)
    parts = [whole[at : at + 1500] for at in range(0, len(whole), 1500)]
    data = jpeg(image)
    for part in reversed(parts):
        data = with_segment(data, COM, part)
    yield kept("com_pieces", "itself in comments", data, whole[700:1500])


def gain_map() -> Case:
    """As Android's cameras write it: the map behind it, named in XMP and an index."""
    image = photo()
    small = thumbnail(255 - image)
    note = (
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "
        b"xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
        b"xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' hdrgm:Version='1.0' "
        b"xmlns:Container='http://ns.google.com/photos/1.0/container/'/></rdf:RDF>"
        b"</x:xmpmeta>"
    )
    index = b"MPF\0MM\0*\0\0\0\x08\0\1\xb0\1\0\4\0\0\0\1\0\0\0\2\0\0\0\0"
    data = with_segment(with_segment(jpeg(image), 0xE2, index), 0xE1, note) + small
    return kept("gain_map", "Ultra HDR's gain map", data, coded(small), note[40:200])


@functools.cache
def cases() -> tuple[Case, ...]:
    """All of them."""
    groups = (processes, frames, colours, segments, scans, private)
    return tuple(case for group in groups for case in group())
