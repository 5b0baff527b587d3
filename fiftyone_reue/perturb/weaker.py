"""A fitted state with a smaller amplitude, and all else the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import State

_KEPT = {"bands"}
"""Arrays that don't depend on the amplitude."""


def weaker(state: State, amplitude: int, of: int) -> State:
    """The state as if it had been fitted with less, as near as whole levels come.

    Classes keep their bands and tables their shapes, so that images of several
    amplitudes teach one and the same thing.

    Args:
        state: what a method was fitted to.
        amplitude: gray levels, 1 to ``of``.
        of: what it was fitted with.

    Raises:
        InputError: the method makes its change of something else than tables and bands.
    """
    arrays = {}
    for name, array in state.arrays.items():
        if name == "tables":
            scaled = np.rint(array * (amplitude / of))
            arrays[name] = scaled.astype(array.dtype)
        elif name == "amplitude":
            arrays[name] = np.array(amplitude)
        elif name in _KEPT:
            arrays[name] = array
        else:
            raise InputError(
                f"Method {state.method!r} can't be made weaker image by image, so it "
                "takes no quality; choose another such as rue, or a smaller epsilon"
            )
    return replace(state, arrays=arrays)
