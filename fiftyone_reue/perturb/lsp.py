"""LSP: linearly separable perturbations from a key, without any training.

Yu et al., "Availability Attacks Create Shortcuts", KDD 2022 (arXiv:2111.00898).
Each class has a secret centroid of coarse colour patches, and each sample draws
around it. Here every number comes from keyed integer streams, so that the same key
gives the same patches on any machine.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    Method,
    MethodInfo,
    State,
    class_index,
)
from fiftyone_reue.prf import derive, keystream

CELLS = 4
"""Patches along each side, as in the paper's 32-pixel setting."""


class LinearlySeparable(Method):
    """Coarse secret patches a class, with keyed draws a sample."""

    info = MethodInfo(
        name="lsp",
        title="LSP: keyed patches, no training",
        paper="Yu et al., KDD 2022, arXiv:2111.00898",
        needs_fit=False,
        uses_gpu=False,
        cost="none",
        variety="class and sample",
    )

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Draw one sign table a class from the key; see :class:`Method`."""
        size, seed = CELLS * CELLS * 3, str(options.seed)
        drawn = [
            _signs(keystream(derive(options.key, "lsp-centroid", seed, name), size))
            for name in data.classes
        ]
        yield 1.0
        shaped = np.stack(drawn).reshape(len(drawn), 1, CELLS, CELLS, 3)
        tables = (shaped * options.amplitude).astype(np.int8)
        return State("lsp", data.classes, {"tables": tables})

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Weaken each patch of the class by a keyed draw; see :class:`Method`."""
        centroid = state.tables[class_index(state, label), 0].astype(np.int16)
        draws = np.frombuffer(keystream(sample_key[:32], centroid.size), np.uint8)
        kept = 256 - draws.reshape(centroid.shape).astype(np.int16) // 2
        magnitudes = np.abs(centroid) * kept // 256
        varied = np.sign(centroid) * np.maximum(magnitudes, 1)
        return np.ascontiguousarray(varied[..., : image.shape[2]].astype(np.int8))


def _signs(stream: bytes) -> np.ndarray:
    bits = np.frombuffer(stream, np.uint8) & 1
    return bits.astype(np.int16) * 2 - 1
