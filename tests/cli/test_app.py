import pytest

pytestmark = pytest.mark.unit


def test_an_operator_without_a_code_is_refused(empty):
    said = empty.fails("app", "confirm", "show_release")
    assert "choose among restore_dataset, delete_release" in said
