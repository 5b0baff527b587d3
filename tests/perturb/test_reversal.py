"""From W to P and back, by every way there is."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import (
    DamagedRecordError,
    InputError,
    UnsupportedImageError,
    VerificationError,
)
from fiftyone_reue.media.packing import pack
from fiftyone_reue.perturb import reversal
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.perturb.reversal import (
    ByOffset,
    ByPattern,
    BySamples,
    BySteps,
    ByUndo,
    Content,
    Perturbed,
)
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

WAYS = {"undo": ByUndo, "offset": ByOffset, "samples": BySamples}
KEY = b"k" * 32
AMPLITUDE = 6


def images(deep=(False, True)):
    """Images of every kind: the samples, and how many channels are colour."""
    return st.builds(
        image,
        st.tuples(st.integers(16, 40), st.integers(16, 40)),
        st.sampled_from([1, 2, 3, 4]),
        st.sampled_from(["zero", "peak", "rails", "ramp", "noise"]),
        st.sampled_from(deep),
        st.integers(0, 1 << 32),
    )


def image(size, channels, fill, deep, seed) -> tuple[np.ndarray, int]:
    draw = np.random.default_rng(seed)
    shape, peak = (*size, channels), 65535 if deep else 255
    near = draw.integers(0, peak // 16, shape)
    rows, columns = np.indices(size)
    ramp = ((rows * 5 + columns * 3) % 256)[..., None].repeat(channels, 2)
    values = {
        "zero": np.zeros(shape),
        "peak": np.full(shape, peak),
        "rails": np.where(draw.random(shape) < 0.5, near, peak - near),
        "ramp": ramp * (peak // 255),
        "noise": draw.integers(0, peak + 1, shape),
    }
    dtype = np.uint16 if deep else np.uint8
    return values[fill].astype(dtype), 1 if channels <= 2 else 3


def fitted(method, classes: int = 0) -> State:
    """Of the classes "a" and "b", or of so many from "000" on."""
    names = tuple(f"{n:03}" for n in range(classes)) or ("a", "b")
    nothing = FitData(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0, int), names)
    return finish(method.fit(nothing, FitOptions(AMPLITUDE, seed=0, key=KEY)))


def perturbed(method, licensed, colours, label="b", classes=0) -> Perturbed:
    state = fitted(method, classes)
    return reversal.perturb(method, state, licensed, colours, label, KEY, name="x")


def content_of(way) -> Content:
    return Content(way.version, way.pack())


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    one=images(),
    method=st.sampled_from(["undo", "offset", "samples", "lsp"]),
)
def test_every_way_leads_back_and_the_smallest_is_taken(toys, one, method):
    licensed, colours = one
    chosen = toys.get(method) or create_method(method)
    made = perturbed(chosen, licensed, colours)
    protected = made.samples
    assert (protected.dtype, protected.shape) == (licensed.dtype, licensed.shape)
    assert np.array_equal(protected[..., colours:], licensed[..., colours:])
    kinds = {type(way) for way in made.reversals}
    if method == "lsp":
        assert kinds == {ByPattern}
    else:
        eight_bit = {ByUndo} if licensed.dtype == np.uint8 else set()
        assert kinds == {ByOffset, BySamples} | eight_bit
    if method != "samples":
        unit = 1 if licensed.dtype == np.uint8 else 257
        change = np.abs(protected.astype(int) - licensed)
        assert change.max() <= AMPLITUDE * unit
    sizes = []
    for way in made.reversals:
        content = content_of(way)
        sizes.append(len(content.data))
        again = reversal.unpack(content, protected, colours)
        assert type(again) is type(way)
        assert np.array_equal(again.licensed(protected, colours), licensed)
        near = again.approximate(protected, colours)
        railed = (protected == 0) | (protected == np.iinfo(licensed.dtype).max)
        by_offset = isinstance(way, ByOffset)
        assert np.array_equal(near, licensed) or (by_offset and railed.any())
        assert np.array_equal(near[~railed], licensed[~railed])
        change = again.change(lambda: licensed, colours)
        if isinstance(way, BySamples):
            assert change is None
        else:
            unit = 1 if licensed.dtype == np.uint8 else 257
            after = licensed[..., :colours] + change.astype(int) * unit
            after = after.clip(0, np.iinfo(licensed.dtype).max)
            assert np.array_equal(after, protected[..., :colours])
    taken = reversal.smallest(made, licensed, colours, name="x")
    assert len(taken.data) == min(sizes)
    assert taken.version == (1 if method == "lsp" else 2)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(64, 90), st.integers(64, 300)),
    channels=st.sampled_from([1, 2, 3, 4]),
    fill=st.sampled_from(["zero", "peak", "rails", "ramp", "noise"]),
    peak=st.sampled_from([None, 255, 300, 4095, 65535]),
    classes=st.sampled_from([2, 20, 200]),
    seed=st.integers(0, 1 << 32),
)
def test_steps_are_told_from_what_they_made(size, channels, fill, peak, classes, seed):
    deep = peak is not None
    licensed, colours = image(size, channels, fill, deep, seed)
    if deep:
        licensed = (licensed.astype(np.int64) * peak // 65535).astype(np.uint16)
    method = create_method("rue")
    state = fitted(method, classes)
    made = reversal.perturb(
        method, state, licensed, colours, "001", KEY, name="x", peak=peak
    )
    assert (made.samples.dtype, made.samples.shape) == (licensed.dtype, licensed.shape)
    assert np.array_equal(made.samples[..., colours:], licensed[..., colours:])
    most = AMPLITUDE * max(1, (peak or 255) // 255)
    change = np.abs(made.samples.astype(int) - licensed)
    assert 0 < change.max() <= most
    taken = reversal.smallest(made, licensed, colours, name="x", peak=peak)
    way = reversal.unpack(taken, np.zeros_like(licensed), colours, peak)
    assert isinstance(way, BySteps)
    assert np.array_equal(way.licensed(made.samples, colours), licensed)
    offset = way.change(lambda: licensed, colours)
    after = licensed[..., :colours] + offset.astype(int) * max(1, (peak or 255) // 255)
    assert np.array_equal(
        after.clip(0, peak or 255), made.samples[..., :colours].astype(int)
    )
    near = way.approximate(made.samples, colours)
    assert (near.dtype, near.shape) == (licensed.dtype, licensed.shape)
    assert np.array_equal(near[..., colours:], licensed[..., colours:])
    assert np.abs(near.astype(int) - made.samples).max() <= most


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(257, 300, 3), (512, 600, 1), (1023, 700, 4)])
def test_steps_of_large_images_take_cells(shape):
    draw = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    colours = min(3, shape[2])
    method = create_method("rue")
    made = perturbed(method, draw, colours, "001", classes=20)
    taken = reversal.smallest(made, draw, colours, name="x")
    assert type(reversal.unpack(taken, draw, colours)) is BySteps


def test_steps_of_a_photograph_take_hardly_a_byte():
    plain, _ = image((128, 128), 3, "noise", False, 1)
    inner = plain // 2 + 60
    white = np.full_like(plain, 255)  # told by how far it was from the rail
    for licensed in (inner, white):
        made = perturbed(create_method("rue"), licensed, 3, "001", classes=2)
        taken = reversal.smallest(made, licensed, 3, name="x")
        assert len(taken.data) < 100
        assert not np.array_equal(made.samples, licensed)


def test_steps_are_nearly_told_from_what_was_changed_since():
    draw = np.random.default_rng(0)
    coarse = draw.normal(0, 12, (32, 32, 1)).repeat(4, 0).repeat(4, 1)
    noise = draw.normal(0, 6, (128, 128, 3))
    licensed = (128 + coarse + noise).clip(30, 220).astype(np.uint8)
    made = perturbed(create_method("rue"), licensed, 3, "001", classes=2)
    edited = (made.samples + draw.normal(0, 2, licensed.shape)).astype(np.uint8)
    near = made.reversals[0].approximate(edited, 3)
    before, after = (
        np.square(one.astype(float) - licensed).mean() for one in (edited, near)
    )
    assert after < before / 2


def test_small_images_keep_their_gratings_pattern():
    licensed, colours = image((63, 90), 3, "noise", False, 1)
    made = perturbed(create_method("rue"), licensed, colours, "001", classes=2)
    assert {type(way) for way in made.reversals} == {ByPattern}


@pytest.mark.parametrize("suits", ["undo", "offset", "samples"])
@pytest.mark.parametrize("channels", [1, 4])
def test_each_way_is_the_smallest_somewhere(toys, suits, channels):
    fill = "ramp" if suits == "samples" else "noise"
    licensed, colours = image((50, 61), channels, fill, False, 1)
    made = perturbed(toys[suits], licensed, colours)
    taken = reversal.smallest(made, licensed, colours, name="x")
    assert type(reversal.unpack(taken, licensed, colours)) is WAYS[suits]


def test_the_toy_is_what_it_is_for(toys):
    """It exceeds amplitude and rails, and is wrong here and there, but not often."""
    licensed, colours = image((64, 64), 3, "noise", False, 2)
    undo = next(
        way
        for way in perturbed(toys["undo"], licensed, colours).reversals
        if isinstance(way, ByUndo)
    )
    assert 0.1 < (undo.repair != 0).mean() < 0.6
    assert 0 < (undo.residual != 0).mean() < 0.1
    moved = toys["undo"].move(undo.secret, licensed)
    assert moved.min() < 0
    assert moved.max() > 255


def test_a_method_that_finds_all_again_takes_hardly_a_byte(toys):
    licensed, colours = image((300, 400), 3, "noise", False, 3)
    nothing = np.zeros((300, 400, 3), np.int16)
    way = ByUndo(toys["undo"], bytes(33), nothing, nothing)
    assert len(way.pack()) == len(b"toy") + 33 + 1 + 3 * 4
    again = reversal.unpack(content_of(way), licensed, colours)
    assert not again.repair.any()
    assert not again.residual.any()
    assert again.secret == bytes(33)


def test_samples_that_are_seldom_wrong_take_a_few_bytes_each(toys):
    draw = np.random.default_rng(0)
    wrong = np.zeros((512, 512, 3), np.int16)
    places = draw.choice(wrong.size, 500, replace=False)
    wrong.ravel()[places] = draw.integers(-3, 4, 500)
    way = ByUndo(toys["undo"], bytes(33), np.zeros_like(wrong), wrong)
    assert len(way.pack()) < 500 * 4


@pytest.mark.slow
@given(st.data())
def test_numbers_of_any_size_come_back(data):
    values = st.sampled_from([0, 1, -1, 255, -256, 32767, -32768])
    count = data.draw(st.integers(1, 40))
    flat = data.draw(st.lists(values, min_size=3 * count, max_size=3 * count))
    array = np.array(flat, np.int16).reshape(1, count, 3)
    for there, back in (
        (reversal._sparse, reversal._from_sparse),
        (reversal._dense, reversal._from_dense),
    ):
        assert np.array_equal(back(there(array), array.shape), array)
        assert there(np.zeros_like(array)) == b""


def test_a_way_that_fails_is_left_out(toys):
    """However small it is, a content that doesn't lead back is never taken."""
    licensed, colours = image((20, 20), 3, "noise", False, 4)
    made = perturbed(toys["undo"], licensed, colours)
    undo, offset, samples = made.reversals
    nothing = np.zeros_like(undo.repair)
    wrong = replace(undo, secret=bytes(33), repair=nothing, residual=nothing)
    odd = replace(wrong, secret=b"odd")
    spoilt = replace(made, reversals=(wrong, odd, offset, samples))
    taken = reversal.smallest(spoilt, licensed, colours, name="x")
    assert max(len(way.pack()) for way in (wrong, odd)) < len(taken.data)
    assert type(reversal.unpack(taken, licensed, colours)) is ByOffset
    none = replace(made, reversals=(wrong, odd))
    with pytest.raises(VerificationError, match=r"^x: it would not restore exactly"):
        reversal.smallest(none, licensed, colours, name="x")


