"""The leak check's events, from suspects to a verdict and back to the images."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

from fiftyone_reue import samples as reue

pytestmark = pytest.mark.integration

NAME = "leak_check"
OWNER_KEY = bytes.fromhex("7b" * 32)


def protected_for(scene: Any, name: str, count: int) -> list[str]:
    folder = Path(scene.get_run_info(f"{name}_1").config.output_dir)
    return sorted(str(path) for path in folder.rglob("*.png"))[:count]


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests work jobs off themselves."""
    from fiftyone_reue.samples import worker

    monkeypatch.setattr(worker, "ensure", lambda: None)


def check(
    driver: Any, suspects: str = "grid", folder: str = "", **options: Any
) -> None:
    """Press the button, work the job off, and do what the App does then."""
    from fiftyone_reue.samples import worker

    driver.state["choice"] = {"suspects": suspects, "folder": folder}
    driver.do("start", **options)
    worker.work(idle=0)
    driver.do("follow")


def test_names_the_recipient_of_leaked_jpegs(panel: Any, scene: Any, post: Any) -> None:
    suspects = post(protected_for(scene, "bob", 8))
    leak = panel(NAME, suspects)
    assert "nobody is named unless" in leak.said()
    check(leak)
    assert "Derived from the copy of bob" in leak.said()
    assert "8 suspects · 8 match an original" in leak.said()
    rows = leak.data["recipients"]
    assert [row["recipient"] for row in rows] == [
        "bob (named)",
        "the best innocent",
        "alice",
    ]
    assert float(rows[0]["z"]) > 5.5 > float(rows[1]["z"])
    assert float(rows[0]["p_value"]) <= 1e-6 < float(rows[1]["p_value"])
    assert set(suspects.values("leak.recipient")) == {"bob"}


def test_pairs_lie_side_by_side_and_turn_pages(
    panel: Any, scene: Any, post: Any
) -> None:
    suspects = post(protected_for(scene, "bob", 6))
    leak = panel(NAME, suspects)
    check(leak)
    assert (leak.state["page"], leak.state["pages"]) == (0, 2)
    assert len(leak.state["pairs"]) == 4
    leak.do("next_page")
    assert len(leak.state["pairs"]) == 2
    leak.do("next_page")
    assert leak.state["page"] == 1
    leak.do("previous_page")
    assert leak.state["page"] == 0
    originals = {sample.filepath: sample for sample in scene}
    posted = set(suspects.values("filepath"))
    for place, pair in enumerate(leak.state["pairs"]):
        assert leak.layout[f"suspect_{place}"]["default"] == pair["suspect"]
        for url in (pair["suspect"], pair["original"]):
            assert url.startswith("/media?filepath=%2F")
        assert unquote(pair["suspect"].split("=")[1]) in posted
        assert unquote(pair["original"].split("=")[1]) in originals


def test_originals_that_are_gone_are_said_to_be(
    panel: Any, scene: Any, post: Any
) -> None:
    suspects = post(protected_for(scene, "bob", 3))
    leak = panel(NAME, suspects)
    check(leak)
    moved = Path(unquote(leak.state["pairs"][0]["original"].split("=")[1]))
    elsewhere = moved.with_suffix(".moved")
    moved.rename(elsewhere)
    try:
        leak.do("on_load")
        assert leak.state["pairs"][0]["original"] is None
        assert "isn't where it was" in leak.said()
    finally:
        elsewhere.rename(moved)


