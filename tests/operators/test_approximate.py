"""Approximations, by the operator that restores."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.media.codec import load

pytestmark = pytest.mark.integration


def test_the_form_warns_and_asks_for_nothing_by_default(
    dataset: Any, form: Any, alice: Path
) -> None:
    def asks(**params: Any) -> dict:
        return form("restore_dataset", dataset, **params)

    assert "output_dir" in asks()
    assert not {"approximate", "records"} & set(asks())
    licensed = asks(tier="licensed")
    assert licensed["approximate"]["default"] is False
    assert "Warning" in licensed["approximate"]["view"]["description"]
    assert "records" not in licensed
    asked = asks(tier="licensed", approximate=True, records="here")
    assert not asked["records"].get("required")
    assert asked["records"]["error_message"] == "Give the whole path, from / on"


def test_copies_that_were_edited_in_place(
    dataset: Any, operator: Any, alice: Path, said: Any, tmp_path: Path
) -> None:
    view = dataset[:4]
    operator("protect_dataset")(
        view, recipient="alice", output_dir=str(tmp_path / "alice"), method="lsp"
    )
    copies = view.values("protected_filepath")
    shutil.copytree(tmp_path / "alice", tmp_path / "delivered")
    for path in copies[:2]:
        pixels = np.asarray(Image.open(path)).copy()
        pixels[:3] = 255
        Image.fromarray(pixels).save(path)
    restore = operator("restore_dataset")
    arguments = {"tier": "licensed", "recipient": "alice"}

    plain = said(restore(view, str(tmp_path / "w"), **arguments))[0]
    assert "Restored 2 licensed copies exactly" in plain
    assert "2 failed" in plain
    assert "--approximate" in plain
    assert not list((tmp_path / "w").rglob("*.approximate.png"))

    near = restore(
        view,
        str(tmp_path / "w"),
        **arguments,
        approximate=True,
        records=str(tmp_path / "delivered"),
    )
    text = said(near)[0]
    assert "Restored 0 licensed copies exactly, 2 were there already" in text
    assert "2 images are only approximate" in text
    assert "PSNR against the licensed copy is" in text
    dataset.reload()
    restored = view.values("restored_filepath")
    endings = [path.endswith(".approximate.png") for path in restored]
    assert endings == [True, True, False, False]
    assert load(restored[0]).record is None

    with pytest.raises(Exception, match="Only licensed copies can be approximated"):
        restore(view, str(tmp_path / "o"), approximate=True)
