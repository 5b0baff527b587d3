import itertools

import numpy as np
import pytest

from fiftyone_reue.watermark import codes

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
