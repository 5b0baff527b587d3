"""Run Deep Hiding's network backwards, as it ships, without any key."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter
from fiftyone_reue.perturb.deep_hiding.config import DeepHidingConfig
from fiftyone_reue.perturb.deep_hiding.method import without_hidden

AMPLITUDE = 8
"""Gray levels: what a thief has to expect."""


class NetworkReversed(Filter):
    """For a thief who has this package and guesses that ``deep_hiding`` was used.

    Revealing what is hidden is also finding what it was hidden in. No paper: the
    method's own network is the attack, and the audit has to hold it against it.
    """

    info = CountermeasureInfo(
        "network_reversed",
        "Deep Hiding's network backwards",
        "",
        "filter",
        {"amplitude": AMPLITUDE},
    )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        weights = DeepHidingConfig().weights
        return np.stack([without_hidden(i, AMPLITUDE, weights) for i in images])
