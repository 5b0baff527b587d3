"""The networks that methods make their noise with: asked, frozen, kept in a State."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.device import autocast, few_threads
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import create_network, network_info
from fiftyone_reue.perturb.base import State

STORABLE_BYTES = 4_000_000
"""The most that a state's arrays may hold: they are kept in the ledger."""

_PREFIX = "weights/"


@dataclass(frozen=True)
class Alternated:
    """What alternating steps of a surrogate and of the noise end with.

    Attributes:
        network: the surrogate, in evaluation mode.
        noise: ``(N, 3, S, S)`` float32 parts of the range; ``(classes, 3, S, S)`` where
            a class shares it.
        figures: surrogate, size, amplitude and images; with others worth showing.
    """

    network: nn.Module
    noise: torch.Tensor
    figures: dict[str, Any]


def alternated(
    steps: Generator[float, None, Alternated],
) -> Generator[float, None, Alternated]:
    """Run an alternation on few threads, and note how long it took.

    Args:
        steps: of the alternation.

    Yields:
        The fraction done.
    """
    started = time.monotonic()
    with few_threads():
        made = yield from steps
    made.figures["seconds"] = round(time.monotonic() - started, 1)
    return made


def create_surrogate(
    name: str, classes: int, size: int, seed: int, device: torch.device
) -> nn.Module:
    """A new network on the device, channels_last, in training mode.

    Args:
        name: a name from :mod:`fiftyone_reue.networks.registry`.
        classes: how many logits.
        size: the images' side in pixels.
        seed: of the weights.
        device: where to compute.

    Raises:
        InputError: there is no network of that name.
    """
    network = create_network(name, classes, size, seed=seed)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def create_optimiser(
    network: nn.Module, name: str, weight_decay: float
) -> torch.optim.Optimizer:
    """SGD with momentum 0.9 and rate 0.1, unless the network is known to need else.

    Args:
        network: what to optimise.
        name: its name in the registry, which may have an optimiser and rates of its
            own for it (AdamW for transformers).
        weight_decay: where the registry has none.
    """
    recipe = network_info(name).adapted(Recipe(weight_decay=weight_decay))
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(
            network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    return torch.optim.SGD(
        network.parameters(),
        recipe.learning_rate,
        momentum=0.9,
        weight_decay=recipe.weight_decay,
    )


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """The network in evaluation mode and without weight gradients while inside."""
    learned = [p for p in network.parameters() if p.requires_grad]
    training = network.training
    network.eval()
    for parameter in learned:
        parameter.requires_grad_(False)
    try:
        yield network
    finally:
        for parameter in learned:
            parameter.requires_grad_(True)
        network.train(training)


def logits_of(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """``(N, 3, S, S)`` float32 in [0, 1] to ``(N, classes)`` float32 logits."""
    with autocast(images.device):
        return network(images).float()


def class_loss(
    network: nn.Module, wanted: torch.Tensor | int, images: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of a network's logits, summed over the images.

    Summed, so that an image's gradient does not depend on how many others are in the
    batch.

    Args:
        network: the classifier.
        wanted: ``(N,)`` int64 classes, or one class for all images.
        images: ``(N, 3, S, S)`` float32 in [0, 1].
    """
    logits = logits_of(network, images)
    labels = torch.as_tensor(wanted, device=images.device).expand(len(images))
    return functional.cross_entropy(logits, labels, reduction="sum")


def lead(logits: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """By how much the true class is too far ahead (Carlini and Wagner, S&P 2017).

    Args:
        logits: ``(N, classes)``.
        labels: ``(N,)`` int64, the true classes.
        margin: logits by which another class is to lead.

    Returns:
        The mean over the images, 0 once all are led.
    """
    true = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return functional.relu(true - others + margin).mean()


def lead_loss(
    network: nn.Module, labels: torch.Tensor, margin: float, images: torch.Tensor
) -> torch.Tensor:
    """:func:`lead` of a network's logits, summed over the images; see
    :func:`class_loss` for why.

    Args:
        network: the classifier.
        labels: ``(N,)`` int64, the true classes.
        margin: logits by which another class is to lead.
        images: ``(N, 3, S, S)`` float32 in [0, 1].
    """
    return lead(logits_of(network, images), labels, margin) * len(images)


def features_of(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What the network's last linear layer gets.

    Args:
        network: has at least one ``nn.Linear``, and the one defined last makes the
            logits, as in every network of the registry.
        images: ``(N, 3, S, S)`` float32 in [0, 1].

    Returns:
        ``(N, features)`` float32, differentiable by the images.
    """
    caught: list[torch.Tensor] = []
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    handle = last.register_forward_pre_hook(
        lambda _, inputs: caught.append(inputs[0].float())
    )
    try:
        logits_of(network, images)
    finally:
        handle.remove()
    return caught[0]


def require_storable(name: str, classes: int, size: int) -> None:
    """Refuse a network whose weights are too many for a State.

    Raises:
        InputError: they are, or there is no network of that name.
    """
    network = create_network(name, classes, size, seed=0)
    stored = sum(array.nbytes for array in stored_weights(network).values())
    if stored > STORABLE_BYTES:
        raise InputError(
            f"Choose a smaller surrogate than {name}, such as small_resnet: its "
            f"weights take {stored / 1e6:.1f} MB, and a release keeps at most "
            f"{STORABLE_BYTES / 1e6:.0f} MB"
        )


def stored_weights(network: nn.Module, prefix: str = "") -> dict[str, np.ndarray]:
    """A network's weights as arrays of a State, whose names begin with the prefix.

    Matrices and kernels become float16. Vectors stay float32: they are few, and the
    variances that batch normalisation keeps can leave float16's range.
    """
    arrays = {}
    for name, value in network.state_dict().items():
        kept = value.half() if value.is_floating_point() and value.ndim > 1 else value
        arrays[prefix + _PREFIX + name] = kept.cpu().contiguous().numpy()
    return arrays


def fitted_state(
    method: str,
    classes: tuple[str, ...],
    network: nn.Module,
    summary: dict[str, Any],
    **arrays: np.ndarray,
) -> State:
    """A State that holds a network's weights.

    Args:
        method: the method's registry key.
        classes: the class names.
        network: of the name in ``summary["surrogate"]``, for images of
            ``summary["size"]`` pixels.
        summary: those two, ``amplitude``, and figures worth showing.
        arrays: whatever else the method keeps.
    """
    return State(method, classes, {**arrays, **stored_weights(network)}, summary)


def restored(state: State, device: torch.device) -> nn.Module:
    """The network that :func:`fitted_state` kept, on the device and frozen."""
    summary = state.summary
    return restored_network(state, summary["surrogate"], summary["size"], device)


def restored_network(
    state: State, name: str, size: int, device: torch.device, prefix: str = ""
) -> nn.Module:
    """A network that :func:`stored_weights` kept, on the device and frozen.

    It is built once for a state: some methods ask for it for every image.

    Args:
        state: holds the weights.
        name: the network's name in the registry.
        size: the images' side in pixels.
        device: where to compute.
        prefix: as when it was stored.
    """
    key = ("network", name, size, str(device), prefix)
    if key in state.built:
        return state.built[key]
    network = create_surrogate(name, len(state.classes), size, 0, device)
    start = prefix + _PREFIX
    weights = {
        name.removeprefix(start): torch.from_numpy(array)
        for name, array in state.arrays.items()
        if name.startswith(start)
    }
    network.load_state_dict(weights)
    state.built[key] = network.eval().requires_grad_(False)
    return state.built[key]


def batches(
    count: int, batch: int, generator: torch.Generator, device: torch.device
) -> Iterator[torch.Tensor]:
    """One pass over ``count`` images in random order, at most ``batch`` at a time.

    Yields:
        ``(n,)`` int64 indices in 0..count-1, on the device.
    """
    order = torch.randperm(count, generator=generator)
    for start in range(0, count, batch):
        yield order[start : start + batch].to(device)
