import pytest

from fiftyone_reue.proofs.words import copy_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("state", "exact", "sources", "words"),
    [
        ("licensed", False, [], "original or licensed copy"),
        ("licensed", False, ["bob"], "licensed copy"),
        ("licensed", True, [], "licensed copy"),
        ("protected", False, [], "protected copy"),
    ],
)
def test_what_may_be_the_original_itself_is_called_so(state, exact, sources, words):
    assert copy_of(state, exact, sources) == words
