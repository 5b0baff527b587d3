import contextlib
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.unit


@pytest.mark.slow
@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("tier", ["p", "w"])
def test_a_leak_names_its_recipient(house, tmp_path, who, tier, leak):
    suspects = leak(house.path(tier + who[0]), tmp_path / "leak", quality=75)
    found = house.json("extract", suspects, "--vault", "@vault")
    assert {
        "decision",
        "recipient",
        "p_value",
        "images_used",
        "images_matched",
        "recipients_tested",
        "best_innocent_p",
        "per_image",
    } <= found.keys()
    assert (found["decision"], found["recipient"]) == ("match", who)
    assert found["p_value"] <= 1e-6 < found["best_innocent_p"]
    assert found["recipients_tested"] == 2
    assert found["images_used"] == found["images_matched"] <= 12
    assert [i["image"] for i in found["per_image"]] == [
        f"IMG_{n:04}.jpg" for n in range(12)
    ]


def test_unrelated_photos_are_no_match(house, tmp_path, photos):
    for name in ("rocket", "flower", "pagoda"):
        Image.fromarray(photos[name]).save(tmp_path / f"{name}.jpg")
    found = house.json("extract", str(tmp_path), "--vault", "@vault")
    assert (found["decision"], found["recipient"]) == ("no-match", None)
    assert found["images_used"] == 0
    assert found["p_value"] == 1
    assert len(found["per_image"]) == 3


@pytest.mark.slow
def test_the_originals_are_no_match(house, tmp_path, leak):
    suspects = leak(house.path("source"), tmp_path / "leak")
    for folder in (suspects, "@source"):
        found = house.json("extract", folder, "--vault", "@vault")
        assert (found["decision"], found["recipient"]) == ("no-match", None)


def test_single_files_can_be_given(house):
    files = sorted(Path(house.path("pb")).rglob("*.png"))[:5]
    one = house.json("extract", str(files[0]), "--vault", "@vault")
    assert one["images_matched"] == 1
    five = house.json("extract", *map(str, files), "--vault", "@vault")
    assert (five["recipient"], five["images_used"]) == ("bob", 5)


def test_without_a_match_there_is_no_table(house, tmp_path, photos):
    Image.fromarray(photos["rocket"]).save(tmp_path / "rocket.jpg")
    out = house.ok("extract", str(tmp_path / "rocket.jpg"), "--vault", "@vault").stdout
    assert "None of these images matches" in out
    assert "best innocent code" not in out


def test_what_is_no_image_is_not_said_to_match_nothing(house, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    words = ("extract", str(tmp_path / "text.png"), "--vault", "@vault")
    found = house.json(*words, status=1)
    assert "could be read as an image" in found["verdict"]


def test_the_verdict_in_words(house):
    out = house.ok("extract", "@pa", "--vault", "@vault").stdout
    assert "derived from the copy of alice" in out
    assert "not who leaked it" in out
    assert "best innocent code" in out
    assert out.index("alice") < out.index("bob")


@pytest.mark.slow
def test_a_suspect_that_can_not_be_read_is_reported_beside_the_verdict(
    house, tmp_path, leak
):
    suspects = Path(leak(house.path("pa"), tmp_path / "leak"))
    (suspects / "text.png").write_text("no image")
    found = house.json("extract", str(suspects), "--vault", "@vault", status=1)
    assert found["recipient"] == "alice"
    assert "not an image" in found["per_image"][-1]["error"]


@pytest.mark.slow
def test_what_a_tampered_ledger_leaves_open_is_undecided(place, leak, tmp_path):
    place.protect("alice", "@out")
    posted = leak(place.path("out"), tmp_path / "posted")
    ledger = sqlite3.connect(place.path("vault/ledger.sqlite"))
    with contextlib.closing(ledger), ledger:
        ledger.execute("UPDATE recipients SET revoked_at = 1 WHERE name = 'alice'")
    words = ("extract", posted, "--vault", "@vault")
    found = place.json(*words, status=1)
    assert (found["decision"], found["recipient"]) == ("undecided", None)
    assert "'alice'" in found["ledger_problems"][0]
    result = place.run(*words)
    assert result.stdout.startswith("Undecided: ")
    assert "Left out: " in result.stderr
