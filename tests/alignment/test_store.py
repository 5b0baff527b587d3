import numpy as np
import pytest

from fiftyone_reue.alignment.store import LIST, ROWS, FeatureStore, packed, unpacked

pytestmark = pytest.mark.unit


def descriptors(count: int) -> np.ndarray:
    values = np.random.default_rng(count).exponential(1, (count, 128))
    return np.sqrt(values / values.sum(1, keepdims=True)).astype(np.float32)


def test_what_was_added_is_there_next_time(tmp_path):
    one, two = descriptors(3), descriptors(5)
    FeatureStore(tmp_path).add([("a", one), ("b", descriptors(0))])
    FeatureStore(tmp_path).add([("c", two)])
    store = FeatureStore(tmp_path)
    assert store.image_ids == ["a", "b", "c"]
    assert store.owners.tolist() == [0] * 3 + [2] * 5
    assert np.array_equal(store.rows, packed(np.concatenate([one, two])))


def test_packing_keeps_what_matters():
    one = descriptors(50)
    assert np.abs(unpacked(packed(one)) - one).max() < 0.01


@pytest.mark.parametrize("name", [ROWS, LIST])
def test_a_kill_in_the_middle_costs_the_last_ones_alone(tmp_path, name):
    FeatureStore(tmp_path).add([("a", descriptors(3)), ("b", descriptors(4))])
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])
    store = FeatureStore(tmp_path)
    assert store.image_ids == ["a"]
    store.add([("c", descriptors(2))])
    store = FeatureStore(tmp_path)
    assert store.image_ids == ["a", "c"]
    assert np.array_equal(store.rows[3:], packed(descriptors(2)))


def test_it_is_private_and_begins_empty(tmp_path):
    store = FeatureStore(tmp_path / "new")
    assert store.rows.shape == (0, 128)
    store.add([("a", descriptors(1))])
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / ROWS).stat().st_mode & 0o777 == 0o600


def test_two_processes_add_the_same_once(tmp_path):
    one, two = FeatureStore(tmp_path), FeatureStore(tmp_path)
    one.add([("a", descriptors(3))])
    two.add([("a", descriptors(3)), ("b", descriptors(2))])
    assert two.image_ids == FeatureStore(tmp_path).image_ids == ["a", "b"]
    assert two.rows.shape == (5, 128)


def test_two_writers_keep_what_the_other_added(tmp_path):
    mine, other = FeatureStore(tmp_path), FeatureStore(tmp_path)
    for number in range(3):
        mine.add([(f"a{number}", descriptors(2)), ("both", descriptors(1))])
        other.add([(f"b{number}", descriptors(3)), ("both", descriptors(1))])
    found = FeatureStore(tmp_path)
    assert found.image_ids == ["a0", "both", "b0", "a1", "b1", "a2", "b2"]
    assert found.owners.tolist() == other.owners.tolist()
    assert np.array_equal(found.rows[2:3], packed(descriptors(1)))
    assert np.array_equal(found.rows[-3:], packed(descriptors(3)))
    assert "both" in mine
    assert "b2" not in mine  # it wasn't there when it was last read
