"""What is taken off comes off exactly, or not at all."""

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import (
    EditedImageError,
    InputError,
    ReueError,
    UnsupportedImageError,
)
from fiftyone_reue.media.codec import encode, load, suffix
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.media.original import Rebuilt
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.originals import Originals
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.watermark import codes, embed, patterns
from fiftyone_reue.workflows.protect_image import (
    FOUND_RANGE,
    NOTHING_ADDED,
    Look,
    Protected,
    Secrets,
    protect_image,
)
from fiftyone_reue.workflows.restore import restore_licensed_image

pytestmark = pytest.mark.unit

CLASSES = ("cat", "dog")

# What each format that can be written holds: channel counts and bits.
HOLDS = {
    "PNG": ((1, 2, 3, 4), (8, 16)),
    "TIFF": ((1, 2, 3, 4), (8, 16)),
    "WEBP": ((3, 4), (8,)),
    "BMP": ((1, 3, 4), (8,)),
}
CARRIERS = [(f, c, b) for f, (cs, bs) in HOLDS.items() for c in cs for b in bs]


@dataclass(frozen=True)
class House:
    """A vault with two recipients, and a folder to work in."""

    vault: Vault
    folder: Path

    def secrets(self, who: str, release: str = "0" * 16) -> Secrets:
        """The keys of a release whose seed follows from its id."""
        seed = release.encode() * 2
        return Secrets.of(self.vault, self.vault.recipient(who), release, seed)

    def protect(
        self,
        data: bytes,
        *,
        who: str = "alice",
        method: str = "lsp",
        epsilon: int = 8,
        release: str = "0" * 16,
        name: str = "cat/a",
        depth: int | None = None,
    ) -> Protected:
        """Protect a file's bytes as class "cat"."""
        path = self.folder / "original"
        path.write_bytes(data)
        config = ProtectConfig(method, epsilon)
        item = Item(name, str(path), "cat", "cat/a")
        secrets = self.secrets(who, release)
        seen = Look(config.max_pixels, depth)(item)
        return protect_image(
            item,
            secrets.own(seen),
            secrets.boxes,
            _release(release, config),
            create_method(method),
            _state(method, config.perturbation_amplitude),
            depth=depth,
        )

    def licensed(self, data: bytes, who: str = "alice") -> bytes:
        """A recipient's restored file, or the error that there is."""
        path = self.folder / "protected"
        path.write_bytes(data)
        item = Item("cat/a", str(path), None, "cat/a")
        key = self.vault.recipient_key(self.vault.recipient(who))
        return restore_licensed_image(item, key, self.folder / "nowhere").data

    def original(self, data: bytes) -> np.ndarray:
        """The owner's restored samples, or the error that there is."""
        loaded = load(data)
        originals = Originals(self.vault)
        return originals.original(loaded.raster, loaded.record, "cat/a").samples

    def file(self, data: bytes) -> Rebuilt:
        """The owner's restored file."""
        loaded = load(data)
        originals = Originals(self.vault)
        return originals.file(loaded.raster, loaded.record, "cat/a")[1]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    vault = create_folder(folder / "vault", plain_key_file=True)
    with vault.ledger:
        vault.add_recipient("alice")
        vault.add_recipient("bob")
        yield House(vault, folder)


def _release(name: str, config: ProtectConfig) -> Release:
    return Release(
        id=name,
        name="release",
        recipient_id="",
        method=config.method,
        source="",
        output="",
        parameters={
            "epsilon": config.epsilon,
            "mark_amplitude": config.mark_amplitude,
        },
        state="running",
        fit_id=None,
        commitment="",
        created=time.time(),
        updated=time.time(),
        finished=None,
        counts={},
        scores={},
        sealed_seed=b"",
    )


def _state(method: str, amplitude: int) -> State:
    """A state without a fit: RUE's tables are drawn instead."""
    if method == "rue":
        draw = np.random.default_rng(amplitude)
        tables = draw.integers(-amplitude, amplitude + 1, (2, 2, 5, 7, 1))
        return State("rue", CLASSES, {"tables": tables.astype(np.int8)})
    nothing = FitData(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0, int), CLASSES)
    steps = create_method(method).fit(
        nothing, FitOptions(amplitude, seed=0, key=b"k" * 32)
    )
    return finish(steps)


