import pytest

from fiftyone_reue.auditing.holdings import Effort

pytestmark = pytest.mark.unit


def test_effort_scales_training_steps_but_keeps_a_least():
    assert Effort().steps(1000) == 1000
    assert Effort(0.5).steps(1001) == 500
    assert Effort(0.001).steps(1000) == 50
    assert Effort(0.001).steps(1000, least=10) == 10
    assert Effort(0.1).small
    assert not Effort(1).small
