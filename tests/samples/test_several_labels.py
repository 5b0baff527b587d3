import pytest

from fiftyone_reue.samples.several_labels import list_of, of_boxes, of_labels

pytestmark = pytest.mark.unit


def test_the_largest_box_says_the_class():
    boxes = [[0, 0, 0.2, 0.2], [0.5, 0, 0.3, 0.4], [0, 0, 0.9, 0.1]]
    assert of_boxes(["cat", "dog", "cat"], boxes) == "dog"
    assert of_boxes(["cat", None, "ape"], boxes) == "ape"
    assert of_boxes(["dog", "cat"], [[0, 0, 0.2, 0.2]] * 2) == "cat"
    assert of_boxes(["dog", "cat"], [None, [0, 0, 0.1, 0.1]]) == "cat"


@pytest.mark.parametrize("labels", [None, [], [None]])
def test_without_a_label_there_is_no_class(labels):
    assert of_boxes(labels, labels) is None
    assert of_labels(labels) is None


def test_the_most_frequent_label_says_the_class():
    assert of_labels(["dog", "cat", None, "dog"]) == "dog"
    assert of_labels(["dog", "cat"]) == "cat"


def test_only_lists_with_a_rule_are_known():
    assert list_of("found.detections.label") == "detections"
    assert list_of("tags_of.classifications.label") == "classifications"
    assert list_of("segments.mask") == "mask"
    for path in ("kind", "detections.label", "ground_truth.label", "a.polylines.label"):
        assert list_of(path) is None
