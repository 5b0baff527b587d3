import struct

import numpy as np
import pytest
from PIL import ImageCms

from fiftyone_reue.media.displayed import largest_shown
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit


def shown(metadata: Metadata, channels: int = 3) -> int:
    return largest_shown(
        Raster(np.zeros((2, 2, channels), np.uint8), "PNG", metadata), 8
    )


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100000))


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def test_ordinary_images_show_what_is_stored() -> None:
    assert shown(Metadata()) == 8
    assert shown(Metadata(chunks=(gamma(0.45455),))) == 8
    assert shown(Metadata(icc=profile("sRGB"))) == 8
    assert shown(Metadata(icc=b"no profile")) == 8
    assert shown(Metadata(chunks=((b"gAMA", b"?"),))) == 8
    assert shown(Metadata(chunks=(gamma(0),))) == 8


def test_linear_samples_show_more_in_the_dark() -> None:
    """8 of 255 of the light is 53 of 255 on the screen."""
    assert shown(Metadata(chunks=(gamma(1.0),))) == 53
    assert shown(Metadata(chunks=((b"cICP", bytes([9, 8, 0, 1])),))) == 53
    assert shown(Metadata(chunks=(gamma(1.0),)), channels=1) == 53


def test_what_says_more_is_believed_first() -> None:
    assert shown(Metadata(chunks=(gamma(1.0), (b"sRGB", b"\0")))) == 8
    assert shown(Metadata(chunks=(gamma(1.0), (b"cICP", bytes([1, 13, 0, 1]))))) == 8
    assert shown(Metadata(icc=profile("sRGB"), chunks=(gamma(1.0),))) == 8
