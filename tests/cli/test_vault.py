import sqlite3

import pytest

pytestmark = pytest.mark.unit

CHECK = ("vault", "check", "--vault", "@vault")


def sql(place, statement: str) -> None:
    with sqlite3.connect(place.root / "vault" / "ledger.sqlite") as attacker:
        attacker.execute(statement)


@pytest.mark.slow
def test_a_whole_ledger_is_told_so(place):
    place.protect("alice", "@pa")
    assert "is as you left it: 2 recipients" in place.ok(*CHECK).stdout
    found = place.json(*CHECK)
    assert found["ok"] is True
    assert found["problems"] == found["notes"] == []
    assert found["rows"] == {
        "recipients": 2,
        "fits": 1,
        "papers": 1,
        "releases": 1,
        "images": 12,
        "records": 12,
        "withdrawn": 0,
    }


@pytest.mark.slow
def test_what_is_wrong_is_named(place):
    place.protect("alice", "@pa")
    sql(place, "UPDATE recipients SET name = 'bobby' WHERE name = 'bob'")
    sql(place, "DELETE FROM records WHERE sample_id LIKE '%/0.png'")
    said = place.fails(*CHECK)
    assert "recipients, 'bobby'" in said
    assert "3 of 12 are missing" in said
    found = place.json(*CHECK, status=1)
    assert found["ok"] is False
    tables = {problem["table"] for problem in found["problems"]}
    assert {"recipients", "records"} <= tables


@pytest.mark.slow
def test_an_accepted_ledger_misses_nothing(place):
    place.protect("alice", "@pa")
    sql(place, "DELETE FROM records WHERE sample_id LIKE '%/0.png'")
    assert place.run(*CHECK, "--accept").exit_code == 1  # nobody said yes
    assert "9 records" in place.ok(*CHECK, "--accept", "--yes").stdout
    assert "9 records" in place.ok(*CHECK).stdout


def test_a_lost_description_is_put_back(place):
    sql(place, "DELETE FROM meta")
    for words in (("init",), ("recipient", "list")):
        said = place.fails(*words, "--vault", "@vault")
        assert "reue vault repair" in said
    assert "is back" in place.ok("vault", "repair", "--vault", "@vault").stdout
    place.ok(*CHECK)
    assert "are whole" in place.fails("vault", "repair", "--vault", "@vault")


@pytest.mark.slow
def test_extract_says_what_it_left_out(place):
    place.protect("alice", "@pa")
    sql(place, "DELETE FROM recipients WHERE name = 'bob'")
    words = ("extract", "@pa", "--vault", "@vault")
    result = place.run(*words)
    assert result.exit_code == 1
    assert "copy of alice" in result.stdout
    assert "Left out: recipients, 'bob'" in result.stderr
    found = place.json(*words, status=1)
    assert found["recipient"] == "alice"
    assert "'bob'" in found["ledger_problems"][0]


def test_lists_say_what_they_leave_out(place):
    sql(place, "DELETE FROM recipients WHERE name = 'bob'")
    result = place.run("recipient", "list", "--vault", "@vault")
    assert "alice" in result.stdout
    assert "bob" not in result.stdout
    assert "Wrong in the ledger: recipients, 'bob'" in result.stderr


@pytest.mark.slow
def test_a_lost_list_is_put_back(place):
    place.protect("alice", "@pa")
    sql(place, "DELETE FROM inventory")
    for words in (("release", "list"), ("recipient", "list")):
        assert "reue vault repair" in place.fails(*words, "--vault", "@vault")
    assert "reue vault repair" in place.run(*CHECK).stderr
    assert "is back" in place.ok("vault", "repair", "--vault", "@vault").stdout
    place.ok(*CHECK)
    assert "alice" in place.ok("release", "list", "--vault", "@vault").stdout


@pytest.mark.slow
def test_originals_can_be_looked_at_ahead_of_a_leak(place):
    place.protect("alice", "@pa")
    words = ("vault", "index", "--vault", "@vault")
    assert place.json(*words) == {"originals": 12, "gone": 0}
    assert "Looked at 0 originals" in place.ok(*words).stdout
