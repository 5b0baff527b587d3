"""The networks by name: victims of the audit, and surrogates of the methods.

Importing this needs no torch; :func:`create_network` does.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

DEFAULT_NETWORK = "small_resnet"


@dataclass(frozen=True)
class NetworkInfo:
    """What a user must know of a network before choosing it.

    Attributes:
        name: the registry's key.
        title: a few words for a menu or a table.
        paper: where it comes from.
        module: the module in this package that has ``build(classes, size)``.
        gpu: whether it is too slow without a GPU for more than a try.
        optimiser: "sgd" or "adamw".
        learning_rate: the one-cycle schedule's peak; None leaves the recipe's.
        weight_decay: None leaves the recipe's.
    """

    name: str
    title: str
    paper: str
    module: str
    gpu: bool = True
    optimiser: str = "sgd"
    learning_rate: float | None = None
    weight_decay: float | None = None

    def adapted(self, recipe: Recipe) -> Recipe:
        """The recipe with this network's optimiser and rates."""
        rate, decay = self.learning_rate, self.weight_decay
        return replace(
            recipe,
            optimiser=self.optimiser,
            learning_rate=recipe.learning_rate if rate is None else rate,
            weight_decay=recipe.weight_decay if decay is None else decay,
        )


_NETWORKS = {
    info.name: info
    for info in (
        NetworkInfo(
            "small_resnet",
            "Small residual network",
            "He et al., CVPR 2016, arXiv:1512.03385, section 4.2",
            "small_resnet",
            gpu=False,
        ),
        NetworkInfo(
            "resnet18", "ResNet-18", "He et al., CVPR 2016, arXiv:1512.03385", "resnet"
        ),
        NetworkInfo(
            "resnet50", "ResNet-50", "He et al., CVPR 2016, arXiv:1512.03385", "resnet"
        ),
        NetworkInfo(
            "densenet121",
            "DenseNet-121",
            "Huang et al., CVPR 2017, arXiv:1608.06993",
            "densenet",
        ),
        NetworkInfo(
            "vgg19",
            "VGG-19 with batch normalisation",
            "Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556",
            "vgg",
            learning_rate=0.05,
        ),
        NetworkInfo(
            "mobilenet_v2",
            "MobileNetV2",
            "Sandler et al., CVPR 2018, arXiv:1801.04381",
            "mobilenet",
            learning_rate=0.05,
        ),
        NetworkInfo(
            "vit_small",
            "ViT, small",
            "Dosovitskiy et al., ICLR 2021, arXiv:2010.11929",
            "vit",
            optimiser="adamw",
            learning_rate=1e-3,
            weight_decay=0.05,
        ),
        NetworkInfo(
            "mlp",
            "Multilayer perceptron",
            "Rumelhart et al., Nature 323, 1986",
            "mlp",
            gpu=False,
            learning_rate=0.02,
        ),
        NetworkInfo(
            "pretrained_probe",
            "Pretrained ResNet, new head only",
            "Kornblith et al., CVPR 2019, arXiv:1805.08974",
            "pretrained",
            learning_rate=0.01,
        ),
        NetworkInfo(
            "pretrained_finetune",
            "Pretrained ResNet, fine-tuned",
            "Kornblith et al., CVPR 2019, arXiv:1805.08974",
            "pretrained",
            learning_rate=0.01,
        ),
    )
}


def list_networks() -> list[NetworkInfo]:
    """Every network's description, the default one first."""
    return list(_NETWORKS.values())


def network_info(name: str) -> NetworkInfo:
    """The description of the network of that name.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    if name not in _NETWORKS:
        raise InputError(
            f"There is no network {name!r}; choose one of {', '.join(_NETWORKS)}"
        )
    return _NETWORKS[name]


def create_network(name: str, classes: int, size: int, *, seed: int) -> nn.Module:
    """A network with random weights.

    Args:
        name: a name from :func:`list_networks`.
        classes: how many logits.
        size: the images' side in pixels, 16 or more. Up to 48 pixels, the stems
            keep the resolution, as is usual for CIFAR.
        seed: of the weights.

    Returns:
        A module from ``(N, 3, size, size)`` float32 in [0, 1] to ``(N, classes)``
        logits, on the CPU, in training mode; it normalises its input itself.

    Raises:
        InputError: there is no network of that name.
    """
    import torch

    module = importlib.import_module(f"{__package__}.{network_info(name).module}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        return module.build(name, classes, size)
