from pathlib import Path

import pytest

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_releases_are_listed_and_deleted(place):
    place.protect("alice", "@pa")
    place.protect("bob", "@pb")
    rows = place.json("release", "list", "--vault", "@vault")["releases"]
    assert [(r["recipient"], r["state"], r["images"]) for r in rows] == [
        ("alice", "done", 12),
        ("bob", "done", 12),
    ]
    assert rows[0]["name"] in place.ok("release", "list", "--vault", "@vault").stdout
    asked = place.run("release", "delete", rows[0]["id"], "--vault", "@vault")
    assert asked.exit_code == 1  # nobody said yes
    words = ("--vault", "@vault", "--files", "--yes")
    assert "12 files deleted" in place.ok("release", "delete", "bob-pb", *words).stdout
    assert not (place.root / "pb").exists()
    left = place.json("release", "list", "--vault", "@vault")["releases"]
    assert [row["recipient"] for row in left] == ["alice"]


@pytest.mark.slow
def test_a_release_is_shown_to_its_owner(place):
    Path(place.path("source/brick/0.png")).write_bytes(b"broken")
    place.protect("alice", "@pa")
    words = ("release", "show", "alice-pa", "--vault", "@vault")
    shown = place.json(*words)
    assert shown["recipient"] == "alice"
    assert (shown["method"], shown["settings"]["epsilon"]) == ("lsp", 8)
    assert shown["classes"] == {"astronaut": 4, "brick": 3, "cat": 4}
    assert shown["images"] == 11
    assert shown["psnr"]["least"] <= shown["psnr"]["mean"] < 50
    (failure,) = shown["failures"]
    assert failure["image"] == "brick/0.png"
    assert "not an image" in failure["reason"]
    assert shown["source"] == place.path("source")
    said = place.ok(*words).stdout.splitlines()
    assert "recipient: alice" in said
    assert "  brick: 3" in said
    assert "revoked at: none" in said
    assert [line for line in said if line.startswith("  brick/0.png: not an image")]
    assert "There is no release 'x'" in place.fails(
        "release", "show", "x", "--vault", "@vault"
    )


@pytest.mark.slow
def test_many_failures_are_cut_short_on_the_terminal(place):
    for number in range(14):
        Path(place.path(f"source/brick/bad{number:02}.png")).write_bytes(b"broken")
    place.protect("alice", "@pa")
    words = ("release", "show", "alice-pa", "--vault", "@vault")
    assert len(place.json(*words)["failures"]) == 14
    said = place.ok(*words).stdout
    assert said.count("  brick/bad") == 10
    assert "and 4 more" in said