@pytest.mark.parametrize("deep", [False, True])
def test_an_amplitude_that_is_not_kept_is_noticed(toys, deep, monkeypatch):
    licensed, colours = image((20, 20), 3, "noise", deep, 5)
    monkeypatch.setattr(
        reversal, "bounded", lambda moved, image, amplitude: moved % 256
    )
    monkeypatch.setattr(
        type(toys["undo"]), "pattern", lambda *_: np.full((20, 20, 3), 7, np.int16)
    )
    with pytest.raises(VerificationError, match=r"^x: .* more than 6 gray levels"):
        perturbed(toys["undo"], licensed, colours)


def test_small_images_and_unknown_classes_are_refused(toys):
    licensed, colours = image((15, 90), 3, "noise", False, 6)
    message = r"^x: 90 x 15 pixels are too few for method 'toy'; .*at least 16"
    with pytest.raises(UnsupportedImageError, match=message):
        perturbed(toys["undo"], licensed, colours)
    licensed, colours = image((16, 16), 3, "noise", False, 6)
    with pytest.raises(InputError, match="enlarged dataset into a new folder"):
        perturbed(toys["undo"], licensed, colours, label="c")


@pytest.fixture(params=["undo", "offset", "samples", "pattern", "steps"])
def content(request, toys) -> tuple[Content, np.ndarray]:
    """Every way's content, and the protected image."""
    if request.param == "steps":
        licensed, _ = image((64, 65), 4, "noise", False, 7)
        made = perturbed(create_method("rue"), licensed, 3, "001", classes=2)
        return content_of(made.reversals[0]), made.samples
    protected, _ = image((16, 17), 4, "rails", False, 7)
    method = toys.get(request.param) or create_method("lsp")
    made = perturbed(method, protected, 3)
    kind = WAYS.get(request.param, ByPattern)
    (way,) = [way for way in made.reversals if type(way) is kind]
    return content_of(way), made.samples


