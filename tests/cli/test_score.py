from functools import partial

import pytest

from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.workflows import score as scoring

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_scores_for_machines_and_in_words(house, monkeypatch):
    quick = partial(Recipe, epochs=1, least_steps=3, batch=16)
    monkeypatch.setattr(scoring, "Recipe", quick)
    words = ("score", "@pa", "--vault", "@vault", "--device", "cpu")
    found = house.json(*words)
    assert {
        "accuracy_clean",
        "accuracy_protected",
        "chance",
        "unlearnability",
        "per_image",
    } <= found.keys()
    assert found["chance"] == pytest.approx(1 / 3, abs=1e-3)
    assert len(found["per_image"]) == found["images"] == 12
    assert all(0 <= image["score"] <= 1 for image in found["per_image"])
    assert "Trained on originals" in house.ok(*words).stdout
    listed = house.json("release", "list", "--vault", "@vault")["releases"]
    by_recipient = {row["recipient"]: row for row in listed}
    assert by_recipient["alice"]["unlearnability"] == found["unlearnability"]


def test_what_is_no_release_has_no_score(house):
    said = house.fails("score", "@source", "--vault", "@vault")
    assert "no record" in said
