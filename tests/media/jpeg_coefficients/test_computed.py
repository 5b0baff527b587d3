"""What the compiled part computes is what it should be, on every processor."""

import ctypes
import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue import compiled
from fiftyone_reue.media.jpeg_coefficients import huffman, library
from fiftyone_reue.media.jpeg_coefficients.decoding import decoded
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.rounding import fitted
from tests.media.jpeg_coefficients import reference
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.unit


def numbers(name: str, count: int, most: int) -> np.ndarray:
    """(count,) integers within ±most, the same for ever."""
    drawn = np.frombuffer(hashlib.shake_256(name.encode()).digest(8 * count), "<u8")
    return (drawn % (2 * most + 1)).astype(np.int64) - most


def problems(count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What is wanted, steps and limits, from tiny to far too much of it."""
    made = []
    for most in (40, 600, 9000, 131072):
        for step in (1, 12, 250, 60000):
            name = f"{most} {step}"
            wanted = numbers(f"wanted {name}", 64 * count, most)
            wanted[numbers(f"there {name}", 64 * count, 3) > 0] = 0
            steps = 1 + np.abs(numbers(f"steps {name}", 64, step - 1))
            limits = np.abs(numbers(f"limits {name}", count, 12)).astype(np.uint8)
            made.append(
                (
                    wanted.astype(np.int32).reshape(count, 8, 8),
                    steps.astype(np.uint16).reshape(8, 8),
                    limits,
                )
            )
    return made


@pytest.mark.slow
def test_offsets_are_those_of_the_first_version():
    """Records hold limits, not offsets: they must come out like this for ever."""
    digest = hashlib.sha256()
    for wanted, steps, limits in problems(60):
        digest.update(fitted(wanted, steps, limits).tobytes())
    assert digest.hexdigest()[:32] == "7ca6dc78e3af35b5112e75788dec625a"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    shrinking=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    kind=st.sampled_from(["int8", "int16", "int32"]),
    parts=st.sampled_from([1, 1024]),
    seed=st.integers(0, 99),
)
def test_wanted(sides, shrinking, kind, parts, seed):
    most = {"int8": 128, "int16": 255, "int32": 261_000}[kind]
    draw = np.random.default_rng(seed)
    plane = draw.integers(-most, most, sides).astype(kind)
    blocks = tuple(
        -(-side // (8 * by)) for side, by in zip(sides, shrinking, strict=True)
    )
    expected = reference.wanted(plane, shrinking, blocks, parts)
    assert np.array_equal(library.wanted(plane, shrinking, blocks, parts), expected)


@pytest.mark.parametrize("quality", [5, 40, 90, 100])
@pytest.mark.parametrize("contrast", [1, 3])
def test_shown(quality: int, contrast: int):
    samples = (picture(161, 137).astype(int) - 128) * contrast + 128
    data = pillow(samples.clip(0, 255).astype(np.uint8), "L", quality=quality)
    (luma,) = read(data).components
    shown = library.shown(luma.blocks.reshape(-1, 8, 8), luma.quantisation)
    whole = shown.reshape(luma.rows, luma.columns, 8, 8).swapaxes(1, 2)
    whole = whole.reshape(8 * luma.rows, 8 * luma.columns)
    assert np.array_equal(whole[:137, :161], decoded(data))


def test_decoders_may_differ_where_numbers_are_very_large():
    blocks = np.zeros((2, 8, 8), np.int16)
    blocks[1, 0, 0] = 2000
    assert library.shown(blocks, np.full((8, 8), 3)) is None
    assert library.shown(blocks[:1], np.full((8, 8), 3)) is not None


@settings(max_examples=30, deadline=None)
@given(blocks=st.integers(1, 200), seed=st.integers(0, 99))
def test_offsets_as_bytes(blocks: int, seed: int):
    draw = np.random.default_rng(seed)
    offsets = draw.integers(-32768, 32768, (blocks, 8, 8)).astype(np.int16)
    made = library.spread(offsets)
    assert made == reference.folded(offsets)
    assert np.array_equal(library.gathered(made, offsets.shape), offsets)
    with pytest.raises(ValueError, match="too few or too many"):
        library.gathered(made[:-1], offsets.shape)


def test_sums_that_aren_t_of_sixteen_bits():
    blocks = np.full((2, 3, 8, 8), 32000, np.int16)
    offsets = np.full((2, 3, 8, 8), 767, np.int16)
    assert library.add(blocks, offsets, 1)
    assert (blocks == 32767).all()
    assert not library.add(blocks, offsets, 1)
    with pytest.raises(ValueError, match="shape"):
        library.add(blocks, offsets[:1], 1)


def test_blocks_in_wider_rows():
    stored = np.zeros((3, 5, 8, 8), np.int16)
    offsets = np.ones((2, 4, 8, 8), np.int16)
    assert library.add(stored[:2, :4], offsets, -1)
    assert (stored[:2, :4] == -1).all()
    assert not stored[2].any()
    assert not stored[:, 4].any()


@settings(max_examples=30, deadline=None)
@given(
    sides=st.tuples(st.integers(33, 90), st.integers(33, 90)),
    reach=st.integers(0, 18),
    seed=st.integers(0, 99),
)
def test_filtered(sides: tuple[int, int], reach: int, seed: int):
    draw = np.random.default_rng(seed)
    values = draw.integers(-library.MOST_FILTERED, library.MOST_FILTERED, sides)
    most = library.MOST_TAPS // (2 * reach + 2)
    down, across = draw.integers(-most, most + 1, (2, reach + 1))
    expected = reference.filtered(values, down, across)
    assert np.array_equal(library.filtered(values, down, across), expected)


def test_filters_that_would_not_be_exact():
    values, taps = np.zeros((40, 40), int), np.ones(20, int)
    for bad in (values[:32], values[:, :32], values + library.MOST_FILTERED + 1):
        with pytest.raises(ValueError, match="filters"):
            library.filtered(bad, taps, taps)
    for down in (taps[:5], taps * library.MOST_TAPS, np.ones(40, int)):
        with pytest.raises(ValueError, match="filters"):
            library.filtered(values, down, taps)


@settings(max_examples=30, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 130), st.integers(1, 130)),
    cell=st.sampled_from([1, 2, 8, 16]),
    field=st.sampled_from([1, 8, 16, 1 << 15]),
    number=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_fields(sides, cell, field, number, seed):
    draw = np.random.default_rng(seed)
    shape = [-(-side // cell) for side in sides]
    reach = draw.choice([20, 200, 1 << 14])
    cells = draw.integers(-reach, reach + 1, shape).astype(np.int16)
    given = (cells, cell, sides, 16 * int(draw.choice([1, 6, 127])), 4, field, number)
    assert np.array_equal(library.fields(*given), reference.fields(*given))


@pytest.mark.parametrize("channels", [1, 3])
def test_share(channels: int):
    draw = np.random.default_rng(0)
    seen = draw.integers(0, 256, (64, 120, channels)).astype(np.uint8)
    change = draw.integers(-127, 128, (64, 120)).astype(np.int8)
    assert library.share(seen, change) == reference.share(seen, change)
    with pytest.raises(ValueError, match="whole blocks"):
        library.share(seen[:60], change[:60])


@pytest.mark.slow
def test_all_processors_agree(tmp_path: Path, monkeypatch):
    """What is compiled for newer ones, and what any has."""
    target = tmp_path / "plain.so"
    command = compiled.compiler()
    assert command is not None
    flags = (*compiled.FLAGS, "-DPLAIN")
    made = [*command, *flags, str(library.CODEC.source), "-o", str(target)]
    subprocess.run(made, check=True)
    plain = library.bound(ctypes.CDLL(str(target)))
    found = read(pillow(picture(), quality=85))
    luma = found.components[0]
    pattern = numbers("pattern", 137 * 161, 8).reshape(137, 161).astype(np.int8)

    def everything() -> list[np.ndarray]:
        blocks = (luma.rows, luma.columns)
        wanted = library.wanted(pattern, (1, 1), blocks, 1)
        offsets = fitted(wanted, luma.quantisation, 8)
        before = decoded(pillow(picture(), quality=85))
        far = library.changed(luma.blocks, None, offsets, luma.quantisation, before, 3)
        stopped = library.stop(luma.blocks, offsets)
        results = [fitted(*problem) for problem in problems(20)]
        cells = numbers("cells", 60 * 70, 1 << 14).reshape(60, 70)
        taps = numbers("taps", 19, 200)
        heard = library.filtered(cells, taps, taps[::-1])
        small = cells.astype(np.int16)
        grown = library.fields(small, 8, (473, 560), 96, 4, 16, 1)
        share = np.array(library.share(before[:136, :160], grown[:136, :160]))
        return [wanted, offsets, far, stopped, *results, heard, grown, share]

    ours = everything()
    monkeypatch.setattr(library, "codec", lambda: plain)
    for one, other in zip(ours, everything(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.one_of(st.integers(0, 3), st.integers(0, 10**9)), max_size=256),
)
def test_the_best_table(counts: list[int]):
    """Every symbol has a code, none is all ones, and none is longer than 16 bits."""
    given = np.array(counts + [0] * (256 - len(counts)))
    table = huffman.best(given)
    lengths = np.repeat(np.arange(1, 17), list(table[:16]))
    symbols = table[16 : 16 + len(lengths)]
    assert sorted(symbols) == np.flatnonzero(given).tolist()
    assert sum(0.5**lengths) < 1
    if 16 not in lengths:  # nothing was shortened
        frequent = given[list(symbols)]
        for length in set(lengths):
            rarer = frequent[lengths > length]
            assert frequent[lengths == length].min() >= rarer.max(initial=0)


def test_a_code_that_is_too_long():
    counts = np.zeros(256, np.int64)
    counts[:40] = [2**i for i in range(40)]
    with pytest.raises(ValueError, match="too long"):
        huffman.best(counts)
