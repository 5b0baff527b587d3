"""What :mod:`fiftyone_reue.semantics.generator` draws with; quick to import."""

from __future__ import annotations

from dataclasses import dataclass

MOST_IMAGES = 999
"""A class's images have numbers of three digits, so that names sort by number."""
LARGEST_SIDE = 1024


@dataclass(frozen=True)
class GeneratorConfig:
    """What draws, and how.

    Attributes:
        model: folder with a Stable Diffusion model in the layout of diffusers, or its
            name on the Hugging Face Hub.
        controlnet: the same of a ControlNet for Canny edges, made for that model.
        prompt: what to draw; ``{label}`` stands for the class.
        negative_prompt: what not to draw.
        steps: of denoising, at least 1.
        guidance: how far the prompt leads, at least 0.
        conditioning: how far the edges lead, at least 0.
        images: of each class, 1..:data:`MOST_IMAGES`. Deep Hiding takes the first 8.
        side: in pixels, a multiple of 64 up to :data:`LARGEST_SIDE`.
        seed: what scenes and noise follow from, at least 0.
        device: where to compute, "auto" for a GPU where there is one.
    """

    model: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    controlnet: str = "lllyasviel/sd-controlnet-canny"
    prompt: str = "a photo of {label}"
    negative_prompt: str = "blurry, low contrast, text, watermark"
    steps: int = 30
    guidance: float = 7.5
    conditioning: float = 1.0
    images: int = 8
    side: int = 512
    seed: int = 0
    device: str = "auto"
