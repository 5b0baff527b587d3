"""Restoring, both tiers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError, RevokedKeyError
from tests.samples.datasets import COUNT, pixels, rows_of

pytestmark = pytest.mark.integration


def test_both_tiers_are_exact(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    back = reue.restore_samples(dataset, output_dir=tmp_path / "back", progress=False)
    assert (back.tier, back.restored, back.failures) == ("original", COUNT, [])
    for original, restored in rows_of(dataset, "filepath", "restored_filepath"):
        assert restored.startswith(str(tmp_path / "back"))
        np.testing.assert_array_equal(pixels(original), pixels(restored))
    licensed = reue.restore_samples(
        dataset, output_dir=tmp_path / "licensed", recipient="alice", progress=False
    )
    assert (licensed.tier, licensed.restored) == ("licensed", COUNT)
    (release,) = vault.ledger.releases()
    digests = {r.sample_id: r.digest_w for r in vault.ledger.records(release.id)}
    from fiftyone_reue.media.codec import load
    from fiftyone_reue.media.digest import sample_digest

    for key, restored in rows_of(dataset, "id", "restored_filepath"):
        assert sample_digest(load(restored).raster.samples) == digests[key]
    assert "restored_filepath" in dataset.app_config.media_fields
    again = reue.restore_samples(
        dataset, output_dir=tmp_path / "licensed", recipient="alice", progress=False
    )
    assert (again.restored, again.skipped) == (0, COUNT)


def test_originals_get_their_names_again(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    """But for two of one name: whose file it were would depend on who came first."""
    first, second = dataset[:1].first(), dataset[1:2].first()
    third = dataset[2:3].first()
    for sample, place in ((first, "x/same.png"), (second, "y/same.png")):
        moved = tmp_path / place
        moved.parent.mkdir()
        Path(sample.filepath).rename(moved)
        sample.filepath = str(moved)
        sample.save()
    protect(dataset)
    before = tmp_path / "before"
    dataset.reload()
    copy = Path(dataset[third.id].protected_filepath)
    tagged = f"{Path(third.filepath).parent.name}/{copy.stem}"
    (before / tagged).parent.mkdir(parents=True)
    (before / f"{tagged}.png").write_bytes(Path(third.filepath).read_bytes())

    for output in (tmp_path / "back", before):
        back = reue.restore_samples(dataset, output_dir=output, progress=False)
        assert (back.restored + back.skipped, back.failures) == (COUNT, [])
        dataset.reload()
        for sample in dataset:
            restored = Path(sample.restored_filepath)
            own = Path(sample.filepath)
            assert restored.read_bytes() == own.read_bytes()
            assert restored.parent.name == sample.ground_truth.label
            keeps = sample.id in (first.id, second.id)
            keeps = keeps or (output == before and sample.id == third.id)
            assert (restored.name != own.name) == keeps
    assert len(list((tmp_path / "back").rglob("*.png"))) == COUNT
    assert len(list(before.rglob("*.png"))) == COUNT


def test_what_can_not_be_restored(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    output = tmp_path / "back"

    def restore(**options: Any) -> Any:
        options.setdefault("output_dir", output)
        return reue.restore_samples(dataset, progress=False, **options)

    with pytest.raises(InputError, match=f"Of {COUNT} samples none"):
        restore()
    with pytest.raises(InputError, match="no release of this dataset for bob"):
        restore(recipient="bob")
    protect(dataset[:6])
    with pytest.raises(InputError, match="is for alice"):
        restore(recipient="bob", release="alice_1")
    with pytest.raises(InputError, match="no release 'x'; there are: alice_1"):
        restore(release="x")
    with pytest.raises(InputError, match="overwritten"):
        restore(output_dir=tmp_path / "alice")
    with pytest.raises(InputError, match="whole path"):
        restore(output_dir="back")
    Path(dataset.first().protected_filepath).unlink()
    result = restore()
    assert result.restored == 5
    # It speaks of the images that the release has: one of six is gone.
    assert (len(result.failures), result.absent) == (1, COUNT - 6)
    assert f"{COUNT - 6} samples have no copy in it; 1 failed" in result.text()
    assert dataset.count("restored_filepath") == 5
    # What another run gave back elsewhere isn't kept for what this one can't.
    last = dataset[:6].last()
    Path(last.protected_filepath).unlink()
    again = restore(output_dir=tmp_path / "again")
    assert (again.restored, len(again.failures)) == (4, 2)
    dataset.reload()
    back = [path for path in dataset.values("restored_filepath") if path]
    assert len(back) == 4
    assert all(path.startswith(str(tmp_path / "again")) for path in back)
    reue.revoke_recipient("alice", vault=vault)
    with pytest.raises(RevokedKeyError, match="was revoked"):
        restore(recipient="alice")
    with pytest.raises(RevokedKeyError, match="was revoked"):
        protect(dataset)
    owners = restore(release="alice_1", output_dir=tmp_path / "owner")
    assert (owners.tier, owners.restored) == ("original", 4)
