import pytest

pytestmark = pytest.mark.unit


def test_recipients_are_listed_with_their_releases(house):
    rows = house.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [(r["name"], r["releases"], r["revoked_at"]) for r in rows] == [
        ("alice", 1, None),
        ("bob", 1, None),
    ]
    out = house.ok("recipient", "list", "--vault", "@vault").stdout
    assert "alice" in out
    assert "active" in out


def test_key_files_are_never_overwritten(place):
    before = (place.root / "alice.key").read_bytes()
    words = ("recipient", "add", "carol", "--vault", "@vault")
    said = place.fails(*words, "--key-out", "@alice.key")
    assert "is there already" in said
    assert (place.root / "alice.key").read_bytes() == before
    assert "no such folder" in place.fails(*words, "--key-out", "@none/carol.key")
    names = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [row["name"] for row in names] == ["alice", "bob"]
    said = place.fails(
        "recipient", "add", "bob", "--vault", "@vault", "--key-out", "@k"
    )
    assert "bob" in said
    assert not (place.root / "k").exists()


def test_a_lost_key_file_is_written_again(place):
    place.ok("recipient", "key", "bob", "--vault", "@vault", "--key-out", "@again.key")
    again, first = (place.root / name for name in ("again.key", "bob.key"))
    assert again.read_bytes() == first.read_bytes()
    place.ok("recipient", "revoke", "bob", "--vault", "@vault")
    words = ("recipient", "key", "bob", "--vault", "@vault", "--key-out", "@third.key")
    assert "revoked" in place.fails(*words)


def test_a_sealed_key_file_needs_its_passphrase(place):
    place.protect("alice", "@out")
    words = ("recipient", "key", "alice", "--vault", "@vault", "--key-out", "@s.key")
    env = {"REUE_KEY_PASSPHRASE": "open sesame"}
    assert place.run(*words, "--passphrase", env=env).exit_code == 0
    restore = ("restore", "@out", "@w", "--key", "@s.key")
    assert "REUE_KEY_PASSPHRASE" in place.fails(*restore)
    wrong = place.run(*restore, env={"REUE_KEY_PASSPHRASE": "wrong"})
    assert wrong.exit_code == 1
    assert "passphrase" in wrong.stderr
    assert not (place.root / "w").exists()
    assert place.run(*restore, env=env).exit_code == 0


def test_a_revoked_recipient_gets_and_restores_nothing(place):
    place.protect("bob", "@pb")
    said = place.ok("recipient", "revoke", "bob", "--vault", "@vault").stdout
    assert "1 release folder marked" in said
    assert "stay readable" in said
    for said in (
        place.protect("bob", "@more").stderr,
        place.fails("restore", "@pb", "@wb", "--key", "@bob.key"),
    ):
        assert "bob" in said
        assert "revoked on" in said
    assert not (place.root / "more").exists()
    assert not (place.root / "wb").exists()
    rows = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [bool(row["revoked_at"]) for row in rows] == [False, True]
    # A leak of what bob has already is still his, and the owner still restores.
    assert place.json("extract", "@pb", "--vault", "@vault")["recipient"] == "bob"
    place.ok("restore", "@pb", "@o", "--vault", "@vault")
    # Revoking again changes nothing.
    place.ok("recipient", "revoke", "bob", "--vault", "@vault")
