"""Pictures of what is hidden in copies."""

from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import source
from tests.samples.datasets import SIDE, pixels, rows_of

pytestmark = pytest.mark.integration


def test_pictures_of_what_is_revealed(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    output = tmp_path / "shown"

    def reveal(samples: Any, **options: Any) -> Any:
        options.setdefault("output_dir", output)
        return reue.reveal_samples(samples, decoys=2, progress=False, **options)

    protect(dataset[:3], method="deep_hiding")
    gone, first, second = dataset.values("id")[:3]
    none = reveal(dataset[:3], output_dir=None)
    assert none.output_dir is None
    assert "revealed_filepath" not in dataset.get_field_schema()

    Path(dataset.first().protected_filepath).unlink()
    result = reveal(dataset[:3])
    assert (result.output_dir, len(result.failures)) == (str(output), 1)
    assert f"2 pictures ({output})\n1 failed" in result.text()
    origin = source.source_of(dataset)
    paths = {
        key: str(output / f"{number:03d}-{source.tag(origin, key)}.revealed.png")
        for number, key in ((1, first), (2, second))
    }
    shown = dict(rows_of(dataset[:3], "id", "revealed_filepath"))
    assert shown == {gone: None, **paths}
    assert sorted(map(str, output.iterdir())) == sorted(paths.values())
    assert pixels(paths[first]).shape[1] > 4 * SIDE
    field = dataset.get_field("revealed_filepath")
    assert "the scene that was hidden" in field.description
    assert "revealed_filepath" in dataset.app_config.media_fields
    assert source.label_fields(dataset) == ["ground_truth", "kind"]

    (best,) = result.best(1)
    assert best.agreement == dataset.bounds("reveal_agreement")[1]

    reveal(dataset[:3], output_dir=tmp_path / "again")
    assert dataset[first].revealed_filepath.startswith(str(tmp_path / "again"))
    assert Path(paths[first]).is_file()


def test_pictures_that_are_not_made(dataset: Any, protect: Any, tmp_path: Path) -> None:
    """They would show what is hidden to whom the release is handed out."""
    import fiftyone as fo

    protect(dataset[:2], method="deep_hiding")
    for folder in (tmp_path / "alice", tmp_path / "alice" / "shown"):
        with pytest.raises(InputError, match="folder of release alice_1"):
            reue.reveal_samples(dataset, output_dir=folder, progress=False)
    with pytest.raises(InputError, match="whole path"):
        reue.reveal_samples(dataset, output_dir="shown", progress=False)
    dataset.add_sample_field("revealed_filepath", fo.StringField)
    with pytest.raises(InputError, match="'revealed_filepath' of its own"):
        reue.reveal_samples(dataset, output_dir=tmp_path / "shown", progress=False)
    assert not (tmp_path / "shown").exists()
    assert "reveal_agreement" not in dataset.get_field_schema()


def test_a_release_that_hides_nothing_is_refused_and_leaves_no_field(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    output = tmp_path / "shown"

    def refused() -> str:
        with pytest.raises(InputError) as raised:
            reue.reveal_samples(dataset, decoys=1, output_dir=output, progress=False)
        assert not {"reveal_agreement", "revealed_filepath"} & {
            *dataset.get_field_schema()
        }
        assert "revealed_filepath" not in dataset.app_config.media_fields
        assert not output.exists()
        return str(raised.value)

    protect(dataset[:2])
    assert refused().startswith(
        "Everything was protected with lsp, which hides nothing that could be "
        "revealed; deep_hiding does."
    )
    # Something is hidden in what bob has, but not in these copies.
    protect(dataset[2:4], "bob", method="deep_hiding")
    dataset.delete_samples(dataset[2:])
    first, *reasons = refused().splitlines()
    assert first.startswith("There is no image that something could be revealed in")
    assert "made with lsp, which hides nothing" in reasons[0]
