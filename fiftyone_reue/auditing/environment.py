"""What an audit ran on, for its report."""

from __future__ import annotations

import os
import platform

from fiftyone_reue import __version__


def environment(device: str) -> dict[str, str]:
    """Versions and the device's name.

    Args:
        device: "auto", "cpu" or a torch device.
    """
    import numpy as np
    import torch
    import torchvision

    from fiftyone_reue.networks.device import choose_device

    chosen = choose_device(device)
    if chosen.type == "cuda":
        name = torch.cuda.get_device_name(chosen)
    else:
        name = f"{platform.machine()} processor, {os.cpu_count()} cores"
    return {
        "fiftyone-reue": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "device": name,
    }
