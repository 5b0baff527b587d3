"""A Stable Diffusion and ControlNets of a few thousand numbers, drawn at random."""

from pathlib import Path

import pytest
import torch

LETTERS = [chr(number) for number in range(ord("a"), ord("z") + 1)]


def _unet(width):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(4, 8),
        layers_per_block=1,
        sample_size=32,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=width,
        norm_num_groups=2,
        attention_head_dim=2,
    )


def _controlnet(width):
    from diffusers import ControlNetModel

    made = ControlNetModel.from_unet(
        _unet(width), conditioning_embedding_out_channels=(4, 4, 4, 8)
    )
    for values in made.parameters():  # as they begin, edges would have no effect
        torch.nn.init.normal_(values, std=0.5)
    return made


def _autoencoder():
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(4,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=2,
    )


def _text_encoder():
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=100,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def _tokenizer():
    from transformers import CLIPTokenizer

    marks = ["<|startoftext|>", "<|endoftext|>"]
    words = [*marks, *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    numbers = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=numbers, merges=[], model_max_length=77)


def _checker(threshold):
    """Refuses what is as near to any concept as that: all from -2, none from 2."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    layers = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1}
    layers["num_attention_heads"] = 2
    seen = {**layers, "image_size": 32, "patch_size": 16}
    config = CLIPConfig(text_config=layers, vision_config=seen, projection_dim=8)
    made = StableDiffusionSafetyChecker(config)
    torch.nn.init.constant_(made.concept_embeds_weights, threshold)
    torch.nn.init.constant_(made.special_care_embeds_weights, 2.0)
    return made


def _save_model(folder, checker):
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPImageProcessor

    sides = {"height": 32, "width": 32}
    StableDiffusionPipeline(
        vae=_autoencoder(),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(),
        unet=_unet(8),
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=checker,
        feature_extractor=checker
        and CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=sides),
        requires_safety_checker=checker is not None,
    ).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory) -> Path:
    """A folder with the models ``plain``, ``lenient`` and ``strict`` (the latter two
    with safety checkers), ``controlnet``, and ``other``, which fits none of them."""
    pytest.importorskip("diffusers")
    folder = tmp_path_factory.mktemp("tiny")
    with torch.random.fork_rng(devices=[]):
        for name, threshold in (("plain", None), ("lenient", 2.0), ("strict", -2.0)):
            torch.manual_seed(0)
            _save_model(folder / name, threshold and _checker(threshold))
        _controlnet(8).save_pretrained(folder / "controlnet")
        _controlnet(16).save_pretrained(folder / "other")
    return folder