@pytest.mark.slow
def test_damaged_content_gives_something_or_says_so(content):
    """The boxes are authenticated; should that fail, nothing else happens than this."""
    whole, protected = content
    draw = np.random.default_rng(0)
    for place in range(len(whole.data)):
        damaged = bytearray(whole.data)
        damaged[place] ^= 1 << draw.integers(8)
        for data in (bytes(damaged), whole.data[:place]):
            with contextlib.suppress(DamagedRecordError):
                way = reversal.unpack(whole._replace(data=data), protected, 3)
                assert way.licensed(protected, 3).shape == protected.shape


@pytest.mark.slow
@settings(deadline=None)
@given(data=st.binary(max_size=80), version=st.sampled_from([1, 2]))
def test_any_bytes_are_read_or_refused(toys, data, version):
    protected, _ = image((16, 17), 3, "noise", False, 8)
    for lead in (b"", b"\1\0\0\0\3toy", b"\2", b"\3", b"\4\0\0\0\3rue"):
        with contextlib.suppress(DamagedRecordError):
            way = reversal.unpack(Content(version, lead + data), protected, 3)
            way.licensed(protected, 3)


def test_content_of_another_size_is_refused(content):
    whole, protected = content
    if whole.version == 1:
        pytest.skip("a pattern is stretched over any image")
    if whole.data[0] == BySteps.code:
        pytest.skip("steps are told from any image that is large enough")
    for other in (protected[:, :16], protected[:8], protected[..., :1]):
        colours = min(3, other.shape[2])
        with pytest.raises(DamagedRecordError):
            reversal.unpack(whole, other, colours)


