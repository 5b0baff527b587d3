import sqlite3

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def published(place):
    words = ("publish", "@source", "@web", "--vault", "@vault", "--method", "lsp")
    figures = place.json(*words)
    assert (figures["protected"], figures["failed"]) == (12, 0)
    return place


def license_words(who: str, *more: str) -> tuple[str, ...]:
    words = ("license", who, "--release", "published-web", "--vault", "@vault")
    return (*words, "--out", f"@{who}.license", *more)


def test_the_whole_way(published, images):
    place = published
    found = {}
    for who in ("alice", "bob"):
        figures = place.json(*license_words(who))
        assert (figures["recipient"], figures["issue"]) == (who, 1)
        assert (figures["images"], figures["made"], figures["kept"]) == (12, 12, 0)
        path = place.root / f"{who}.license"
        assert figures["bytes"] == path.stat().st_size
        assert path.stat().st_mode & 0o077 == 0
        key = ("--key", f"@{who}.key", "--license", f"@{who}.license")
        restored = place.json("restore", "@web", f"@w-{who}", *key)
        assert (restored["restored"], restored["tier"]) == (12, "licensed")
        verdict = place.json("extract", f"@w-{who}", "--vault", "@vault")
        assert verdict["recipient"] == who
        found[who] = images(place.path(f"w-{who}"))
    assert set(found["alice"]) == set(found["bob"])
    assert all((found["alice"][n] != found["bob"][n]).any() for n in found["bob"])
    verdict = place.json("extract", "@web", "--vault", "@vault")
    assert verdict["recipient"] == "(published)"
    assert place.json("vault", "check", "--vault", "@vault")["ok"]


def test_publishing_says_how_licences_are_made(published):
    words = ("publish", "@source", "@web", "--vault", "@vault", "--method", "lsp")
    said = published.ok(*words).stdout
    assert "Release published-web (" in said
    assert ") for everybody: 0 protected, 12 were there" in said
    assert "reue license NAME --release published-web " in said


def test_it_says_what_it_made_and_replaces_it(published):
    said = published.ok(*license_words("alice", "--days", "30")).stdout
    assert "12 images (12 made, 0 kept, 0 failed)" in " ".join(said.split())
    said = published.ok(*license_words("alice", "--days", "0")).stdout
    assert "issue 2, without an end" in " ".join(said.split())
    assert "(0 made, 12 kept, 0 failed)" in " ".join(said.split())


def test_a_licence_of_another_day_or_recipient_is_refused(published):
    published.ok(*license_words("alice"))
    words = ("restore", "@web", "@w", "--license", "@alice.license")
    assert "sealed for alice" in published.fails(*words, "--key", "@bob.key")
    assert "--license goes with --key" in published.fails(
        *words, "--vault", "@vault", status=2
    )
    with sqlite3.connect(published.root / "alice.license") as file:
        file.execute("UPDATE licence SET header = replace(header, 'alice', 'carol')")
    file.close()
    said = published.fails(*words, "--key", "@alice.key")
    assert "damaged" in said
    assert not (published.root / "w").exists()


def test_nobody_gets_the_published_key(published):
    words = ("recipient", "key", "(published)", "--vault", "@vault")
    assert "for nobody" in published.fails(*words, "--key-out", "@p.key")
    assert not (published.root / "p.key").exists()
    said = published.fails(
        "license", "carol", "--release", "published-web", "--vault", "@vault",
        "--out", "@c.license",
    )  # fmt: skip
    assert "no recipient 'carol'" in said
    assert "(published)" not in said


def test_a_licensees_case_is_verified_with_their_licence(published, tmp_path):
    published.ok(*license_words("alice"))
    licence = ("--license", "@alice.license")
    published.ok("restore", "@web", "@w-case", "--key", "@alice.key", *licence)
    case = str(tmp_path / "case")
    published.json("report", "@w-case", "--vault", "@vault", "--out", case)
    told = published.json("verify", case, "--manifest", "@alice.license")
    states = {one["name"]: one["state"] for one in told["steps"]}
    assert told["named"] == ["alice"]
    assert states["recipient's root"] == "checked"


def test_a_revoked_licensee_is_told_of_by_licences_alone(published):
    published.ok(*license_words("bob"))
    said = published.ok("recipient", "revoke", "bob", "--vault", "@vault").stdout
    assert said.startswith(
        "Revoked bob.\nA licence that they hold still opens what was published before"
    )
    assert "folder" not in said
    said = published.ok("recipient", "reinstate", "bob", "--vault", "@vault").stdout
    assert said == (
        "Reinstated bob.\nWhat was published meanwhile takes a new licence.\n"
    )