def _samples(shape: tuple[int, int, int], bits: int, fill: str, seed: int):
    draw = np.random.default_rng(seed)
    dtype, peak = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    unit = peak // 255
    if fill == "zero":
        samples = np.zeros(shape, dtype)
        if shape[2] in (2, 4):
            samples[:, ::2, -1] = peak  # of what is wholly transparent nothing is made
        return samples
    if fill == "peak":
        return np.full(shape, peak, dtype)
    if fill == "board":
        rows, columns = np.indices(shape[:2])
        board = ((rows + columns) % 2 * peak).astype(dtype)
        return np.repeat(board[..., None], shape[2], axis=2)
    if fill == "rails":
        near = draw.integers(0, 40 * unit, shape)
        return np.where(draw.random(shape) < 0.5, near, peak - near).astype(dtype)
    return draw.integers(0, peak + 1, shape).astype(dtype)


SHAPES = st.one_of(
    st.tuples(st.integers(8, 40), st.integers(8, 40)),
    st.sampled_from([(8, 401), (333, 9), (8, 8), (65, 129)]),
)
FILLS = st.sampled_from(["zero", "peak", "board", "rails", "random"])


@pytest.mark.slow
@pytest.mark.parametrize(("format", "channels", "bits"), CARRIERS)
@settings(max_examples=30, deadline=None)
@given(
    shape=SHAPES,
    fill=FILLS,
    seed=st.integers(0, 2**32),
    method=st.sampled_from(["lsp", "rue"]),
    epsilon=st.integers(3, 32),
)
def test_both_tiers_come_back(
    house, format, channels, bits, shape, fill, seed, method, epsilon
):
    samples = _samples((*shape, channels), bits, fill, seed)
    data = encode(Raster(samples, format), format)
    depth = _said(samples)
    made = house.protect(data, method=method, epsilon=epsilon, depth=depth)

    protected = load(made.data)
    colours = protected.raster.colour_channels
    assert protected.raster.format == format
    assert made.record.output == "cat/a" + suffix(format)
    change = protected.raster.samples.astype(int) - samples
    assert np.abs(change).max() <= epsilon * _unit(samples)
    assert not change[..., colours:].any()

    licensed = load(house.licensed(made.data))
    assert sample_digest(licensed.raster.samples) == made.record.digest_w
    assert np.array_equal(
        licensed.raster.samples, _marked(house, made, samples, colours, epsilon)
    )
    assert np.array_equal(house.original(made.data), samples)
    assert np.array_equal(house.original(house.licensed(made.data)), samples)


@pytest.mark.slow
@pytest.mark.parametrize(("format", "channels", "bits"), CARRIERS)
@settings(max_examples=12, deadline=None)
@given(
    shape=st.tuples(st.integers(16, 40), st.integers(16, 40)),
    fill=FILLS,
    seed=st.integers(0, 2**32),
    way=st.sampled_from(["undo", "offset", "samples"]),
    epsilon=st.integers(3, 32),
)
def test_both_tiers_come_back_from_invertible_methods(
    house, toys, format, channels, bits, shape, fill, seed, way, epsilon
):
    samples = _samples((*shape, channels), bits, fill, seed)
    data = encode(Raster(samples, format), format)
    name = toys[way].info.name
    try:
        made = house.protect(data, method=name, epsilon=epsilon, depth=_said(samples))
    except UnsupportedImageError as error:
        # What a toy adds to white, and a small mark, may be cut off altogether.
        if fill in ("peak", "zero") and NOTHING_ADDED in str(error):
            return
        raise
    assert records.unpack(made.record.blob).header.version == 2

    protected = load(made.data)
    colours = protected.raster.colour_channels
    change = protected.raster.samples.astype(int) - samples
    assert not change[..., colours:].any()
    if way != "samples":
        assert np.abs(change).max() <= epsilon * _unit(samples)

    licensed = load(house.licensed(made.data))
    assert np.array_equal(
        licensed.raster.samples, _marked(house, made, samples, colours, epsilon)
    )
    assert np.array_equal(house.original(made.data), samples)
    assert np.array_equal(house.original(house.licensed(made.data)), samples)


def _marked(house, made, samples, colours, epsilon):
    """The licensed copy, made again with nothing kept from the first time."""
    for cached in (patterns.band, patterns._kept_cosines):
        cached.cache_clear()
    height, width = samples.shape[:2]
    secrets = house.secrets("alice")
    bits = patterns.band(patterns.grid_side(height, width)).bit_count
    code = codes.code(secrets.code_seed, made.image.id, bits)
    amplitude = ProtectConfig("lsp", epsilon).mark_amplitude
    mark = embed.mark(secrets.mark, made.image.id, code, height, width, amplitude)
    peak = with_range(Raster(samples, "PNG")).peak
    licensed = samples.astype(int)
    if samples.shape[2] > colours:
        mark = np.where(samples[..., colours:] == 0, 0, mark)
    licensed[..., :colours] = np.clip(
        licensed[..., :colours] + mark.astype(int) * _unit(samples), 0, peak
    )
    return licensed


