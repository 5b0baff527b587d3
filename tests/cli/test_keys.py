import json

import pytest

pytestmark = pytest.mark.unit


def test_rotation_touches_no_image_and_no_recipient(place):
    place.protect("alice", "@out")
    old = (place.root / "vault/owner.key").read_bytes()
    before = {p: p.stat().st_mtime_ns for p in (place.root / "out").rglob("*")}
    said = place.ok("keys", "rotate", "--vault", "@vault").stdout
    assert "The owner key is now" in said
    assert (place.root / "vault/owner.key").read_bytes() != old
    assert {p: p.stat().st_mtime_ns for p in (place.root / "out").rglob("*")} == before
    place.ok("restore", "@out", "@o", "--vault", "@vault")
    place.ok("restore", "@out", "@w", "--key", "@alice.key")
    (place.root / "vault/owner.key").write_bytes(old)
    said = place.fails("restore", "@out", "@o2", "--vault", "@vault")
    assert "owner key" in said
    rotated = place.run("keys", "rotate", "--vault", "@vault", "--json")
    assert rotated.exit_code == 1
    assert json.loads(rotated.stdout)["kind"] == "WrongKeyError"
