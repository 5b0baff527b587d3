import json

import pytest

from fiftyone_reue.names.display import moment

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_sealed_key_file_needs_its_passphrase(place, quick_scrypt):
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


@pytest.mark.slow
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
    assert "restore" not in place.protect("bob", "@more").stderr
    assert not (place.root / "more").exists()
    assert not (place.root / "wb").exists()
    rows = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [bool(row["revoked_at"]) for row in rows] == [False, True]
    # A leak of what bob has already is still his, and the owner still restores.
    assert place.json("extract", "@pb", "--vault", "@vault")["recipient"] == "bob"
    place.ok("restore", "@pb", "@o", "--vault", "@vault")
    # Revoking again changes nothing, and says so.
    since = moment(rows[1]["revoked_at"])
    again = place.ok("recipient", "revoke", "bob", "--vault", "@vault").stdout
    assert f"bob is revoked already, since {since}." in again
    assert "Revoked" not in again
    now = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert now == rows


def identity(place, name="me.txt"):
    made = place.json("recipient", "identity", "--out", f"@{name}")
    return made["public_key"]


@pytest.mark.slow
def test_a_recipient_makes_the_key_themselves(place, images):
    said = place.ok("recipient", "identity", "--out", "@me.txt").stdout
    public = said.splitlines()[0].removeprefix("Public key: ")
    assert (place.root / "me.txt").stat().st_mode & 0o777 == 0o600
    key = ("--key-out", "@carol.key.age", "--public-key", public)
    said = place.ok("recipient", "add", "carol", "--vault", "@vault", *key).stdout
    assert "Only their own identity opens it" in said
    assert place.protect("carol", "@out").exit_code == 0
    restore = ("restore", "@out", "@w", "--key", "@carol.key.age")
    assert "--identity" in place.fails(*restore)
    place.ok(*restore, "--identity", "@me.txt")
    assert len(images(place.root / "w")) == 12
    env = {"REUE_IDENTITY_FILE": str(place.root / "me.txt")}
    again = ("restore", "@out", "@w2", "--key", "@carol.key.age")
    assert place.run(*again, env=env).exit_code == 0
    # The owner needs neither.
    place.ok("restore", "@out", "@o", "--vault", "@vault")
    assert place.json("extract", "@w", "--vault", "@vault")["recipient"] == "carol"


@pytest.mark.slow
def test_a_lost_identity_is_replaced(place):
    assert place.protect("alice", "@out").exit_code == 0
    identity(place, "lost.txt")
    key = ("--key-out", "@again.age", "--public-key", identity(place))
    place.ok("recipient", "key", "alice", "--vault", "@vault", *key)
    restore = ("restore", "@out", "@w", "--key", "@again.age", "--identity")
    assert "was sealed for another key" in place.fails(*restore, "@lost.txt")
    assert not (place.root / "w").exists()
    place.ok(*restore, "@me.txt")


def test_a_wrong_public_key_adds_nobody(place):
    words = ("recipient", "add", "carol", "--vault", "@vault", "--key-out", "@c.key")
    assert "isn't a public key" in place.fails(*words, "--public-key", "age1carol")
    secret = (place.root / "me.txt", identity(place))[0].read_text().splitlines()[-1]
    said = place.fails(*words, "--public-key", secret)
    assert "secret key" in said
    assert secret not in said
    both = ("--public-key", "age1", "--passphrase")
    assert "one of them" in place.fails(*words, *both, status=2)
    names = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [row["name"] for row in names] == ["alice", "bob"]
    assert not (place.root / "c.key").exists()


@pytest.mark.slow
def test_an_identity_that_others_can_read_is_warned_of(place):
    assert place.protect("alice", "@out").exit_code == 0
    key = ("--key-out", "@a.age", "--public-key", identity(place))
    place.ok("recipient", "key", "alice", "--vault", "@vault", *key)
    (place.root / "me.txt").chmod(0o644)
    restore = ("restore", "@out", "@w", "--key", "@a.age", "--identity", "@me.txt")
    done = place.run(*restore)
    assert done.exit_code == 0
    assert "can be read by others; run `chmod 600" in done.stderr


def test_an_identity_is_not_overwritten(place):
    identity(place)
    before = (place.root / "me.txt").read_bytes()
    said = place.fails("recipient", "identity", "--out", "@me.txt")
    assert "is there already" in said
    assert (place.root / "me.txt").read_bytes() == before


