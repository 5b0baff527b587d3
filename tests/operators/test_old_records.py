"""What the operator says of records that it can't read, or that tell too little."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.releases.originals import UNKNOWN
from tests.vault.attacks import held_in_mongo

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parents[1] / "golden" / "0.1"


@pytest.fixture
def old(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Copies of version 0.1 as samples, and their vault in FiftyOne's database."""
    import fiftyone as fo

    shutil.copytree(GOLDEN, tmp_path / "golden")
    key = tmp_path / "golden" / "vault" / "owner.key"
    key.chmod(0o600)
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "fo" / "config.json"))
    monkeypatch.setenv("REUE_OWNER_KEY_FILE", str(key))
    held_in_mongo(database, key.parent / "ledger.sqlite", tmp_path)
    dataset = fo.Dataset()
    for path in sorted((tmp_path / "golden" / "lsp").rglob("*.png")):
        sample = fo.Sample(filepath=str(path), protected_filepath=str(path))
        dataset.add_sample(sample)
    yield dataset
    dataset.delete()


def test_a_record_that_nobody_knows_more_of_gives_the_pixels(
    old: Any, operator: Any, said: Callable[[Any], list[str]], tmp_path: Path
) -> None:
    from fiftyone_reue.samples import open_vault, restore_samples

    vault = open_vault()
    for release in vault.ledger.releases():
        vault.ledger.delete_release(release.id)
    found = restore_samples(old, output_dir=tmp_path / "python", progress=False)
    assert (found.restored, found.failures) == (len(old), [])
    assert set(found.differing.values()) == {UNKNOWN}
    assert UNKNOWN in found.text()
    (text,) = said(operator("restore_dataset")(old, output_dir=str(tmp_path / "app")))
    assert text.startswith(f"Restored {len(old)} originals exactly")
    assert UNKNOWN in text


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda record: record[:-1], "damaged"),
        (
            lambda record: record[:4] + bytes([record[4] | 0x1F]) + record[5:],
            "update fiftyone-reue",
        ),
    ],
    ids=["cut", "newer"],
)
def test_a_record_that_can_not_be_read_is_named_and_the_rest_restored(
    broken: Callable[[bytes], bytes],
    words: str,
    old: Any,
    operator: Any,
    said: Callable[[Any], list[str]],
    tmp_path: Path,
) -> None:
    from fiftyone_reue.samples import restore_samples

    path = Path(old.first().filepath)
    loaded = load(path)
    assert loaded.record is not None
    path.write_bytes(encode(loaded.raster, "PNG", broken(loaded.record)))
    found = restore_samples(old, output_dir=tmp_path / "python", progress=False)
    assert found.restored == len(old) - 1
    (failure,) = found.failures
    assert failure.sample_id == old.first().id
    assert words in failure.reason
    (text,) = said(operator("restore_dataset")(old, output_dir=str(tmp_path / "app")))
    assert "1 failed" in text
    assert words in text
