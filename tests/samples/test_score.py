"""Scores of a release's samples."""

from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import runs
from tests.samples.datasets import COUNT

pytestmark = pytest.mark.integration


@pytest.mark.usefixtures("quick_training")
@pytest.mark.slow
def test_scores_are_written_and_kept(dataset: Any, vault: Any, protect: Any) -> None:
    protect(dataset)
    protect(dataset, "bob")
    result = reue.score_samples(dataset, "alice_1", device="cpu", progress=False)
    assert result.images == result.images_trained_on == COUNT
    assert f"{COUNT} images were trained on, and it takes 100" in result.text()
    assert 0 <= result.accuracy_protected <= 1
    assert dataset.count("protection.unlearnability") == 0
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["unlearnability"] == result.unlearnability
    assert config["scores"]["images"] == COUNT
    reue.show_release(dataset, "alice_1", vault=vault, progress=False)
    shown = dataset.values("protection.unlearnability")
    assert all(0 <= value <= 1 for value in shown)
    shown_again = reue.score_samples(dataset, device="cpu", progress=False)
    assert shown_again.release == "alice_1"
    assert dataset.values("protection.unlearnability") == pytest.approx(shown, abs=0.2)


def test_which_release_to_score(dataset: Any, vault: Any, protect: Any) -> None:
    with pytest.raises(InputError, match="none yet; protect"):
        reue.score_samples(dataset, progress=False)
    protect(dataset)
    protect(dataset[:4], "bob")
    # As earlier versions left it.
    dataset[4:].set_values("protection.release", ["alice_1"] * (COUNT - 4))
    dataset[4:].set_values("protection.state", ["protected"] * (COUNT - 4))
    with pytest.raises(InputError, match=r"several releases \(alice_1, bob_1\)"):
        reue.score_samples(dataset, progress=False)
    with pytest.raises(InputError, match="too few"):
        reue.score_samples(dataset[:4], progress=False)
    with pytest.raises(InputError, match="Of 4 samples none"):
        reue.score_samples(dataset[4:8], "bob_1", progress=False)