@pytest.mark.slow
def test_an_identity_with_a_passphrase(place):
    assert place.protect("alice", "@out").exit_code == 0
    env = {"REUE_IDENTITY_PASSPHRASE": "open sesame"}
    made = place.run(
        "recipient", "identity", "--out", "@me.txt", "--passphrase", "--json", env=env
    )
    public = json.loads(made.stdout)["public_key"]
    key = ("--key-out", "@a.age", "--public-key", public)
    place.ok("recipient", "key", "alice", "--vault", "@vault", *key)
    restore = ("restore", "@out", "@w", "--key", "@a.age", "--identity", "@me.txt")
    assert "REUE_IDENTITY_PASSPHRASE" in place.fails(*restore)
    assert place.run(*restore, env=env).exit_code == 0


@pytest.mark.parametrize("words", [" ", "ab\udcff"])
def test_nobody_is_added_with_a_passphrase_that_can_not_be(place, words):
    add = ("recipient", "add", "carol", "--vault", "@vault", "--key-out", "@c.key")
    result = place.run(*add, "--passphrase", env={"REUE_KEY_PASSPHRASE": words})
    assert result.exit_code == 1
    assert "passphrase" in result.stderr
    names = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [row["name"] for row in names] == ["alice", "bob"]
    assert not (place.root / "c.key").exists()


def test_nobody_is_added_beside_a_link_that_leads_nowhere(place):
    (place.root / "link").symlink_to(place.root / "nothing")
    words = ("recipient", "add", "carol", "--vault", "@vault", "--key-out", "@link")
    assert "is there already" in place.fails(*words)
    names = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [row["name"] for row in names] == ["alice", "bob"]


def test_a_name_of_bytes_that_are_no_text_is_nobodys(place):
    for words in (("revoke",), ("key", "--key-out", "@k")):
        command, *options = words
        said = place.fails(
            "recipient", command, "a\udcff", "--vault", "@vault", *options
        )
        assert r"no recipient 'a\udcff'" in said
    said = place.fails(
        *("protect", "@source", "@o", "--vault", "@vault"),
        *("--recipient", "a\udcff", "--method", "lsp"),
    )
    assert r"no recipient 'a\udcff'" in said


@pytest.mark.slow
def test_a_revocation_is_taken_back_and_a_name_shown(place):
    place.protect("bob", "@pb")
    said = place.ok("recipient", "revoke", "bob", "--vault", "@vault").stdout
    assert "reue recipient reinstate bob --vault" in " ".join(said.split())
    assert "revoked" in place.fails("restore", "@pb", "@wb", "--key", "@bob.key")
    said = place.ok("recipient", "reinstate", "bob", "--vault", "@vault").stdout
    assert "out of 1 release folder" in said
    assert "put the manifest.json" in said
    assert "licence" not in said
    place.ok("restore", "@pb", "@wb", "--key", "@bob.key")
    said = place.fails("recipient", "reinstate", "bob", "--vault", "@vault")
    assert "isn't revoked" in said
    place.ok("recipient", "rename", "bob", "Robert", "--vault", "@vault")
    out = place.ok("recipient", "list", "--vault", "@vault").stdout
    assert "Robert (bob)" in out
    assert "active again since 2" in " ".join(out.split())
    _, bob = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert (bob["name"], bob["shown_as"]) == ("bob", "Robert")
    said = [event["what"] for event in bob["events"]]
    assert said == ["revoked", "reinstated", "shown as"]
    # What was handed out speaks of the name that it is bound to.
    assert place.json("extract", "@pb", "--vault", "@vault")["recipient"] == "bob"
    place.ok("recipient", "rename", "bob", "", "--vault", "@vault")
    assert "Robert" not in place.ok("recipient", "list", "--vault", "@vault").stdout


def test_of_who_was_given_nothing_nothing_more_is_said(place):
    said = place.ok("recipient", "revoke", "bob", "--vault", "@vault").stdout
    first, second = " ".join(said.split()).split(" To take it back: ")
    assert first == "Revoked bob."
    assert second.startswith("reue recipient reinstate bob --vault")
    said = place.ok("recipient", "reinstate", "bob", "--vault", "@vault").stdout
    assert said == "Reinstated bob.\n"
