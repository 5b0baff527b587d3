import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fiftyone_reue.media.codec import load
from fiftyone_reue.media.digest import carried_digest, coefficient_digest, sample_digest
from fiftyone_reue.media.jpeg_coefficients.coefficients import with_usual_edges
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.writing import write
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.unit


def test_digest_is_pinned():
    samples = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    expected = hashlib.sha256(b"reue-samples-v1 u8 2x4x3\n" + bytes(range(24)))
    assert sample_digest(samples) == expected.digest()


def test_sixteen_bits_are_digested_little_endian():
    samples = np.array([[[0x0102]]], np.uint16)
    expected = hashlib.sha256(b"reue-samples-v1 u16 1x1x1\n\x02\x01").digest()
    assert sample_digest(samples) == expected
    assert sample_digest(samples.astype(">u2")) == expected


@pytest.mark.slow
@given(
    arrays(st.sampled_from([np.uint8, np.uint16]), array_shapes(min_dims=3, max_dims=3))
)
def test_memory_layout_does_not_matter(samples):
    assert sample_digest(np.asfortranarray(samples)) == sample_digest(samples)
    assert sample_digest(samples[::-1][::-1]) == sample_digest(samples)


def test_shape_depth_and_values_matter():
    samples = np.zeros((4, 6, 1), np.uint8)
    changed = samples.copy()
    changed[3, 5, 0] = 1
    digests = {
        sample_digest(samples),
        sample_digest(samples.reshape(6, 4, 1)),
        sample_digest(samples.reshape(4, 2, 3)),
        sample_digest(samples.astype(np.uint16)),
        sample_digest(changed),
    }
    assert len(digests) == 5


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match="uint8 or uint16"):
        sample_digest(np.zeros((1, 1, 1), np.int32))


def test_coefficients_are_digested_whatever_codes_them():
    plain = read(pillow(picture(), quality=80))
    digest = coefficient_digest(plain)
    assert coefficient_digest(read(write(plain, optimise=True))) == digest
    assert coefficient_digest(with_usual_edges(plain)) == digest
    assert carried_digest(load(pillow(picture(), quality=80)).raster) == digest
    blocks = [one.blocks.copy() for one in plain.components]
    blocks[2][1, 1, 7, 7] += 1
    assert coefficient_digest(plain.with_blocks(blocks)) != digest
    first = replace(plain.components[0], quantisation=plain.components[1].quantisation)
    other = replace(plain, components=(first, *plain.components[1:]))
    assert coefficient_digest(other) != digest
    assert coefficient_digest(replace(plain, colour="rgb")) != digest
