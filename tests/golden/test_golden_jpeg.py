"""JPEG files of past versions' releases restore for ever, byte for byte."""

import collections
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from fiftyone_reue.batch.folders import image_items
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.jpeg_coefficients.decoding import decoded
from fiftyone_reue.perturb.coefficients import (
    ByExpansion,
    ByOffsets,
    ByPattern,
    BySteps,
    unpack,
)
from fiftyone_reue.perturb.rue import expansion, shades, surroundings
from fiftyone_reue.progress import finish
from fiftyone_reue.vault import records
from fiftyone_reue.vault.key_files import read_key_file
from fiftyone_reue.vault.vault import open_folder
from fiftyone_reue.workflows.extract import extract
from fiftyone_reue.workflows.restore import restore_licensed, restore_original

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent / "jpeg"
VERSIONS = sorted(path.name for path in HERE.iterdir())
METHODS = ("rue", "rue_gratings", "lsp")
IMAGES = 18


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, since opening an old vault brings it up to date."""
    copy = tmp_path / "golden"
    shutil.copytree(HERE / request.param, copy)
    for path in (copy / "vault" / "owner.key", copy / "alice.key"):
        path.chmod(0o600)
    return copy


def test_there_is_a_version() -> None:
    assert VERSIONS == ["0.2.dev0", "0.2.dev1", "0.2.dev2", "0.2.dev3"]


def test_all_ways_back_are_in_them() -> None:
    found: collections.Counter[str] = collections.Counter()
    for path in HERE.rglob("*.jpg"):
        key = read_key_file(HERE / path.relative_to(HERE).parts[0] / "alice.key")
        loaded = load(path)
        assert loaded.record is not None
        envelope = records.unpack(loaded.record)
        assert envelope.header.in_coefficients
        content = records.open_recipient(envelope, key.key, key.key_id).content
        way = unpack(content, loaded.raster.samples.shape[:2])
        found[type(way).__name__] += 1
        if isinstance(way, ByExpansion):
            kinds = {expansion.VERSION: "expansion", shades.VERSION: "shades"}
            found[kinds[way.expansion[0]]] += 1
        if isinstance(way, BySteps):
            found[f"surroundings {way.secret[0]}"] += 1
    expected = {way.__name__ for way in (ByPattern, ByOffsets, ByExpansion, BySteps)}
    forms = {f"surroundings {version}" for version in surroundings.FORMS}
    assert set(found) == expected | {"expansion", "shades"} | forms


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_both_restore_exactly(golden: Path, tmp_path: Path, method: str) -> None:
    key = read_key_file(golden / "alice.key")
    copies, licensed = golden / method, tmp_path / "w"
    summary = finish(restore_licensed(image_items(copies), copies, licensed, key))
    assert (summary.outcome.done, summary.outcome.failures) == (IMAGES, [])
    known = json.loads((golden / "known.json").read_text())
    assert digests(licensed) == known[method]
    vault = open_folder(golden / "vault", secrets={})
    with vault.ledger:
        for source in (copies, licensed):
            output = tmp_path / f"from_{source.name}"
            summary = finish(restore_original(vault, image_items(source), output))
            assert (summary.outcome.done, summary.differing) == (IMAGES, {})
            assert digests(output) == known["originals"]
            assert_near(source, output)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_leak_is_traced(golden: Path, tmp_path: Path, method: str) -> None:
    items = image_items(golden / method)
    vault = open_folder(golden / "vault", secrets={})
    with vault.ledger:
        finish(restore_original(vault, items, tmp_path / "o"))
        summary = finish(extract(vault, items, originals_folder=tmp_path / "o"))
    assert (summary.named, summary.evidence.images) == ("alice", IMAGES)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*.jpg")
    }


def assert_near(copies: Path, originals: Path) -> None:
    """Within epsilon, as decoders show them."""
    for path in copies.rglob("*.jpg"):
        original = (originals / path.relative_to(copies)).read_bytes()
        change = decoded(path.read_bytes()).astype(int) - decoded(original)
        assert 0 < abs(change).max() <= 8
