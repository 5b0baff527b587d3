"""What other libraries in the process have set, and what they write."""

import contextlib
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import GifImagePlugin, Image, ImageFile

from fiftyone_reue.errors import ReueError, UnreadableImageError
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Raster
from tests.media.hiding import Hidden
from tests.media.test_png import assemble, chunk, interlaced

pytestmark = pytest.mark.unit


@pytest.fixture
def strange_process(monkeypatch):
    """A process in which others have changed all that can be changed."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    strategy = GifImagePlugin.LoadingStrategy.RGB_ALWAYS
    monkeypatch.setattr(GifImagePlugin, "LOADING_STRATEGY", strategy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_files_are_read_as_ever(own_files, foreign_files, request):
    files = own_files | foreign_files
    before = {name: load(data) for name, data in files.items()}
    request.getfixturevalue("strange_process")
    for name, data in files.items():
        after = load(data)
        assert np.array_equal(after.raster.samples, before[name].raster.samples), name
        assert after.raster.metadata == before[name].raster.metadata, name
        assert after.left_out == before[name].left_out, name


def test_cut_files_are_refused_as_ever(foreign_files, strange_process):
    for name, data in foreign_files.items():
        for share in (0.5, 0.8, 0.95):
            with pytest.raises(UnreadableImageError):
                load(data[: int(len(data) * share)], name=name)


def test_hidden_places_are_read_without_a_warning(photos, request):
    hidden = Hidden(photos["coffee"])
    places = [*hidden.jpegs(), *hidden.gifs(), *hidden.bmps(), *hidden.tiffs()]
    request.getfixturevalue("strange_process")
    for name, data in places:
        load(data, name=name)


def test_nothing_is_written_on_standard_error(own_files, foreign_files, rgb, capfd):
    for data in (*own_files.values(), *foreign_files.values(), interlaced(rgb)):
        load(data)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_nor_for_damaged_files(own_files, foreign_files, rgb, capfd, data):
    files = own_files | foreign_files | {"png-interlaced": interlaced(rgb)}
    edited = bytearray(files[data.draw(st.sampled_from(sorted(files)))])
    places = st.tuples(st.integers(0, len(edited) - 1), st.integers(0, 255))
    for at, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        edited[at] = value
    with contextlib.suppress(ReueError):
        load(bytes(edited), max_pixels=100_000)
    assert capfd.readouterr().err == ""


def test_nor_for_rows_that_end_wrongly(rgb, capfd):
    """libpng warns of a wrong checksum and of more rows than there are."""
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    longer = assemble(31, 23, 8, 2, rows + bytes(500))
    assert np.array_equal(load(longer).raster.samples, rgb)
    packed = zlib.compress(rows)
    whole = encode(Raster(rgb, "PNG"), "PNG")
    wrong = whole[:33] + chunk(b"IDAT", packed[:-4] + bytes(4)) + whole[-12:]
    assert np.array_equal(load(wrong).raster.samples, rgb)
    assert capfd.readouterr().err == ""
