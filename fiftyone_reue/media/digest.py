"""The digest that a record binds an image by."""

import hashlib

import numpy as np

_DOMAIN = b"reue-samples-v1"


def sample_digest(samples: np.ndarray) -> bytes:
    """Digest samples independently of the machine and of the container.

    Args:
        samples: uint8 or uint16, any shape and memory layout.

    Returns:
        SHA-256 over a header (domain, dtype, shape) and the samples in C order,
        little-endian: 32 bytes.

    Raises:
        ValueError: the samples are neither uint8 nor uint16.
    """
    if samples.dtype.kind != "u" or samples.itemsize > 2:
        raise ValueError(f"samples must be uint8 or uint16, not {samples.dtype}")
    bits = 8 * samples.itemsize
    shape = "x".join(map(str, samples.shape))
    digest = hashlib.sha256(b"%s u%d %s\n" % (_DOMAIN, bits, shape.encode()))
    little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    digest.update(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)
    return digest.digest()
