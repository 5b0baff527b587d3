"""The trained networks that ship with the package, and those of one's own.

Weights are kept as the whole numbers that the networks compute with
(:mod:`fiftyone_reue.invertible.exact`), so that reading them rounds nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fiftyone_reue.arrays import read_arrays
from fiftyone_reue.errors import DamagedRecordError, InputError
from fiftyone_reue.invertible.adversarial import AdversarialConfig, AdversarialNetwork
from fiftyone_reue.invertible.exact import ACTIVATION_BITS, WEIGHT_BITS, WEIGHT_LIMIT
from fiftyone_reue.invertible.hiding import HidingConfig, HidingNetwork
from fiftyone_reue.names import contained

FOLDER_VARIABLE = "REUE_WEIGHTS"
"""Names a folder with weights of one's own, looked at besides the package's."""

_KINDS = {
    "hiding": (HidingNetwork, HidingConfig),
    "adversarial": (AdversarialNetwork, AdversarialConfig),
}
_MOST_BYTES = 1 << 30
_BIAS_UNIT = 2.0 ** (ACTIVATION_BITS + WEIGHT_BITS)
_WEIGHT_UNIT = 2.0**WEIGHT_BITS


def save_weights(network: nn.Module, path: Path, about: dict[str, Any]) -> None:
    """Keep a trained network.

    Args:
        network: a HidingNetwork or an AdversarialNetwork.
        path: a new ``.npz``; its stem is the weights' name.
        about: figures and how it was trained; JSON.
    """
    kind = next(k for k, (cls, _) in _KINDS.items() if isinstance(network, cls))
    arrays = {}
    for name, value in network.state_dict().items():
        exact = value.detach().cpu().double()
        if value.ndim > 1:
            limit = WEIGHT_LIMIT - 1 / _WEIGHT_UNIT
            units = torch.floor(exact.clamp(-limit, limit) * _WEIGHT_UNIT + 0.5)
            arrays[name] = units.numpy().astype("<i2")
        else:
            arrays[name] = torch.floor(exact * _BIAS_UNIT + 0.5).numpy().astype("<i4")
    config = network.config.to_dict()  # type: ignore[operator, union-attr]
    content = json.dumps({"kind": kind, "config": config, "about": about})
    np.savez_compressed(path, header=np.array(content), **arrays)  # type: ignore[arg-type]


def list_weights(kind: str) -> list[str]:
    """The names that :func:`load_weights` knows for a kind of network, sorted."""
    found = {path.stem for folder in _folders() for path in folder.glob("*.npz")}
    return sorted(name for name in found if about_weights(name)["kind"] == kind)


def about_weights(name: str) -> dict[str, Any]:
    """What was kept beside the weights: ``kind``, ``config`` and ``about``.

    Raises:
        InputError: there are no weights of that name, or the file is damaged.
    """
    return _read(_path(name), name)[0]


def identity(name: str) -> bytes:
    """8 bytes that tell these weights from any others.

    Raises:
        InputError: there are no weights of that name, or the file is damaged.
    """
    return _identity(_path(name), name)


@lru_cache(maxsize=8)
def load_weights(name: str, wanted: bytes, device: str) -> nn.Module:
    """A trained network, frozen, in float64.

    Args:
        name: the weights' name.
        wanted: their :func:`identity`, so that none are taken for others.
        device: a torch device.

    Raises:
        InputError: they aren't there, or aren't those wanted.
    """
    paths = [path for path in _paths(name) if _identity(path, name) == wanted]
    if not paths:
        raise InputError(
            f"The weights {name!r} here aren't those that the image was protected "
            f"with; put those into the folder that {FOLDER_VARIABLE} names"
        )
    path = paths[0]
    header, arrays = _read(path, name)
    network_class, config_class = _KINDS[header["kind"]]
    settings = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in header["config"].items()
    }
    network = network_class(config_class(**settings)).double()
    state = {
        key: torch.from_numpy(value.astype(np.float64))
        / (_WEIGHT_UNIT if value.ndim > 1 else _BIAS_UNIT)
        for key, value in arrays.items()
    }
    network.load_state_dict(state)
    return network.to(device).eval().requires_grad_(False)


def placed_network(name: str, wanted: bytes) -> tuple[nn.Module, torch.device]:
    """:func:`load_weights` on the device there is, and that device."""
    from fiftyone_reue.networks.device import choose_device

    device = choose_device()
    return load_weights(name, wanted, str(device)), device


def _folders() -> list[Path]:
    own = os.environ.get(FOLDER_VARIABLE)
    shipped = Path(str(resources.files("fiftyone_reue.invertible") / "weights"))
    return [Path(own), shipped] if own else [shipped]


def _path(name: str) -> Path:
    """The first file of that name, one's own before those shipped."""
    return _paths(name)[0]


def _paths(name: str) -> list[Path]:
    contained.bare(name)  # it may come from a record
    candidates = (folder / f"{name}.npz" for folder in _folders())
    paths = [path for path in candidates if path.is_file()]
    if not paths:
        raise InputError(
            f"There are no weights {name!r}; put {name}.npz into a folder and name the "
            f"folder in {FOLDER_VARIABLE}"
        )
    return paths


@lru_cache(maxsize=32)
def _read(path: Path, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        arrays = read_arrays(path, _MOST_BYTES)
        return json.loads(str(arrays.pop("header"))), arrays
    except (ValueError, KeyError, OSError, DamagedRecordError) as error:
        raise InputError(
            f"{path}: these aren't weights for {name!r}; train or fetch them again"
        ) from error


@lru_cache(maxsize=32)
def _identity(path: Path, name: str) -> bytes:
    header, arrays = _read(path, name)
    digest = hashlib.sha256()
    digest.update(json.dumps([header["kind"], header["config"]]).encode())
    for key in sorted(arrays):
        digest.update(key.encode() + arrays[key].tobytes())
    return digest.digest()[:8]
