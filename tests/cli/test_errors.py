import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["init"],
        ["protect", "@source"],
        ["protect", "@source", "@out", "--vault", "@vault"],
        ["protect", "@source", "@out", "--recipient", "alice"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--method", "xyz"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--epsilon", "2"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--epsilon", "33"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--epsilon", "x"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--seed", "-1"],
        ["restore", "@source", "@out"],
        ["restore", "@source", "@out", "--key", "@alice.key", "--vault", "@vault"],
        ["extract", "--vault", "@vault"],
        ["extract", "@source"],
        ["score", "@source"],
        ["recipient", "add", "x", "--vault", "@vault"],
        ["recipient", "nonsense"],
        ["keys", "rotate"],
        ["info"],
    ],
)
def test_wrong_usage_is_status_2(house, words):
    said = house.fails(*words, status=2)
    assert "Usage:" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["protect", "@none", "@x", "--recipient", "alice"], "no such folder"),
        (["protect", "@source", "@x", "--recipient", "eve"], "no recipient 'eve'"),
        (
            ["protect", "@source", "@source/x", "--recipient", "bob"],
            "within one another",
        ),
        (["protect", "@source", "@vault", "--recipient", "bob"], "isn't empty"),
        (["protect", "@source/brick", "@x", "--recipient", "bob"], "class/name.png"),
        (["restore", "@none", "@x"], "no such file or folder"),
        (["extract", "@none"], "no such file or folder"),
        (["reveal", "@none", "--out", "@x"], "no such file or folder"),
        (["recipient", "revoke", "eve"], "no recipient 'eve'"),
        (["release", "delete", "xyz", "--yes"], "no release 'xyz'"),
    ],
)
def test_failed_jobs_are_status_1_and_say_why(house, words, said):
    text = house.fails(*words, "--vault", "@vault")
    assert said in text
    assert text.startswith("Error: ")
    assert not (house.root / "x").exists()


def test_a_missing_vault_says_how_to_make_one(house):
    for words in (
        ["recipient", "list"],
        ["extract", "@pa"],
        ["restore", "@pa", "@x"],
        ["keys", "rotate"],
    ):
        said = house.fails(*words, "--vault", "@none")
        assert "reue init --vault" in said
    assert not (house.root / "none").exists()


def test_errors_are_one_json_object_too(house):
    found = house.json("extract", "@none", "--vault", "@vault", status=1)
    assert set(found) == {"error", "kind"}
    assert found["kind"] == "InputError"
    assert "no such file" in found["error"]


def test_an_error_of_the_system_is_a_message(house, monkeypatch):
    def broken(*_):
        raise PermissionError(13, "Permission denied", "/locked")

    monkeypatch.setattr("fiftyone_reue.batch.folders.image_items", broken)
    said = house.fails("restore", "@pa", "@x", "--vault", "@vault")
    assert said == "Error: /locked: Permission denied\n"


def test_ctrl_c_is_a_plain_message(house, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fiftyone_reue.batch.folders.image_items", interrupted)
    said = house.fails("restore", "@pa", "@x", "--vault", "@vault")
    assert "Stopped. What was finished is kept" in said
    found = house.json("restore", "@pa", "@x", "--vault", "@vault", status=1)
    assert found["kind"] == "CancelledError"
