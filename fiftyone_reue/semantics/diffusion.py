"""Stable Diffusion with a ControlNet, by diffusers, which need not be installed.

Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR
2022, arXiv:2112.10752; Zhang et al., "Adding Conditional Control to Text-to-Image
Diffusion Models", ICCV 2023, arXiv:2302.05543. Weights are the user's matter: none are
shipped. Only safetensors are read, since a pickle can run any code.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fiftyone_reue.errors import MissingPackageError, ModelError

# diffusers comes last: while it is imported it notes for good what else there is.
_PACKAGES = ("accelerate", "skimage.feature", "transformers", "diffusers")
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Painting:
    """What an image is drawn from, besides the noise that it begins as.

    Attributes:
        prompt: what it shows.
        negative_prompt: what it doesn't.
        condition: ``(S, S)`` uint8, 255 along edges, else 0; see :func:`edge_map`.
        steps: of denoising.
        guidance: how far the prompt leads; up to 1 the negative prompt has no effect.
        conditioning: how far the edges lead.
    """

    prompt: str
    negative_prompt: str
    condition: np.ndarray
    steps: int
    guidance: float
    conditioning: float


def edge_map(image: np.ndarray) -> np.ndarray:
    """White lines one pixel wide on black, as ControlNets for Canny edges want them.

    Args:
        image: ``(H, W, 3)`` uint8.

    Returns:
        ``(H, W)`` uint8, 0 or 255.
    """
    from skimage.feature import canny

    luma = np.asarray(Image.fromarray(image).convert("L"))
    return canny(luma / 255).astype(np.uint8) * 255


def load_pipeline(model: str, controlnet: str, device: str) -> Any:
    """A ``StableDiffusionControlNetPipeline``: float16 on CUDA, float32 elsewhere.

    An existing folder is read without asking the network for anything; any other name
    is one on the Hugging Face Hub. A safety checker that the model has stays on.

    Args:
        model: folder or name of a Stable Diffusion model.
        controlnet: folder or name of a ControlNet made for it.
        device: where to compute, see
            :func:`fiftyone_reue.networks.device.choose_device`.

    Raises:
        InputError: there is no such device.
        MissingPackageError: diffusers or what it needs isn't installed.
        ModelError: a model can't be loaded, or there isn't enough memory.
    """
    import torch

    from fiftyone_reue.networks.device import choose_device

    where = choose_device(device)
    control_kind, pipeline_kind = _kinds()
    precision = torch.float16 if where.type == "cuda" else torch.float32
    control = _loaded(control_kind, controlnet, "--controlnet", dtype=precision)
    pipeline = _loaded(
        pipeline_kind, model, "--model", dtype=precision, controlnet=control
    )
    try:
        pipeline.to(where)
    except Exception as error:
        if _lacks_memory(error):
            raise _no_room(f"{model} on {where}") from error
        raise
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def checks_images(pipeline: Any) -> bool:
    """Whether the model has a safety checker, which blackens what it refuses."""
    return pipeline.safety_checker is not None


def painted(pipeline: Any, painting: Painting, seed: int) -> Image.Image | None:
    """Draw one image.

    Args:
        pipeline: see :func:`load_pipeline`.
        painting: what to draw.
        seed: 0..2**63 - 1, of the noise, which is drawn on the processor: it is the
            same whatever device computes the rest.

    Returns:
        RGB, of the condition's size. None if it is all black, be it because the model's
        safety checker refused it, or because float16 overflowed.

    Raises:
        ModelError: there isn't enough memory, or model and ControlNet don't fit.
    """
    import torch

    condition = Image.fromarray(painting.condition).convert("RGB")
    try:
        made = pipeline(
            painting.prompt,
            image=condition,
            width=condition.width,
            height=condition.height,
            negative_prompt=painting.negative_prompt,
            num_inference_steps=painting.steps,
            guidance_scale=painting.guidance,
            controlnet_conditioning_scale=painting.conditioning,
            generator=torch.Generator().manual_seed(seed),
        )
    except Exception as error:
        # The networks are other people's; whatever doesn't fit shows only here.
        if _lacks_memory(error):
            raise _no_room(f"{condition.width} pixels a side") from error
        raise ModelError(
            "This model can't draw with this ControlNet; take one that was made for "
            f"the model and for Canny edges ({_reason(error)})"
        ) from error
    image = made.images[0].convert("RGB")
    return None if any(made.nsfw_content_detected or ()) or _is_black(image) else image


def _kinds() -> tuple[Any, Any]:
    """The classes of ControlNets and of pipelines."""
    try:
        for name in _PACKAGES:
            importlib.import_module(name)
        from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
    except (ImportError, RuntimeError) as error:
        # diffusers says RuntimeError where its parts can't import what they need.
        raise MissingPackageError(
            "Generating images needs diffusers: pip install 'fiftyone-reue[generate]' "
            f"({_reason(error)})"
        ) from error
    return ControlNetModel, StableDiffusionControlNetPipeline


def _loaded(kind: Any, name: str, option: str, **options: Any) -> Any:
    folder = Path(name).expanduser()
    here = folder.is_dir()
    try:
        return kind.from_pretrained(
            str(folder) if here else name,
            local_files_only=here,
            use_safetensors=True,
            **options,
        )
    except Exception as error:
        # A folder can hold anything, and a network fail in any way.
        if _lacks_memory(error):
            raise _no_room(name) from error
        if here:
            raise ModelError(
                f"{name}: no model can be loaded from this folder; name one in the "
                f"layout of diffusers, with safetensors, by {option} "
                f"({_reason(error)})"
            ) from error
        raise ModelError(
            f"{name}: there is no such folder, and the Hugging Face Hub didn't give a "
            f"model of that name; name a local folder by {option}, or check the name "
            f"and the internet connection ({_reason(error)})"
        ) from error


def _lacks_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch has no class of its own for the processor's memory.
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in said or "allocate memory" in said
    )


def _no_room(what: str) -> ModelError:
    return ModelError(
        f"There isn't enough memory for {what}; give a smaller --side, close what else "
        "uses the memory, or take --device cpu"
    )


def _reason(error: Exception) -> str:
    """The first line of what somebody else's error says."""
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + "..."


def _is_black(image: Image.Image) -> bool:
    return not np.asarray(image).any()
