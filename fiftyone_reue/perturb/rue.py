"""RUE: class tables under which a model's output says nothing about its input.

After Wang et al., "Reversible Unlearnable Examples", IEEE TCSVT 36(3), 2026
(arXiv:2608.06211): class-wise noise, fitted by alternating a surrogate's
cross-entropy step with a step on the noise that lowers the mutual information
between the model's input and output. The estimate used here is, within a class and
for the softmax outputs p, ``I = H(E p) - E H(p)``: nothing when all images of the
class get the same output, whatever they show. The cross-entropy of the perturbed
images is kept beside it (Huang et al., ICLR 2021, arXiv:2101.04898), which makes
that common output the class itself and so gives the surrogate nothing to learn.

The tables are achromatic (a thief's grayscale conversion changes nothing) and in
cells of 2 pixels (so that resizing and JPEG keep them).
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.perturb.base import (
    FitData,
    Method,
    MethodInfo,
    State,
    class_index,
)
from fiftyone_reue.perturb.variety import vary


@dataclass(frozen=True)
class RueConfig:
    """How the tables are fitted.

    Attributes:
        rounds: alternations of surrogate steps and table steps.
        surrogate_steps: cross-entropy steps of the surrogate a round.
        table_steps: sign steps of the tables a round.
        surrogate_batch: images in a surrogate step.
        table_batch: images in a table step.
        step: a table step's length, gray levels.
        mutual_information: the weight of I beside the cross-entropy.
        cell: table cell's side in pixels at the working size.
        variants: tables a class.
        width: the surrogate's width, a multiple of 8 (PyTorch 2.15 crashes with 4
            channels in channels_last on processors without AVX-512).
    """

    rounds: int = 60
    surrogate_steps: int = 10
    table_steps: int = 5
    surrogate_batch: int = 128
    table_batch: int = 256
    step: float = 0.8
    mutual_information: float = 1.0
    cell: int = 2
    variants: int = 1
    width: int = 16


class ReversibleUnlearnable(Method):
    """Class tables fitted with a surrogate; see the module's text."""

    info = MethodInfo(
        name="rue",
        title="RUE: fitted class tables",
        paper="Wang et al., IEEE TCSVT 2026, arXiv:2608.06211",
        needs_fit=True,
        uses_gpu=True,
        cost="one to three minutes on two cores, seconds on a GPU",
        variety="class and sample",
    )

    def __init__(self, config: RueConfig | None = None) -> None:
        self.config = config or RueConfig()

    def fit(
        self,
        data: FitData,
        *,
        amplitude: int,
        seed: int,
        key: bytes,
        device: str = "auto",
    ) -> Generator[float, None, State]:
        """Fit the tables on the images; see :class:`Method`."""
        from fiftyone_reue.networks.device import few_threads
        from fiftyone_reue.perturb.rue_fit import fit_tables

        started = time.monotonic()
        steps = fit_tables(
            data,
            self.config,
            amplitude=amplitude,
            seed=_mixed_seed(seed, key),
            device=device,
        )
        with few_threads():
            tables, figures = yield from steps
        figures["seconds"] = round(time.monotonic() - started, 1)
        figures["images"] = len(data.images)
        return State("rue", data.classes, {"tables": tables}, figures)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """A variant of the class's table, flipped and rolled by the key."""
        return vary(state.tables[class_index(state, label)], sample_key)


def _mixed_seed(seed: int, key: bytes) -> int:
    """A seed that nobody without the key can repeat the fit from."""
    from fiftyone_reue.prf import derive

    return int.from_bytes(derive(key, "rue-fit", str(seed))[:7], "big")
