import numpy as np
import pytest

from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("channels", "colour_channels", "has_alpha"),
    [(1, 1, False), (2, 1, True), (3, 3, False), (4, 3, True)],
)
@pytest.mark.parametrize(("dtype", "depth"), [(np.uint8, 8), (np.uint16, 16)])
def test_properties_follow_the_samples(
    channels, colour_channels, has_alpha, dtype, depth
):
    raster = Raster(np.zeros((5, 7, channels), dtype), "PNG")
    assert (raster.height, raster.width, raster.channels) == (5, 7, channels)
    assert raster.colour_channels == colour_channels
    assert raster.has_alpha is has_alpha
    assert (raster.depth, raster.peak) == (depth, 2**depth - 1)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((5, 7), np.uint8),
        np.zeros((5, 7, 5), np.uint8),
        np.zeros((0, 7, 3), np.uint8),
        np.zeros((5, 7, 3), np.int16),
        np.zeros((5, 7, 3), np.float32),
        np.zeros((5, 7, 3), np.dtype(np.uint16).newbyteorder()),
        np.zeros((5, 7, 3), np.uint8)[:, ::2],
    ],
)
def test_other_arrays_are_refused(samples):
    with pytest.raises(ValueError, match="samples must be"):
        Raster(samples, "PNG")


def test_with_samples_keeps_the_rest():
    raster = Raster(np.zeros((5, 7, 3), np.uint8), "TIFF", Metadata(icc=b"p"))
    other = raster.with_samples(np.ones((5, 14, 3), np.uint8)[:, ::2])
    assert other.format == "TIFF"
    assert other.metadata == raster.metadata
    assert other.samples.min() == 1
