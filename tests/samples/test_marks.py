"""What needs attention gets tags and saved views, and loses them again."""

from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import finish, mapped
from fiftyone_reue.samples.views import DESCRIPTIONS, FAILED, FORMER, STALE, WEAK

pytestmark = pytest.mark.integration


def marked(dataset: Any) -> dict[str, set[str]]:
    """The samples of each view, which have its tag and nobody else has."""
    found = {}
    for name in DESCRIPTIONS:
        if not dataset.has_saved_view(name):
            assert dataset.match_tags(name).count() == 0
            continue
        found[name] = set(dataset.load_saved_view(name).values("id"))
        assert found[name] == set(dataset.match_tags(name).values("id"))
    return found


def test_views_and_tags_of_what_needs_attention(dataset: Any, protect: Any) -> None:
    ids = dataset.values("id")
    Path(dataset[ids[0]].filepath).write_bytes(b"no image")
    protect(dataset)
    Path(dataset[ids[1]].protected_filepath).unlink()
    dataset.set_values(
        "protection.unlearnability",
        {ids[2]: 0.4, ids[3]: 0.6},
        key_field="id",
    )
    weak = dataset[ids[2]]
    weak.tags.append("mine")
    weak.save()
    found = reue.mark_samples(dataset, progress=False)
    assert marked(dataset) == {FAILED: {ids[0]}, STALE: {ids[1]}, WEAK: {ids[2]}}
    assert found.text() == (
        "1 failed, 1 stale, 1 weak (unlearnability below 0.5), of 2 samples with an "
        "unlearnability."
    )
    info = {
        one: dataset.get_saved_view_info(one)["description"] for one in DESCRIPTIONS
    }
    assert info == DESCRIPTIONS

    # A copy that is mended loses its mark; another limit marks others.
    protect(dataset)
    reue.mark_samples(dataset, weak_below=0.7, progress=False)
    assert marked(dataset) == {FAILED: {ids[0]}, WEAK: {ids[2], ids[3]}}


def test_other_tags_stay_and_tags_can_be_left_out(dataset: Any, protect: Any) -> None:
    protect(dataset)
    first = dataset.first()
    first.tags.append("mine")
    first.save()
    Path(first.protected_filepath).unlink()
    reue.mark_samples(dataset, progress=False)
    assert set(dataset[first.id].tags) == {"mine", STALE}
    found = reue.mark_samples(dataset, tag=False, progress=False)
    assert dataset[first.id].tags == ["mine"]
    assert dataset.load_saved_view(STALE).values("id") == [first.id]
    assert "No sample has an unlearnability" in found.text()


def test_progress_never_falls(dataset: Any, protect: Any) -> None:
    protect(dataset)
    seen: list[float] = []
    steps = reue.mark_steps(dataset)
    finish(mapped(steps, lambda step: seen.append(step.fraction)))
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= 1


def test_what_can_not_be_marked_is_said(dataset: Any, protect: Any) -> None:
    with pytest.raises(InputError, match="protect it first"):
        reue.mark_samples(dataset)
    with pytest.raises(InputError, match="from 0 to 1, not 40"):
        reue.mark_samples(dataset, weak_below=40)


def test_the_names_of_earlier_versions_go(dataset: Any, protect: Any) -> None:
    for name in FORMER:
        dataset.save_view(name, dataset.limit(1))
    protect(dataset)
    assert not set(dataset.list_saved_views()) & FORMER.keys()
