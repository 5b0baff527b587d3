"""What networks compute for many images at once makes the same release."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import api, together
from fiftyone_reue.batch import pipeline
from fiftyone_reue.invertible.hiding import HidingNetwork
from fiftyone_reue.releases import prepare
from fiftyone_reue.vault.vault import Vault, open_folder
from tests.workflows.engines import copied, files

pytestmark = [pytest.mark.slow, pytest.mark.integration]


def _images(folder: Path) -> Path:
    generator = np.random.default_rng(5)
    for number in range(9):
        place = folder / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        small = generator.integers(30, 220, (4, 4, 3)).astype(np.uint8)
        side = 24 if number % 3 else 32
        image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
        image.save(place / f"{number}.png")
    (folder / "a" / "broken.png").write_bytes(b"nothing")
    return folder


def test_it_is_the_same_one_by_one_and_together(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _images(tmp_path / "source")
    monkeypatch.setattr(prepare, "new_id", lambda: "5" * 16)
    counts: list[int] = []
    real = HidingNetwork.hide

    def hide(self, cover, *others):
        counts.append(len(cover))
        return real(self, cover, *others)

    monkeypatch.setattr(HidingNetwork, "hide", hide)
    vaults = copied(vault, tmp_path, "alone", "together")
    made, restored, most, failed = [], [], [], []
    for name in ("alone", "together"):
        monkeypatch.setattr(together, "MOST_BEGUN", 1 if name == "alone" else 32)
        counts.clear()
        with open_folder(vaults / name) as held:
            summary = api.protect(
                source,
                tmp_path / name,
                vault=held,
                recipient="alice",
                method="deep_hiding",
                seed=7,
            )
            key = held.recipient_key(held.recipient("alice"))
        failed.append([one.sample_id for one in summary.outcome.failures])
        made.append(files(tmp_path / name))
        back = tmp_path / f"{name}_back"
        assert api.restore(tmp_path / name, back, key=key).outcome.done == 9
        restored.append(files(back))
        most.append(max(counts))
    assert failed == [["a/broken.png"]] * 2
    assert len(made[0]) == 9
    assert made[0] == made[1]
    assert restored[0] == restored[1]
    assert most == [1, 6]


@pytest.mark.parametrize(("method", "gains"), [("lsp", False), ("deep_hiding", True)])
def test_only_methods_that_gain_by_a_gpu_have_workers_ask_for_one(
    vault: Vault,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    gains: bool,
) -> None:
    asked: list[bool] = []
    real = pipeline.run

    def run(*given, gains_by_gpu: bool = False, **more):
        asked.append(gains_by_gpu)
        return real(*given, gains_by_gpu=gains_by_gpu, **more)

    monkeypatch.setattr(pipeline, "run", run)
    source = _images(tmp_path / "source")
    api.protect(source, tmp_path / "out", vault=vault, recipient="alice", method=method)
    assert asked[-1] == gains
    assert not any(asked[:-1])  # those that look at originals
