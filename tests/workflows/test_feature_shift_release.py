"""A release of a method that takes the owner's networks: JPEG and PNG, and back."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fiftyone_reue as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.vault.vault import Vault
from tests.extractors import TinyExtractor, exported

pytestmark = pytest.mark.slow


@pytest.fixture
def source(tmp_path) -> Path:
    """Two classes of two PNG and two JPEG files each."""
    draw = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 180)):
        folder = tmp_path / "source" / label
        folder.mkdir(parents=True)
        for place in range(4):
            coarse = draw.integers(level - 50, level + 50, (9, 12, 3))
            small = Image.fromarray(coarse.astype(np.uint8))
            suffix = ("png", "jpg")[place % 2]
            small.resize((96, 72), Image.Resampling.BICUBIC).save(
                folder / f"{place}.{suffix}", quality=90
            )
    return tmp_path / "source"


@pytest.fixture
def house(tmp_path) -> Iterator[Vault]:
    with reue.create_vault(tmp_path / "vault", plain_key_file=True) as vault:
        vault.add_recipient("bob")
        yield vault


def test_copies_come_back_without_the_networks(house, source, tmp_path, monkeypatch):
    program = exported(TinyExtractor().eval(), tmp_path / "tiny.pt2", side=64)
    monkeypatch.setenv("REUE_PRETRAINED", str(program))
    out = tmp_path / "out"
    settings = {"method": "feature_shift", "options": {"steps": 2, "cells": 36}}
    made = reue.protect(source, out, vault=house, recipient="bob", **settings)
    assert made.outcome.failures == []
    monkeypatch.delenv("REUE_PRETRAINED")
    files = sorted(one.relative_to(source) for one in source.rglob("*.*"))
    assert len(files) == 8
    for file in files:
        assert (out / file).read_bytes() != (source / file).read_bytes()
    key = house.recipient_key(house.recipient("bob"))
    licensed = reue.restore(out, tmp_path / "w", key=key)
    assert licensed.outcome.failures == []
    assert licensed.differing == {}
    reue.restore(out, tmp_path / "o", vault=house)
    for file in files:
        back = (tmp_path / "o" / file).read_bytes()
        assert back == (source / file).read_bytes()


def test_without_networks_nothing_is_made(house, source, tmp_path, monkeypatch):
    monkeypatch.delenv("REUE_PRETRAINED", raising=False)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="REUE_PRETRAINED"):
        reue.protect(source, out, vault=house, recipient="bob", method="feature_shift")
    assert not [*out.rglob("*.png"), *out.rglob("*.jpg")]