def test_what_was_read_without_its_original_is_said_to_be(
    panel: Any, scene: Any, post: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.errors import InputError
    from fiftyone_reue.releases.references import References

    def gone(self: References, image_id: str) -> None:
        raise InputError("the original isn't there any more")

    monkeypatch.setattr(References, "_load_original", gone)
    leak = panel(NAME, post(protected_for(scene, "bob", 12)))
    check(leak)
    unaided, unread = (leak.state["check"][one] for one in ("unaided", "unread"))
    # Of images so small a mark is rarely read from one by itself.
    assert unaided + unread == 12
    told = [pair["caption"] for pair in leak.state["pairs"]]
    said = ("read without its original", "looks like an original that is gone")
    assert all(any(one in caption for one in said) for caption in told)


def test_selected_images_only(panel: Any, scene: Any, post: Any) -> None:
    suspects = post(protected_for(scene, "bob", 5))
    leak = panel(NAME, suspects)
    check(leak, "selected")
    assert "Nothing is selected" in leak.said()
    assert suspects.list_runs() == []
    check(leak, "selected", selected=suspects.limit(2).values("id"))
    assert leak.state["check"]["images"] == 2
    assert suspects.match({"leak.used": True}).count() == 2


def test_suspects_of_one_original_are_joined(
    panel: Any, scene: Any, post: Any, tmp_path: Path
) -> None:
    files = protected_for(scene, "bob", 3)
    for number, path in enumerate(files[:2]):
        files.append(str(tmp_path / f"again{number}.jpg"))
        Image.open(path).convert("RGB").save(files[-1], quality=70)
    suspects = post(files)
    leak = panel(NAME, suspects)
    check(leak)
    assert "3 originals weighed, 2 of them joined from several" in leak.said()
    told = [pair["caption"] for pair in leak.state["pairs"]]  # of the first page
    assert sum(caption.endswith("used, one of 2 joined") for caption in told) == 3
    assert sum(caption.endswith(" used") for caption in told) == 1
    assert suspects.match({"leak.used": True}).count() == 5


def test_the_view_in_the_grid_only(panel: Any, scene: Any, post: Any) -> None:
    suspects = post(protected_for(scene, "bob", 5))
    leak = panel(NAME, suspects)
    check(leak, view=suspects.skip(2))
    assert leak.state["check"]["images"] == 3


def test_a_folder(panel: Any, scene: Any, post: Any, tmp_path: Path) -> None:
    suspects = post(protected_for(scene, "alice", 6))
    leak = panel(NAME, scene)
    leak.state["choice"] = {"suspects": "folder", "folder": ""}
    leak.do("choose")
    assert "folder" in leak.layout["choice"]["type"]["properties"]
    check(leak, "folder")
    assert "Type the folder of the suspects" in leak.said()
    check(leak, "folder", str(tmp_path / "nowhere"))
    assert "there is no such file or folder" in leak.said()
    check(leak, "folder", f" {tmp_path / 'leak'} ")
    assert "Derived from the copy of alice" in leak.said()
    assert "used" not in leak.buttons()
    shown = unquote(leak.state["pairs"][0]["suspect"].split("=")[1])
    assert shown in suspects.values("filepath")
    scene.delete_run(leak.state["check"]["key"])


def test_buttons_show_used_suspects_and_originals(
    panel: Any, scene: Any, post: Any
) -> None:
    suspects = post(protected_for(scene, "bob", 4) * 2)
    leak = panel(NAME, suspects)
    check(leak)
    leak.do("show_used")
    # Two copies of an original are one proof.
    assert leak.shown().count() == 4
    assert set(leak.shown().values("leak.used")) == {True}
    # The originals are another dataset's.
    sent = leak.do("go_to_originals")
    assert sent["open_dataset"]["dataset"] == scene.name
    view = scene.load_saved_view("reue_leaked_originals")
    assert set(view.values("ground_truth.label")) == {"astronaut"}
    assert view.count() == 4
    scene.delete_saved_view("reue_leaked_originals")


def test_originals_in_the_same_dataset_are_shown_there(
    panel: Any, scene: Any, post: Any, tmp_path: Path
) -> None:
    post(protected_for(scene, "bob", 3))
    leak = panel(NAME, scene)
    check(leak, "folder", str(tmp_path / "leak"))
    leak.do("show_originals")
    assert leak.shown().count() == 3
    scene.delete_run(leak.state["check"]["key"])


def test_unrelated_images_match_nothing(
    panel: Any, scene: Any, post: Any, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.png"
    Image.effect_noise((48, 48), 90).convert("RGB").save(noise)
    suspects = post([str(noise)])
    leak = panel(NAME, suspects)
    check(leak)
    assert "No match" in leak.said()
    assert leak.state["pairs"] == []
    assert "evidence" not in leak.layout
    assert not {"used", "originals"} & set(leak.buttons())


def test_undecided_says_how_many_more_are_needed(
    panel: Any, scene: Any, plugin: str
) -> None:
    """A verdict with too little evidence, as a run would keep it."""
    import fiftyone as fo

    from fiftyone_reue.samples import runs

    suspects = fo.Dataset()
    try:
        verdict = {
            "decision": "no-match",
            "recipient": None,
            "p_value": 0.002,
            "z": 3.7,
            "images_used": 1,
            "images_matched": 1,
            "images_failed": 0,
            "recipients_tested": 2,
            "best_innocent_p": 0.09,
            "more_images_needed": 2,
            "verdict": "No decision from 1 originals: about 2 more would decide it.",
            "recipients": [
                {"recipient": "bob", "z": 3.7, "p_value": 0.002},
                {"recipient": "alice", "z": -0.4, "p_value": 1.0},
            ],
            "suspects": "dataset found",
            "created": "2026-11-01T12:00:00+00:00",
        }
        runs.put(suspects, "leak_check_1", runs.EXTRACT, verdict)
        leak = panel(NAME, suspects)
        assert "No decision" in leak.said()
        assert "about 2 more" in leak.said()
        assert leak.data["recipients"][0]["recipient"] == "bob"
        # Nobody is accused, so no bar has the accused one's colour.
        assert len(set(leak.data["evidence"][0]["marker"]["color"])) == 1
    finally:
        suspects.delete()


def test_what_a_tampered_ledger_leaves_open_is_undecided(
    panel: Any, scene: Any, post: Any
) -> None:
    import fiftyone.core.odm as foo

    people = foo.get_db_conn()["reue_recipients"]
    suspects = post(protected_for(scene, "bob", 8))
    leak = panel(NAME, suspects)
    people.update_one({"name": "bob"}, {"$set": {"revoked_at": 1.0}})
    try:
        check(leak)
    finally:
        people.update_one({"name": "bob"}, {"$set": {"revoked_at": None}})
    verdict = leak.layout["verdict"]["view"]
    assert (verdict["severity"], verdict["label"]) == ("warning", "Undecided")
    assert "isn't as the owner left it" in leak.said()
    assert set(suspects.values("leak.decision")) == {"undecided"}
    check(leak)
    assert "Derived from the copy of bob" in leak.said()
    assert [row["outcome"] for row in leak.data["past"]] == ["copy of bob", "undecided"]
    assert set(suspects.values("leak.decision")) == {"match"}


def test_past_checks_are_listed_and_loaded(panel: Any, scene: Any, post: Any) -> None:
    suspects = post(protected_for(scene, "bob", 6))
    leak = panel(NAME, suspects)
    check(leak, view=suspects.limit(3))
    check(leak, view=suspects.limit(5))
    assert leak.state["check"]["images"] == 5
    assert [row["outcome"] for row in leak.data["past"]] == ["copy of bob"] * 2
    leak.do("open_check", row=1)
    assert leak.state["check"]["images"] == 3
    # A fresh page begins with the newest.
    assert panel(NAME, suspects).state["check"]["images"] == 5


def test_two_checks_in_a_minute_open_the_newer(
    panel: Any, scene: Any, plugin: str
) -> None:
    import fiftyone as fo

    from fiftyone_reue.samples import runs

    suspects = fo.Dataset()
    # The tenth check of a dataset sorts before the second by its name alone.
    times = {"leak_check_2": "12:00:31", "leak_check_10": "12:00:58"}
    try:
        for key, time in times.items():
            told = {"created": f"2026-11-01T{time}+00:00", "suspects": key}
            runs.put(suspects, key, runs.EXTRACT, told)
        leak = panel(NAME, suspects)
        assert leak.state["check"]["key"] == "leak_check_10"
        dates = [row["date"] for row in leak.data["past"]]
        assert dates == ["2026-11-01 12:00:58", "2026-11-01 12:00:31"]
    finally:
        suspects.delete()


def test_a_check_goes_on_without_the_page_and_a_new_page_follows_it(
    panel: Any, scene: Any, post: Any
) -> None:
    from fiftyone_reue.samples import worker

    suspects = post(protected_for(scene, "bob", 3))
    leak = panel(NAME, suspects)
    leak.state["choice"] = {"suspects": "grid", "folder": ""}
    leak.do("start")
    assert "Trace leaked images: waits for its turn" in leak.said()
    page = panel(NAME, suspects)
    assert "Trace leaked images: waits for its turn" in page.said()
    assert page.layout["busy_timer_0"]["view"]["timeout"] < 3000
    worker.work(idle=0)
    page.do("follow")
    assert "3 suspects · 3 match an original" in page.said()
    # Another timer than the last, which has gone off.
    assert "quiet_timer_1" in page.layout
    page.do("follow")
    assert "quiet_timer_0" in page.layout
    page.do("clear_job", job=page.state["jobs"][0]["id"])
    assert page.state["jobs"] == []


def test_options_keep_what_was_typed(panel: Any, scene: Any) -> None:
    leak = panel(NAME, scene)
    leak.state["choice"] = {"suspects": "folder", "folder": " /data/suspects "}
    sent = leak.do("schedule")["prompt_user_for_operation"]
    assert sent["params"] == {"folder": "/data/suspects"}


def test_before_anything_was_protected(panel: Any, plugin: str, tmp_path: Path) -> None:
    import fiftyone as fo
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    image = tmp_path / "a.png"
    Image.new("RGB", (48, 48)).save(image)
    suspects = fo.Dataset()
    suspects.add_sample(fo.Sample(filepath=str(image)))
    hidden = [n for n in database.list_collection_names() if n.startswith("reue_")]
    for name in hidden:
        database[name].rename(f"hidden_{name}")
    try:
        leak = panel(NAME, suspects)
        check(leak)
        assert "There is no vault in FiftyOne's database yet" in leak.said()
    finally:
        for name in database.list_collection_names():
            if name.startswith("reue_"):
                database.drop_collection(name)
        for name in hidden:
            database[f"hidden_{name}"].rename(name)
        suspects.delete()


def test_no_secret_in_what_the_panel_keeps(panel: Any, scene: Any, post: Any) -> None:
    from fiftyone_reue.samples import open_vault

    vault = open_vault()
    secrets = [OWNER_KEY]
    for person in vault.recipients():
        secrets += [vault.recipient_key(person).key, vault.code_seed(person)]
    suspects = post(protected_for(scene, "bob", 3))
    leak = panel(NAME, suspects)
    check(leak)
    kept = json.dumps([leak.state, leak.data, leak.layout, leak.sent], default=str)
    assert "bob" in kept
    for secret in secrets:
        for form in (secret.hex(), base64.b64encode(secret).decode().rstrip("=")):
            assert form not in kept


# -- the case file


@pytest.fixture
def two_checks(panel: Any, scene: Any, post: Any) -> Any:
    """A panel with two checks of the same suspects, of three and of five of them."""
    suspects = post(protected_for(scene, "bob", 5))
    leak = panel(NAME, suspects)
    check(leak, view=suspects.limit(3))
    check(leak)
    return leak


def test_a_check_is_named_and_has_notes(panel: Any, two_checks: Any) -> None:
    leak = two_checks
    assert [row["name"] for row in leak.data["past"]] == ["check 2", "check 1"]
    leak.state["about"] = {"name": "forum, May", "notes": "told by Ann"}
    leak.do("save_about")
    assert leak.data["past"][0]["name"] == "forum, May"
    page = panel(NAME, leak.dataset)
    assert page.state["about"] == {"name": "forum, May", "notes": "told by Ann"}
    page.do("open_check", row=1)
    assert page.state["about"] == {"name": "", "notes": ""}
    page.state["about"] = {"name": "x" * 101}
    page.do("save_about")
    assert "can have 100 characters" in page.said()


def test_what_is_typed_outlives_news(two_checks: Any) -> None:
    two_checks.state["about"] = {"name": "half a na"}
    two_checks.do("refresh")
    assert two_checks.state["about"] == {"name": "half a na"}


def test_follows_names_and_checks_from_elsewhere(two_checks: Any) -> None:
    leak = two_checks
    leak.do("open_check", row=1)
    leak.state["about"] = {"name": "half a na"}
    reue.rename_recipient("bob", "Robert Smith")
    try:
        leak.do("follow")
        assert "Derived from the copy of Robert Smith (bob)" in leak.said()
        assert leak.state["check"]["key"] == "leak_check_1"
        assert leak.state["about"] == {"name": "half a na"}
        made = reue.extract_samples(leak.dataset.limit(4), progress=False)
        leak.do("follow")
        assert leak.state["check"]["key"] == made.run == "leak_check_3"
    finally:
        reue.rename_recipient("bob", "")
    leak.do("follow")
    assert "Derived from the copy of bob" in leak.said()


def test_says_that_the_owner_key_is_missing_before_it_begins(
    panel: Any, scene: Any, post: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak = panel(NAME, post(protected_for(scene, "bob", 3)))
    with monkeypatch.context() as patch:
        patch.delenv("REUE_OWNER_KEY")
        leak.do("start")
        assert "The owner key is missing" in leak.said()
        assert "start the App again" in leak.said()
        assert not leak.state["jobs"]
    check(leak)
    assert "The owner key is missing" not in leak.said()


def test_a_check_is_deleted_and_brought_back(panel: Any, two_checks: Any) -> None:
    leak = two_checks
    leak.do("delete_row", row=1)
    assert [row["name"] for row in leak.data.get("past", [])] == ["check 2"]
    assert leak.state["check"]["images"] == 5
    assert "gone for good in a minute" in leak.said()
    # Where it was deleted, which may be far from the top.
    names = list(leak.layout)
    assert names.index("past_title") < names.index("deleted_0") < names.index("past")
    # Another page of the App can undo it too.
    page = panel(NAME, leak.dataset)
    assert page.state["deleted"] == ["leak_check_1"]
    page.do("undo_delete", check="leak_check_1")
    assert [row["name"] for row in page.data["past"]] == ["check 2", "check 1"]
    assert page.state["check"]["key"] == "leak_check_1"
    assert "undo" not in page.buttons()


def test_the_shown_check_is_deleted_and_the_next_is_shown(
    two_checks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import checks

    leak = two_checks
    leak.do("delete_shown")
    assert leak.state["check"]["images"] == 3
    names = list(leak.layout)
    assert names.index("show") < names.index("deleted_0") < names.index("about_title")
    monkeypatch.setattr(checks, "UNDO_SECONDS", -1)
    leak.do("follow")
    assert leak.state["deleted"] == []
    assert leak.dataset.list_runs() == ["leak_check_1"]
    leak.do("undo_delete", check="leak_check_2")
    assert "more than a minute ago" in leak.said()
    leak.do("delete_shown")
    assert leak.state["check"] is None


def test_two_checks_are_laid_beside_each_other(two_checks: Any) -> None:
    leak = two_checks
    leak.do("compare_row", row=1)
    assert "Both say the same. 2 suspects more." in leak.said()
    rows = leak.data["changed_suspects"]
    assert {row["after"] for row in rows} == {"new"}
    assert all(row["suspect"].endswith(".jpg") for row in rows)
    scores = {row["recipient"]: row for row in leak.data["changed_scores"]}
    assert float(scores["bob"]["z_after"]) > float(scores["bob"]["z_before"]) > 3
    leak.do("compare_row", row=0)
    assert "compare it with another" in leak.said()
    leak.do("close_comparison")
    assert "compared" not in leak.layout


def test_a_report_is_reached_or_written(
    two_checks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue import samples as reue

    leak = two_checks
    assert leak.buttons()["write_report"]["label"] == "Write a report"
    sent = leak.do("write_report")
    assert leak.shown().count() == 5
    assert sent["prompt_user_for_operation"]["params"]["case_dir"] == ""
    reue.extract_samples(leak.dataset, case_dir=tmp_path / "case", progress=False)
    leak.do("refresh")
    shown = leak.buttons()
    addresses = [shown[f"report_{n}"]["href"] for n in range(2)]
    assert [unquote(a).rpartition("/")[2] for a in addresses] == [
        "report.html",
        "report.pdf",
    ]