def test_nothing_larger_than_the_image_is_unpacked(toys):
    protected, _ = image((16, 17), 3, "noise", False, 9)
    bomb = pack(bytes(1 << 24), 19)
    nothing = np.zeros((16, 17, 3), np.int16)
    undo = ByUndo(toys["undo"], bytes(33), nothing, nothing).pack()
    assert undo.endswith(bytes(4))
    no_bytes = len(bomb).to_bytes(4, "big")
    for data in (
        undo + bomb,
        undo[:-4] + no_bytes + bomb,
        b"\2" + no_bytes + bomb,
        b"\3" + bomb,
    ):
        with pytest.raises(DamagedRecordError, match="larger than its image"):
            reversal.unpack(Content(2, data), protected, 3)
    pattern = (16).to_bytes(2, "big") * 2 + b"\3" + no_bytes + bomb
    with pytest.raises(DamagedRecordError, match="larger than its image"):
        reversal.unpack(Content(1, pattern), protected, 3)


def test_methods_that_are_missing_or_can_not_be_undone_are_named(toys):
    protected, _ = image((16, 17), 3, "noise", False, 10)
    nothing = np.zeros((16, 17, 3), np.int16)
    whole = content_of(ByUndo(toys["undo"], b"", nothing, nothing))
    for name, message in (
        (b"xyz", "takes method 'xyz'.*update fiftyone-reue"),
        (b"lsp", "can't be read"),
        (b"rue", "can't be read"),
        (b"\xff\xff\xff", "can't be read"),
    ):
        data = whole.data.replace(b"toy", name)
        with pytest.raises(DamagedRecordError, match=message):
            reversal.unpack(Content(2, data), protected, 3)
    with pytest.raises(DamagedRecordError):  # only 8-bit images are moved
        reversal.unpack(whole, protected.astype(np.uint16), 3)


@pytest.mark.slow
@settings(deadline=None)
@given(one=images(), other=images(), method=st.sampled_from(["undo", "offset", "lsp"]))
def test_pixels_that_changed_lead_somewhere(toys, one, other, method):
    """Whatever they are, the result is an image, and alpha stays as it is."""
    licensed, colours = one
    chosen = toys.get(method) or create_method(method)
    made = perturbed(chosen, licensed, colours)
    edited = np.resize(other[0].ravel(), licensed.shape).astype(licensed.dtype)
    for way in made.reversals:
        near = way.approximate(edited, colours)
        assert (near.dtype, near.shape) == (licensed.dtype, licensed.shape)
        assert np.array_equal(near[..., colours:], edited[..., colours:])
        if isinstance(way, BySamples):
            assert np.array_equal(near[..., :colours], licensed[..., :colours])
