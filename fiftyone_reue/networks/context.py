"""Where networks are trained, and with which draws: known without loading torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrainingContext:
    """What every function that trains a network is given beside its data.

    Attributes:
        seed: of every draw.
        device: "auto", "cpu" or a torch device.
    """

    seed: int
    device: str = "auto"

    def torch_device(self) -> torch.device:
        """The device to train on.

        Raises:
            InputError: the device isn't there.
        """
        from fiftyone_reue.networks.device import choose_device

        return choose_device(self.device)

    def generator(self) -> torch.Generator:
        """A generator on the processor that begins at the seed, new at every call."""
        import torch

        return torch.Generator().manual_seed(self.seed)
