"""Awkward TIFF files."""

import io
import struct
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from tests.cases.case import Case, refused
from tests.cases.jpeg import profile
from tests.cases.pictures import cutout, gray, mask, photo, saved, wide


def tiff(samples: np.ndarray, *, writer: dict | None = None, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **(writer or {}), **options)
    return file.getvalue()


def pages(*samples: np.ndarray, kinds: tuple[int, ...] = ()) -> bytes:
    """A directory for each; of a subfile type where one is given."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for number, one in enumerate(samples):
            kind = kinds[number] if kinds else 0
            writer.write(one, metadata=None, subfiletype=kind, photometric=_photo(one))
    return file.getvalue()


def _photo(samples: np.ndarray) -> str:
    return "rgb" if samples.ndim == 3 else "minisblack"


def with_value(data: bytes, tag: int, value: int) -> bytes:
    """Change a short value of the first directory of a little-endian file."""
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    changed = bytearray(data)
    for place in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place)[0] == tag:
            struct.pack_into("<H", changed, place + 8, value)
            return bytes(changed)
    raise KeyError(tag)


def cases() -> Iterator[Case]:
    """All of them."""

    def exact(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"tif/{name}.tif", kind, data, "exact", **options)

    def kept(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"tif/{name}.tif", kind, data, "file", **options)

    yield exact("gray8", "gray, 8 bits", tiff(gray()))
    yield exact("gray16", "gray, 16 bits", tiff(wide(gray())))
    yield exact("rgb8", "RGB as Pillow writes it", saved(photo(), "TIFF"))
    yield exact("rgb16", "RGB, 16 bits", tiff(wide(photo())))
    alpha = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    yield exact("rgba8", "cutout", tiff(cutout(), **alpha))
    for name in ("deflate", "lzw", "packbits", "zstd"):
        data = tiff(photo(), compression=name)
        yield exact(name, f"{name} compression", data)
    data = tiff(photo(), compression="deflate", predictor=True)
    yield exact("predictor", "deflate with a predictor", data)
    yield exact("jpeg", "JPEG inside", saved(photo(), "TIFF", compression="jpeg"))
    yield exact("tiled", "tiles", tiff(photo(), tile=(32, 32)))
    planes = np.moveaxis(photo(), 2, 0).copy()
    data = tiff(planes, photometric="rgb", planarconfig="separate")
    yield exact("planar", "a plane each for red, green, blue", data)
    yield exact("big_endian", "big-endian", tiff(photo(), writer={"byteorder": ">"}))
    yield exact("big", "BigTIFF", tiff(photo(), writer={"bigtiff": True}))
    yield exact("strips", "many strips", tiff(photo(), rowsperstrip=3))
    yield exact("described", "a description", tiff(photo(), description="A hill"))
    yield exact("profile", "colour profile", tiff(photo(), iccprofile=profile()))
    yield exact("density", "300 dots an inch", tiff(photo(), resolution=(300, 300)))
    scale = (33550, "d", 3, (10.0, 10.0, 0.0), True)
    corner = (33922, "d", 6, (0.0, 0.0, 0.0, 440720.0, 3751320.0, 0.0), True)
    keys = (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1), True)
    data = tiff(photo(), extratags=[scale, corner, keys])
    yield exact("geo", "where on earth (GeoTIFF)", data)
    turned = (274, "H", 1, 6, True)
    yield exact("turned", "orientation 6", tiff(photo(), extratags=[turned]))
    yield exact("exif", "EXIF", _with_exif())
    yield exact("trailing", "bytes behind it", tiff(photo()) + bytes(100))

    yield kept("white8", "zero is white", tiff(gray(), photometric="miniswhite"))
    data = tiff(wide(gray()), photometric="miniswhite")
    yield kept("white16", "zero is white, 16 bits", data)
    bits = Image.fromarray(gray()).convert("1")
    yield kept("bits1", "one bit", saved(bits, "TIFF"))
    data = saved(bits, "TIFF", tiffinfo={262: 0}, compression="group4")
    yield Case("tif/fax.tif", "a fax (group 4)", data, "either", "compression|group")
    coloured = Image.fromarray(photo()).quantize(200)
    yield kept("palette", "palette", saved(coloured, "TIFF"))
    colours = np.random.default_rng(3).integers(0, 2**16, (3, 256), np.uint16)
    data = tiff(mask(), photometric="palette", colormap=colours)
    yield kept("palette_mask", "a palette whose indices are the data", data)

    yield from _refused()


def _with_exif() -> bytes:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[271] = "A maker"
    return saved(photo(), "TIFF", tiffinfo=info)


def _refused() -> Iterator[Case]:
    def no(name: str, kind: str, data: bytes, says: str) -> Case:
        return refused(f"tif/{name}.tif", kind, data, says)

    stack = np.stack([gray() for _ in range(3)])
    file = io.BytesIO()
    tifffile.imwrite(file, stack, imagej=True, metadata={"axes": "ZYX"})
    yield no("imagej", "planes (ImageJ)", file.getvalue(), "planes|pages")
    data = tiff(stack[0], description="ImageJ=1.53\nimages=3\nslices=3\n")
    data += stack[1:].tobytes()
    yield no("imagej_one", "three planes, one directory", data, "planes")
    bands = np.dstack([photo(), gray()])
    data = tiff(bands, photometric="rgb", extrasamples=["unspecified"])
    yield no("nir", "a fourth band that isn't alpha", data, "alpha|band")
    data = tiff(
        np.dstack([gray(), gray()]),
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["unspecified"],
    )
    yield no("two_bands", "a second band that isn't alpha", data, "alpha|band")
    bands = np.dstack([photo(), gray(), gray()])
    data = tiff(bands, photometric="rgb", extrasamples=["unspecified"] * 2)
    yield no("five_bands", "five bands", data, "band|channel|sample")
    yield no("pages", "three pages", pages(*stack), "pages")
    image = photo()
    data = pages(image, image[::2, ::2].copy(), kinds=(0, 1))
    yield no("overview", "an overview", data, "reduced")
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(image, metadata=None, photometric="rgb")
        bits = gray() > 110
        writer.write(bits, metadata=None, photometric="mask", subfiletype=4)
    yield no("mask", "a mask", file.getvalue(), "mask|pages|directories")
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(image, metadata=None, photometric="rgb", subifds=1)
        small = image[::2, ::2].copy()
        writer.write(small, metadata=None, photometric="rgb", subfiletype=1)
    yield no("subifd", "a picture in a SubIFD", file.getvalue(), "SubIFD")
    data = tiff(gray().astype(np.float32) / 255)
    yield no("float", "floating point", data, "float")
    yield no("signed", "signed numbers", tiff(gray().astype(np.int16)), "signed")
    yield no("wide32", "32 bits", tiff(wide(gray()).astype(np.uint32)), "32")
    cmyk = saved(Image.fromarray(photo()).convert("CMYK"), "TIFF")
    yield no("cmyk", "CMYK", cmyk, "CMYK|separated|photometric")
    lab = with_value(tiff(photo()), 262, 8)
    yield no("lab", "CIELab", lab, "Lab|photometric|colour")
    data = tiff(photo())
    cut = data[: len(data) * 2 // 3]
    yield no("truncated", "cut off", cut, "cut|truncated|damaged|outside|decoded")
