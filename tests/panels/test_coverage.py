"""What the status panel counts, against counts made by hand."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.integration

PATH = "ground_truth.label"


def test_counts_what_is_there(scene: Any) -> None:
    from panels import coverage

    found = coverage.measure(scene, PATH)
    states = Counter(scene.values("protection.state"))
    assert found.total == 36
    assert found.states == {
        "protected": states["protected"],
        "failed": states["failed"],
        "unprotected": states[None],
    }
    assert found.states["failed"] == 1
    assert sum(found.states.values()) == found.total
    assert list(found.classes) == ["astronaut", "coffee", "grass"]
    assert found.classes["coffee"] == {"protected": 11, "failed": 1, "unprotected": 0}
    assert found.classes["grass"] == {"protected": 0, "failed": 0, "unprotected": 12}
    assert found.recipients == {"alice": 23, "bob": 12}
    assert found.methods == {"lsp": 23}
    assert sum(found.psnr.values()) == 23
    assert found.unlearnability == {}


def test_two_looks_at_the_samples(scene: Any) -> None:
    """Each takes half a second of 100,000 samples, whatever it counts."""
    import fiftyone.core.odm as foo

    from panels import coverage

    database = foo.get_db_conn()
    looked_at = {"op": "command", "ns": f"{database.name}.{_samples_of(scene)}"}
    before = database["system.profile"].count_documents(looked_at)
    database.command("profile", 2)
    try:
        coverage.measure(scene, PATH)
    finally:
        database.command("profile", 0)
    assert database["system.profile"].count_documents(looked_at) - before == 2


def _samples_of(dataset: Any) -> str:
    return str(dataset._sample_collection_name)


def test_a_view_of_each_state_and_class_has_what_was_counted(scene: Any) -> None:
    from panels import coverage

    found = coverage.measure(scene, PATH)
    for label, counts in found.classes.items():
        for state, count in counts.items():
            chosen = coverage.of_class(PATH, label) & coverage.of_state(state)
            assert scene.match(chosen).count() == count


def test_samples_without_a_class_are_a_class_of_their_own(scene: Any) -> None:
    from panels import coverage

    copy = scene.clone()
    try:
        sample = copy.match(coverage.of_class(PATH, "grass")).first()
        sample["ground_truth"] = None
        sample.save()
        found = coverage.measure(copy, PATH)
        assert found.classes[coverage.NO_CLASS]["unprotected"] == 1
        assert found.classes["grass"]["unprotected"] == 11
        assert copy.match(coverage.of_class(PATH, coverage.NO_CLASS)).count() == 1
    finally:
        copy.delete()


def test_counts_are_those_of_fiftyone(scene: Any) -> None:
    """Also where samples lack what is counted, or have odd values of it."""
    from panels import coverage

    copy = scene.clone()
    try:
        ids = copy.values("id")
        some = copy.select(ids[:30])
        scores = [None, 0.0, 0.31, 0.32, 0.99] * 6
        some.set_values("protection.unlearnability", scores)
        some.set_values("protection.psnr", [None, 31.04, 31.05, float("inf"), 40.0] * 6)
        copy.select(ids[:3]).set_values("protection.recipients", [[], None, ["zoë"]])
        found = coverage.measure(copy, PATH)
        assert found.recipients == copy.count_values("protection.recipients")
        assert found.psnr == {620: 6, 621: 6, 800: 6} | _rest(copy, ids[30:])
        # Twentieths: 0.31 and 0.32 are in the one from 0.30 on.
        assert found.unlearnability == {0: 6, 6: 12, 19: 6}
        done = copy.match(coverage.of_state("protected"))
        assert found.methods == done.count_values("protection.method")
    finally:
        copy.delete()


def _rest(dataset: Any, ids: list[str]) -> dict[int, int]:
    values = dataset.select(ids).values("protection.psnr")
    return dict(Counter(int(20 * one) for one in values if one is not None))


def test_a_dataset_that_was_never_protected() -> None:
    import fiftyone as fo

    from panels import coverage

    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(filepath="/a.png"))
    try:
        found = coverage.measure(dataset, None)
    finally:
        dataset.delete()
    assert found.states == {"protected": 0, "failed": 0, "unprotected": 1}
    assert found.classes == {}


@given(st.dictionaries(st.integers(0, 2000), st.integers(1, 99), max_size=60))
def test_bins_hold_every_image_once(steps: dict[int, int]) -> None:
    from panels.coverage import STEPS, histogram

    bins = histogram(steps)
    assert sum(bins.counts) == sum(steps.values())
    assert len(bins.edges) == len(bins.counts) + bool(bins.counts)
    assert len(bins.counts) <= 20
    for place, count in enumerate(bins.counts):
        low, high = bins.edges[place : place + 2]
        inside = [n for step, n in steps.items() if low <= step / STEPS < high]
        assert sum(inside) == count


def test_a_bar_of_the_histogram_selects_its_images(scene: Any) -> None:
    from panels import coverage

    bins = coverage.histogram(coverage.measure(scene, PATH).psnr)
    for place, count in enumerate(bins.counts):
        chosen = coverage.in_bin(coverage.PSNR, bins.edges, place)
        assert scene.match(chosen).count() == count


def test_a_perfect_score_is_in_the_last_bin(scene: Any) -> None:
    from panels import coverage

    copy = scene.clone()
    try:
        done = copy.match(coverage.of_state("protected"))
        scores = [1.0, 0.97, 0.95, 0.949] + [0.3] * 19
        done.set_values("protection.unlearnability", scores)
        steps = coverage.measure(copy, PATH).unlearnability
        bins = coverage.histogram(steps, widest=1)
        assert bins.edges[-1] == 1.0
        assert bins.counts[-1] == 3
        last = len(bins.counts) - 1
        chosen = coverage.in_bin(coverage.UNLEARNABILITY, bins.edges, last)
        assert copy.match(chosen).count() == 3
    finally:
        copy.delete()
