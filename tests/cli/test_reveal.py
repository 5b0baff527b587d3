from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_what_was_hidden_is_shown(place, tmp_path, leak):
    words = ["protect", "@source", "@pd", "--vault", "@vault", "--recipient", "alice"]
    place.ok(*words, "--method", "deep_hiding")
    folder = leak(place.path("pd"), tmp_path / "leak", quality=75, count=3)
    reveal = ["reveal", folder, "--vault", "@vault", "--out", "@shown"]
    found = place.json(*reveal, "--decoys", "3")
    assert (found["images_revealed"], found["images_failed"]) == (3, 0)
    assert (found["decoys"], found["found"]) == (3, False)
    panels = [Path(place.path("shown")) / row["panels"] for row in found["per_image"]]
    for path in panels:
        with Image.open(path) as image:
            assert image.width > 3 * image.height
    said = place.ok(*reveal, "--decoys", "3").stdout
    assert "Decoys as good" in said
    assert "3 decoys can't decide" in said.splitlines()[-1]
    assert place.fails("reveal", "@pd", *reveal[2:], "--decoys", "0", status=2)
    inside = place.fails("reveal", "@pd", "--vault", "@vault", "--out", "@pd/shown")
    assert "within one another" in inside
    assert place.protect("bob", "@pl").exit_code == 0
    refused = place.fails("reveal", "@pl", "--vault", "@vault", "--out", "@none")
    assert "made with lsp, which hides nothing" in refused
    assert not Path(place.path("none")).exists()
