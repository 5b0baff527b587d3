"""A case on the command line: written with the vault, checked without it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.integration


def test_a_case_is_written_and_verified(house, tmp_path, leak):
    suspects = leak(house.path("pb"), tmp_path / "leak", quality=80)
    case = tmp_path / "case"
    words = ("report", suspects, "--vault", "@vault", "--out", str(case))
    found = house.json(*words)
    assert (found["decision"], found["recipient"]) == ("match", "bob")
    assert Path(found["pdf"]).read_bytes().startswith(b"%PDF")
    assert Path(found["page"]).read_text().count("<img") > 10
    manifest = f"{house.path('pb')}/manifest.json"
    told = house.json("verify", str(case), "--manifest", manifest)
    assert told["holds"]
    assert told["named"] == ["bob"]
    states = {one["name"]: one["state"] for one in told["steps"]}
    assert states["recipient's root"] == states["verdict"] == "checked"
    assert "believed" in house.ok("verify", str(case)).stdout
    # Alice holds another release's root.
    other = house.json("verify", str(case), "--manifest", house.path("pa"), status=1)
    assert not other["holds"]
    # Whatever stands beside it, and in whatever order.
    pair = [house.path("pa"), manifest]
    for one, two in (pair, pair[::-1]):
        given = ("--manifest", one, "--manifest", two)
        assert not house.json("verify", str(case), *given, status=1)["holds"]
    assert house.run(*words).exit_code == 1  # there is a case already
    content = json.loads((case / "evidence.json").read_text())
    content["culprits"][0]["name"] = "alice"
    (case / "evidence.json").write_text(json.dumps(content))
    result = house.run("verify", str(case))
    assert result.exit_code == 1
    assert "doesn't hold" in result.stdout


def test_no_case_goes_into_a_release(house, tmp_path):
    inside = Path(house.path("pa")) / "case"
    result = house.run(
        "report", "@pb", "--vault", "@vault", "--out", str(inside), "--json"
    )
    assert result.exit_code == 1
    assert "handed out" in result.stderr
    assert not inside.exists()


def test_what_names_nobody_is_a_case_too(house, tmp_path):
    case = tmp_path / "case"
    found = house.json("report", "@source", "--vault", "@vault", "--out", str(case))
    assert found["recipient"] is None
    page = " ".join(Path(found["page"]).read_text().split())
    assert page.count(": the original itself<br>") == 12
    for words in ("licensed copy", "for the first", "those who are named", "the first"):
        assert words not in page, words
    assert "Nobody is named, so that there are no commitments to show" in page
    assert "Named is who is below 1e-06." in page
    said = house.ok("extract", "@source", "--vault", "@vault").stdout
    assert "Are the originals themselves" in " ".join(said.split())
    told = house.json("verify", str(case), status=1)
    assert told["named"] == []
    assert "names nobody" in told["verdict"]
    texts = {one["name"]: one["text"] for one in told["steps"]}
    for name in ("commitment", "recipient's root"):
        assert texts[name].startswith("nobody is named"), name


def test_what_matches_nothing_is_a_case_too(house, tmp_path):
    (tmp_path / "leak").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "leak" / "a.png")
    case = tmp_path / "case"
    words = (str(tmp_path / "leak"), "--vault", "@vault", "--out", str(case))
    assert house.json("report", *words)["images_matched"] == 0
    told = house.json("verify", str(case), status=1)
    assert told["named"] == []
    assert not [one for one in told["steps"] if one["state"] == "failed"]


def test_no_manifest_and_no_case_are_named(house, tmp_path):
    result = house.run("verify", str(tmp_path))
    assert result.exit_code == 1
    assert "give the folder of a case" in result.stderr
    result = house.run("verify", str(tmp_path), "--manifest", str(tmp_path))
    assert "give the manifest.json" in result.stderr