def _said(samples):
    """The depth that has to be said of 16-bit samples that are all 0."""
    colours = samples[..., : 1 if samples.shape[2] <= 2 else 3]
    return 16 if samples.dtype == np.uint16 and colours.max() < 255 else None


def _unit(samples):
    """Steps in 1/255 of the range that is found in the samples."""
    return with_range(Raster(samples, "PNG")).peak // 255


@pytest.mark.parametrize("method", ["lsp", "rue", "toy"])
@pytest.mark.parametrize("largest", [300, 4095, 10_000])
def test_epsilon_is_of_the_datas_range(house, toys, largest, method):
    """12 bits, or a depth map's millimetres, in 16-bit samples."""
    draw = np.random.default_rng(largest)
    samples = draw.integers(0, largest + 1, (40, 50, 1)).astype(np.uint16)
    samples[0, 0] = largest
    made = house.protect(encode(Raster(samples, "PNG"), "PNG"), method=method)
    assert made.notes == (FOUND_RANGE,)
    protected = load(made.data).raster.samples
    change = np.abs(protected.astype(int) - samples)
    assert 4 * (largest // 255) <= change.max() <= 8 * (largest // 255)
    assert protected.max() <= largest
    error = float(np.mean(change.astype(float) ** 2))
    assert made.record.psnr == pytest.approx(
        10 * np.log10(largest**2 / error), abs=0.01
    )
    assert records.unpack(made.record.blob).header.peak == largest
    assert np.array_equal(house.original(made.data), samples)
    assert np.array_equal(house.original(house.licensed(made.data)), samples)


def test_a_depth_that_is_said_is_taken(house):
    samples = np.full((20, 20, 1), 900, np.uint16)
    data = encode(Raster(samples, "PNG"), "PNG")
    made = house.protect(data, depth=12)
    assert made.notes == ()
    change = load(made.data).raster.samples.astype(int) - 900
    assert 4 * 16 <= np.abs(change).max() <= 8 * 16
    assert np.array_equal(house.original(made.data), samples)
    with pytest.raises(InputError, match=r"^cat/a: .* 900, more than 9 bits"):
        house.protect(data, depth=9)
    few = encode(Raster(samples // 9, "PNG"), "PNG")
    with pytest.raises(UnsupportedImageError, match=r"^cat/a: .* 100 at most.*--depth"):
        house.protect(few)


def test_a_jpeg_stays_one_and_its_pixels_are_what_it_shows(house, photos):
    file = io.BytesIO()
    Image.fromarray(photos["cat"]).save(file, "JPEG", quality=90)
    shown = load(file.getvalue()).raster.samples
    made = house.protect(file.getvalue())
    assert not made.converted
    assert made.record.output == "cat/a.jpg"
    assert np.array_equal(house.original(made.data), shown)
    for copy in (made.data, house.licensed(made.data)):
        assert house.file(copy).data == file.getvalue()


def test_the_same_inputs_give_the_same_file(house, photos):
    data = encode(Raster(photos["cat"], "PNG"), "PNG")
    assert house.protect(data).data == house.protect(data).data


@pytest.fixture(scope="module")
def small(house) -> Protected:
    """A protected image of 8 x 9 pixels with alpha, near the rails."""
    samples = _samples((8, 9, 4), 8, "rails", 5)
    return house.protect(encode(Raster(samples, "PNG"), "PNG"))


@pytest.fixture(scope="module", params=["pattern", "undo", "offset", "samples"])
def small_of_any_kind(request, house, small, toys) -> Protected:
    """The same, or a slightly larger one that goes back by another way."""
    if request.param == "pattern":
        return small
    fill = "zero" if request.param == "samples" else "random"
    samples = _samples((16, 17, 4), 8, fill, 5)
    name = toys[request.param].info.name
    made = house.protect(encode(Raster(samples, "PNG"), "PNG"), method=name)
    key = house.vault.recipient_key(house.vault.recipient("alice"))
    envelope = records.unpack(made.record.blob)
    content = records.open_recipient(envelope, key.key, key.key_id).content
    assert content[0] == {"undo": 1, "offset": 2, "samples": 3}[request.param]
    return made


def _with(data: bytes, *, record: bytes | None = None, samples=None) -> bytes:
    """A file with another record or other samples inside."""
    loaded = load(data)
    raster = loaded.raster if samples is None else loaded.raster.with_samples(samples)
    return encode(raster, raster.format, loaded.record if record is None else record)


def _both_fail(house, data: bytes, expected: type[ReueError] = ReueError) -> None:
    with pytest.raises(expected):
        house.licensed(data)
    with pytest.raises(expected):
        house.original(data)


def test_an_untouched_file_with_its_record_put_back_restores(house, small):
    assert house.licensed(_with(small.data))
    assert house.original(_with(small.data)).shape == (8, 9, 4)


@pytest.mark.slow
def test_every_edited_byte_of_a_record_fails_closed(house, small_of_any_kind):
    small = small_of_any_kind
    blob = small.record.blob
    for place in range(len(blob)):
        # Every bit of the header and of the first box's length, one bit elsewhere.
        for bit in range(8) if place < 50 else [place % 8]:
            edited = bytearray(blob)
            edited[place] ^= 1 << bit
            data = _with(small.data, record=bytes(edited))
            with pytest.raises(ReueError):
                house.licensed(data)
            with pytest.raises(ReueError):
                house.original(data)


@pytest.mark.slow
def test_every_edited_byte_of_a_licensed_record_fails_closed(house, small_of_any_kind):
    small = small_of_any_kind
    file = house.licensed(small.data)
    blob = load(file).record
    for place in range(len(blob)):
        for bit in range(8) if place < 50 else [place % 8]:
            edited = bytearray(blob)
            edited[place] ^= 1 << bit
            with pytest.raises(ReueError):
                house.original(_with(file, record=bytes(edited)))


@pytest.mark.slow
def test_every_shortened_or_lengthened_record_fails_closed(house, small_of_any_kind):
    small = small_of_any_kind
    blob = small.record.blob
    for size in range(len(blob)):
        _both_fail(house, _with(small.data, record=blob[:size]))
    _both_fail(house, _with(small.data, record=blob + b"\0"))


@pytest.mark.slow
def test_every_edited_sample_fails_closed(house, small):
    licensed = house.licensed(small.data)
    protected_samples = load(small.data).raster.samples
    licensed_samples = load(licensed).raster.samples
    for place in range(protected_samples.size):
        for bit in range(8) if place < 8 else [place % 8]:
            edited = protected_samples.copy()
            edited.reshape(-1)[place] ^= 1 << bit
            _both_fail(house, _with(small.data, samples=edited), EditedImageError)
            edited = licensed_samples.copy()
            edited.reshape(-1)[place] ^= 1 << bit
            with pytest.raises(EditedImageError):
                house.original(_with(licensed, samples=edited))


def test_turned_cropped_and_other_images_fail_closed(house, small):
    samples = load(small.data).raster.samples
    for edited in (
        np.rot90(samples),
        samples[:, ::-1],
        samples[:, :8],
        samples[..., :3],
        samples.astype(np.uint16) * 257,
    ):
        data = _with(small.data, samples=np.ascontiguousarray(edited))
        _both_fail(house, data, EditedImageError)


@pytest.mark.parametrize("method", ["lsp", "toy"])
def test_swapped_records_fail_closed(house, toys, photos, method):
    data = encode(Raster(photos["cat"], "PNG"), "PNG")
    other = encode(Raster(photos["coffee"], "PNG"), "PNG")
    own = house.protect(data, method=method)
    for stranger in (
        house.protect(other, method=method, name="cat/b"),
        house.protect(data, method=method, release="1" * 16),
        house.protect(data, method=method, who="bob"),
        house.protect(data, method=method, epsilon=6),
        house.protect(data, method="rue"),
    ):
        swapped = _with(own.data, record=stranger.record.blob)
        _both_fail(house, swapped)


def test_boxes_from_other_records_fail_closed(house, photos):
    data = encode(Raster(photos["cat"], "PNG"), "PNG")
    own = house.protect(data)
    envelope = records.unpack(own.record.blob)
    for stranger in (
        house.protect(data, release="1" * 16),
        house.protect(data, name="cat/b"),
        house.protect(data, who="bob"),
    ):
        foreign = records.unpack(stranger.record.blob)
        for mixed in (
            replace(
                envelope, header=replace(foreign.header, digest=own.record.digest_p)
            ),
            replace(envelope, recipient_box=foreign.recipient_box),
            replace(envelope, recipient_box=foreign.recipient_box, owner_box=b""),
        ):
            _both_fail(house, _with(own.data, record=mixed.pack()))
        # The recipient has no key to the owner's box, but notices the exchange.
        mixed = replace(envelope, owner_box=foreign.owner_box)
        with pytest.raises(ReueError):
            house.licensed(_with(own.data, record=mixed.pack()))


def test_records_of_the_other_tier_fail_closed(house, small):
    licensed = house.licensed(small.data)
    with pytest.raises(ReueError):
        house.original(_with(licensed, record=small.record.blob))
    _both_fail(house, _with(small.data, record=load(licensed).record))
    with pytest.raises(ReueError, match="restored already"):
        house.licensed(licensed)


@pytest.mark.parametrize("method", ["lsp", "toy", "toy_lost", "toy_wild"])
def test_a_recipients_key_opens_nobody_elses_copy(house, toys, photos, method):
    data = encode(Raster(photos["cat"], "PNG"), "PNG")
    made = house.protect(data, method=method, who="bob")
    with pytest.raises(ReueError, match="Wrong key"):
        house.licensed(made.data, who="alice")
    assert house.licensed(made.data, who="bob")


def test_files_of_the_first_version_still_restore(house):
    """Made before there was a second version, from 8 x 9 pixels with alpha."""
    item = Item("a.png", str(house.folder / "first.png"), None, "a")
    Path(item.path).write_bytes(FIRST)
    restored = restore_licensed_image(item, FIRST_KEY, house.folder / "nowhere")
    licensed = load(restored.data)
    assert sample_digest(licensed.raster.samples).hex() == FIRST_DIGEST
    assert records.unpack(licensed.record).header.version == 1


def test_methods_with_a_pattern_write_the_first_version_still(small):
    assert records.unpack(small.record.blob).header.version == 1


FIRST = base64.b64decode("""
iVBORw0KGgoAAAANSUhEUgAAAAkAAAAICAYAAAArzdW1AAABMElEQVQYGQXBaU+CYAAAYCo004nY
NHlTwaWGeUzyyDZpy9bWv841y64PHVoppJWVBPaKmCkSR8+D+tq2Fw0T/HUQD7LSVB55EM4Yv24b
Gf+ts9az6cxOEUXYj2hd33OAFlTnGST2DcFCspucmS4fPfVce3nR6KFqjVC2ErJCFudlfhGXghTu
ENNgBY77d8ng+EiGV3kUZxQB60Wzgz/Zmz8U3jYkOq18NXhdSqVuKmHVTjrbqCViB1JiEhJP5Flt
iQSUD2/tW0Tux/sYuBi6LmOKB0EbaeEYukcEbWX9DWuKYE0t1hwOnskQVtJgx1gNzwmUdeTWRQix
7uaDbbevU1zfPgyANRb51DpMpWBy96cArZ4/0SUGmGXENHk98g7iZ7JGBdJtTg0tj37dkUmh+g9z
vpMAOLN65wAAAUpyZVVFUkVVRQEBZ2BTUtkMX/EAAAAAAAAAAHjjdz9rIvxotvmxuq1Xc17Uvuz1
eLHaHsQGBGYHURp4fV5M02lkXAKUERSAbCH8FgAAAIrhyYxIrbEQgXgio6VgbOd41MZviyfJifbY
P6SULgF5UxnS7sc0ADthDsJoT/rtY6B+OLmhEQRkJIT2+sGykOS4fzRkuY8xTu6Xj6dOVUgc3Wdi
tT0QN5hqO7KPHKdwfm/87cOYw6M1N7eQQaE2+25oWy5SsSDlZt9lJm9FjMRYLxAzAMCJki8jEnUA
AABy004N5delJQO+Egu7aBDPoebdKey0gd/yiCvRjvverhS75we5OwN5LeT83f/azFLu4Q/HAPXj
+e1ond0EIUL+E+XgoDOroIsHQGiNyM6bnRbp7kOyYHN+F6cX+gB72GRbRpESoCElp4tGLckYc8MT
WCVauWU8PwAAAABJRU5ErkJggg==
""")
FIRST_KEY = RecipientKey(
    name="alice",
    vault_id="67605352d90c5ff1",
    recipient_id="6fc7eb0dead04d68",
    key_id="b6f9b1baad57735e",
    key=bytes.fromhex(
        "af83a91dafdce5a50e92d91ff3c51430c8bcbd6760c1e332b0d8bf7e40ee5e93"
    ),
)
FIRST_DIGEST = "df70a3cb4b00d978fdf313aefbcd52db90d7b452012cb605363b2f6ec0853651"
