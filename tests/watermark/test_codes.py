import itertools
import time

import numpy as np
import pytest

from fiftyone_reue.errors import MissingPackageError
from fiftyone_reue.watermark import codes, many_codes

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("bits", [8, 32, 128, 512])
def test_a_code_is_its_bytes_in_signs(bits):
    code = codes.code(b"s" * 16, "image", bits)
    packed = codes.code_bytes(b"s" * 16, "image", bits)
    assert code.dtype == np.int8
    assert set(code) <= {-1, 1}
    assert np.packbits(code > 0).tobytes() == packed
    assert len(packed) == bits // 8


def test_codes_of_other_recipients_and_images_are_fair_coins():
    ours = [codes.code(b"s" * 16, f"{i}", 128) for i in range(100)]
    others = [codes.code(b"t" * 16, f"{i}", 128) for i in range(100)]
    for pairs in (zip(ours, others, strict=True), itertools.pairwise(ours)):
        agreement = sum(int(a.astype(int) @ b) for a, b in pairs)
        assert abs(agreement) < 5 * np.sqrt(12800)
    assert np.array_equal(ours[7], codes.code(b"s" * 16, "7", 128))


@pytest.mark.slow
@pytest.mark.parametrize("recipients", [1, 3, 4, 1025])
def test_very_many_are_weighed_as_few_are(recipients):
    draw = np.random.default_rng(recipients)
    seeds = [draw.bytes(16 + 16 * (n % 4)) for n in range(recipients)]
    soft = {f"{n:x}" * (n + 1): draw.standard_normal(8 << (n % 7)) for n in range(15)}
    many = many_codes.sized_fits(soft, seeds)
    assert np.allclose(many, codes.few_fits(soft, seeds), rtol=0, atol=1e-10)
    each = np.array(
        [
            [bits @ codes.code(seed, one, len(bits)) for one, bits in soft.items()]
            for seed in seeds[:5]
        ]
    )
    assert np.allclose(many[0][:5], each.sum(axis=1), rtol=0, atol=1e-10)
    assert np.allclose(many[1][:5], np.abs(each).sum(axis=1), rtol=0, atol=1e-10)


@pytest.mark.slow
def test_without_a_compiler_the_result_is_the_same(monkeypatch):
    draw = np.random.default_rng(0)
    seeds = [draw.bytes(16) for _ in range(20)]
    soft = {f"{n}": draw.standard_normal(32) for n in range(5)}
    before = codes.fits(soft, seeds)

    def missing(*_):
        raise MissingPackageError("no compiler")

    monkeypatch.setattr(codes, "MANY", 1)
    assert np.allclose(codes.fits(soft, seeds), before, rtol=0, atol=1e-12)
    monkeypatch.setattr(many_codes, "_library", missing)
    assert np.array_equal(codes.fits(soft, seeds), before)
    long = {"x" * 200: draw.standard_normal(32)}
    assert np.array_equal(codes.sized_fits(long, seeds), codes.few_fits(long, seeds))


@pytest.mark.parametrize("together", [3, 4096])
@pytest.mark.parametrize("kept", [0, 1 << 20])
@pytest.mark.parametrize("recipients", [0, 1, 7])
def test_each_reading_of_an_image_is_fitted_as_alone(
    monkeypatch, together, kept, recipients
):
    monkeypatch.setattr(codes, "_TOGETHER", together)
    monkeypatch.setattr(codes, "_KEPT", kept)
    draw = np.random.default_rng(recipients)
    seeds = [draw.bytes(16) for _ in range(recipients)]
    book = codes.Codebook(seeds)
    assert len(book) == recipients
    for bits in (32, 128, 32):  # the same image read with another number of bits
        readings = draw.standard_normal((3, bits))
        found = book.fits_of_each("image", readings)
        alone = [codes.fits({"image": one}, seeds) for one in readings]
        assert np.allclose(found, alone, rtol=0, atol=1e-12)
        sums, sized = book.sized_fits({"image": readings[0]})
        assert np.allclose(sums, alone[0], rtol=0, atol=1e-12)
        assert np.allclose(sized, np.abs(alone[0]), rtol=0, atol=1e-12)


def test_codes_of_an_image_are_made_once(monkeypatch):
    made = []
    real = codes.code_bytes
    monkeypatch.setattr(codes, "code_bytes", lambda *a: made.append(a) or real(*a))
    book = codes.Codebook([b"s" * 16, b"t" * 16])
    for _ in range(3):
        book.fits_of_each("image", np.ones((2, 32)))
    assert len(made) == 2


@pytest.mark.slow
def test_a_hundred_thousand_recipients_take_seconds():
    draw = np.random.default_rng(0)
    seeds = [draw.bytes(16) for _ in range(100_000)]
    soft = {f"{n:032x}": draw.standard_normal(128) for n in range(50)}
    many_codes.sized_fits(soft, seeds[:8])
    start = time.process_time()
    many_codes.sized_fits(soft, seeds)
    # A thousand images take twenty times as long: some 13 s of one core, 7 s of two.
    assert time.process_time() - start < 5
