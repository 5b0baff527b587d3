import pytest

pytestmark = pytest.mark.unit


def test_releases_are_listed_and_deleted(place):
    place.protect("alice", "@pa")
    place.protect("bob", "@pb")
    rows = place.json("release", "list", "--vault", "@vault")["releases"]
    assert [(r["recipient"], r["state"], r["images"]) for r in rows] == [
        ("alice", "done", 12),
        ("bob", "done", 12),
    ]
    assert rows[0]["id"] in place.ok("release", "list", "--vault", "@vault").stdout
    asked = place.run("release", "delete", rows[0]["id"], "--vault", "@vault")
    assert asked.exit_code == 1  # nobody said yes
    words = ("--vault", "@vault", "--files", "--yes")
    assert "12 files deleted" in place.ok("release", "delete", "bob-pb", *words).stdout
    assert not (place.root / "pb").exists()
    left = place.json("release", "list", "--vault", "@vault")["releases"]
    assert [row["recipient"] for row in left] == ["alice"]
