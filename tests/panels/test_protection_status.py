"""The status panel's events and what it lays out."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.samples import runs
from fiftyone_reue.vault.armour import Armour, encode

pytestmark = pytest.mark.integration

NAME = "protection_status"
OPERATORS = "@reue/fiftyone-reue"


def prompted(sent: dict[str, dict]) -> dict[str, Any]:
    return sent["prompt_user_for_operation"]


def bar(driver: Any, plot: str, trace: int, place: int) -> dict[str, Any]:
    """What the App sends for a click on a bar."""
    told = driver.data[plot][trace]
    return {
        "x": told["x"][place],
        "y": told["y"][place],
        "idx": place,
        "trace": told.get("name"),
    }


def test_shows_coverage_releases_and_quality(panel: Any, scene: Any) -> None:
    status = panel(NAME, scene)
    assert "23 of 36 images are protected (64%)" in status.said()
    assert "001.png: " in status.said()
    assert {"classes", "recipients", "methods", "releases", "psnr"} <= set(
        status.layout
    )
    rows = {row["release"]: row for row in status.data["releases"]}
    assert set(rows) == {"alice_1", "bob_1"}
    assert rows["alice_1"]["state"] == "done, shown"
    assert rows["alice_1"]["images"] == "23, 1 failed"
    assert rows["bob_1"]["state"] == "done"
    assert rows["bob_1"]["recipient"] == "bob"
    assert 30 < float(rows["bob_1"]["psnr"]) < 45


def test_a_dataset_without_releases_gets_a_call_to_action(
    panel: Any, plugin: str
) -> None:
    import fiftyone as fo

    dataset = fo.Dataset()
    try:
        status = panel(NAME, dataset)
        assert "Nothing is protected yet" in status.said()
        assert list(status.buttons()) == ["protect", "preview"]
        sent = status.do("protect")
        assert prompted(sent)["operator_uri"] == f"{OPERATORS}/protect_dataset"
        assert prompted(sent)["on_success"] == f"{OPERATORS}/{NAME}#refresh"
        sent = status.do("preview")
        assert prompted(sent)["operator_uri"] == f"{OPERATORS}/preview_protection"
    finally:
        dataset.delete()


def test_each_bar_of_a_class_filters_the_grid(panel: Any, scene: Any) -> None:
    status = panel(NAME, scene)
    for trace, told in enumerate(status.data["classes"]):
        for place, count in enumerate(told["x"]):
            status.do("click_class", **bar(status, "classes", trace, place))
            assert status.shown().count() == count
            if count:
                labels = set(status.shown().values("ground_truth.label"))
                assert labels == {told["y"][place]}


def test_bars_of_recipient_method_and_psnr_filter_the_grid(
    panel: Any, scene: Any
) -> None:
    status = panel(NAME, scene)
    for plot, event, of in (
        ("recipients", "click_recipient", "x"),
        ("methods", "click_method", "x"),
        ("psnr", "click_psnr", "y"),
    ):
        counts = status.data[plot][0][of]
        assert counts
        for place, count in enumerate(counts):
            status.do(event, **bar(status, plot, 0, place))
            assert status.shown().count() == count


def test_unlearnability_once_it_was_measured(panel: Any, scene: Any) -> None:
    status = panel(NAME, scene)
    assert "Not measured yet" in status.said()
    copy = scene.clone()
    try:
        done = copy.match({"protection.state": "protected"})
        done.set_values("protection.unlearnability", [0.9] * 20 + [0.2] * 3)
        status = panel(NAME, copy)
        assert "Not measured yet" not in status.said()
        counts = status.data["unlearnability"][0]["y"]
        assert (counts[0], counts[-1], sum(counts)) == (3, 20, 23)
        click = bar(status, "unlearnability", 0, len(counts) - 1)
        status.do("click_unlearnability", **click)
        assert status.shown().count() == 20
    finally:
        copy.delete()


def test_a_measurement_that_tells_nothing_is_said_to_tell_nothing(
    panel: Any, scene: Any, work: Any
) -> None:
    from fiftyone_reue.samples import jobs

    uri, given = f"{OPERATORS}/score_unlearnability", {"max_images": 8, "size": 32}
    jobs.queue_on(scene, uri, "Measure alice_1", {"release": "alice_1", **given})
    status = panel(NAME, scene)
    work()
    status.do("follow")
    assert "Nothing can be told of unlearnability from so few" in status.said()
    assert status.layout["job_0"]["view"]["severity"] == "warning"
    assert "Nothing can be told of release alice_1, which was" in status.said()
    status.do("clear_jobs")


def test_buttons_show_what_is_left_and_what_failed(panel: Any, scene: Any) -> None:
    status = panel(NAME, scene)
    buttons = status.buttons()
    assert buttons["show_unprotected"]["label"] == "Show 12 unprotected"
    status.do("show_state", **buttons["show_unprotected"]["params"])
    assert set(status.shown().values("ground_truth.label")) == {"grass"}
    status.do("show_state", **buttons["show_failed"]["params"])
    assert status.shown().count() == 1


def test_distributions_are_of_the_dataset_not_of_the_view(
    panel: Any, scene: Any
) -> None:
    status = panel(NAME, scene)
    before = dict(status.data)
    status.do("refresh", view=scene.limit(3))
    assert status.data == before


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, scene: Any) -> Iterator[Callable[[], int]]:
    """Works jobs off, as a worker's process does; leaves none behind."""
    from fiftyone_reue.samples import jobs, worker

    monkeypatch.setattr(worker, "ensure", lambda: None)
    yield lambda: worker.work(idle=0)
    for job in jobs.list_jobs(scene):
        jobs.cancel(job.id)
        jobs.clear(job.id)
    monkeypatch.setattr(jobs, "UNDO_SECONDS", 0.0)
    jobs.forget_cleared()


def test_checking_files_is_a_job_that_is_there_once(
    panel: Any, scene: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import stale

    def never(*_: Any) -> None:
        pytest.fail("files were read while the page waited")

    status = panel(NAME, scene)
    with monkeypatch.context() as patch:
        patch.setattr(stale, "find_changes", never)
        status.do("check_files")
        status.do("check_files")
    assert "Check files: waits for its turn" in status.said()
    assert [row["label"] for row in status.state["jobs"]] == ["Check files"]
    assert work() == 1
    status.do("follow")
    assert "Checked 23 files: every copy is there and up to date." in status.said()


def test_a_check_of_files_can_be_cancelled(panel: Any, scene: Any, work: Any) -> None:
    status = panel(NAME, scene)
    status.do("check_files")
    cancel = status.buttons()["job_0_cancel"]
    assert cancel["label"] == "Cancel"
    status.do("cancel_job", **cancel["params"])
    assert "Check files: being cancelled ..." in status.said()
    assert "job_0_cancel" not in status.buttons()
    status.do("follow")
    assert "Check files: cancelled" in status.said()
    assert work() == 0


def test_closed_jobs_can_be_listed_again(panel: Any, scene: Any, work: Any) -> None:
    status = panel(NAME, scene)
    assert "undo_clear" not in status.buttons()
    status.do("check_files")
    work()
    status.do("follow")
    status.do("clear_job", **status.buttons()["job_0_clear"]["params"])
    assert "Checked 23 files" not in status.said()
    assert "Closed 1 job; gone for good in a minute" in status.said()
    status.do("undo_clear")
    assert "Checked 23 files: every copy is there and up to date." in status.said()
    assert "undo_clear" not in status.buttons()


def test_what_deletes_has_an_undo_until_it_began(
    panel: Any, scene: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import jobs

    uri = f"{OPERATORS}/delete_release"
    job = jobs.queue_on(scene, uri, "Delete bob_1", {"release": "bob_1"})
    status = panel(NAME, scene)
    undo = status.buttons()["job_0_cancel"]
    assert undo["label"] == "Undo"
    left = re.search(r"bob_1: begins in (\d+) s; undo it until then", status.said())
    assert 50 <= int(left[1]) <= 60
    with monkeypatch.context() as patch:
        # On a busy machine reading anew takes seconds: the row says it before that.
        patch.setattr(jobs, "list_jobs", lambda dataset: pytest.fail("it was read"))
        status.do("cancel_job", **undo["params"])
    assert "Delete bob_1: being undone ..." in status.said()
    status.do("follow")
    assert "Delete bob_1: undone, nothing was deleted" in status.said()
    # Whoever presses Enter once more doesn't delete it after all.
    assert "job_0_repeat" not in status.buttons()
    jobs.clear(job)


def test_what_can_be_undone_is_listed_however_much_came_after_it(
    panel: Any, scene: Any, work: Any
) -> None:
    from fiftyone_reue.samples import jobs

    uri = f"{OPERATORS}/delete_release"
    job = jobs.queue_on(scene, uri, "Delete bob_1", {"release": "bob_1"})
    for number in range(6):
        jobs.note_failure(_asking(scene), uri, f"Try {number}", "It can't be")
    status = panel(NAME, scene)
    labels = [row["label"] for row in status.state["jobs"]]
    assert labels == ["Delete bob_1", *(f"Try {number}" for number in (5, 4, 3, 2))]
    assert "And 2 earlier" in status.said()
    status.do("cancel_job", **status.buttons()["job_0_cancel"]["params"])
    status.do("follow")
    status.do("clear_jobs")
    assert not status.state["jobs"]
    jobs.clear(job)


def _asking(scene: Any) -> Any:
    from fiftyone.operators.executor import ExecutionContext

    return ExecutionContext({"dataset_name": scene.name, "params": {}})


def test_an_undo_that_comes_too_late_says_so(panel: Any, scene: Any, work: Any) -> None:
    status = panel(NAME, scene)
    status.do("check_files")
    cancel = status.buttons()["job_0_cancel"]["params"]
    work()
    status.do("cancel_job", **cancel)
    said = "Check files: it had come to its end; nothing was cancelled"
    assert said in status.said()
    assert "Checked 23 files: every copy is there and up to date." in status.said()
    # News doesn't take it away from whoever reads it.
    reue.score_samples(scene, "alice_1", max_images=8, progress=False)
    status.do("follow")
    assert said in status.said()
    status.do("refresh")
    assert said not in status.said()
    status.do("clear_jobs")


def test_what_is_measured_has_no_result_where_it_was_stopped(
    panel: Any, scene: Any, work: Any
) -> None:
    from fiftyone_reue.samples import jobs

    for name in ("score_unlearnability", "protect_dataset"):
        jobs.cancel(jobs.queue_on(scene, f"{OPERATORS}/{name}", name, {}))
    status = panel(NAME, scene)
    assert status.buttons()["job_0_repeat"]["label"] == "Go on"
    assert "What was finished is kept; go on" in status.said()
    assert status.buttons()["job_1_repeat"]["label"] == "Try again"
    assert "It has no result; try again to begin anew." in status.said()
    status.do("clear_jobs")


def test_follows_who_is_revoked_and_reinstated_elsewhere(
    panel: Any, scene: Any
) -> None:
    status = panel(NAME, scene)

    def keys() -> tuple[str, str]:
        status.do("follow")
        (release,) = (r for r in status.data["releases"] if r["release"] == "bob_1")
        (held,) = (r for r in status.data["holdings"] if r["release"] == "bob_1")
        return release["recipient"], held["key"].partition(", ")[2][:7]

    assert keys() == ("bob", "active")
    reue.revoke_recipient("bob")
    try:
        assert keys() == ("bob (revoked)", "revoked")
    finally:
        reue.reinstate_recipient("bob")
    assert keys() == ("bob", "active")


def test_checking_files_finds_stale_copies(panel: Any, scene: Any, work: Any) -> None:
    status = panel(NAME, scene)

    def check() -> None:
        status.do("check_files")
        assert work() == 1
        status.do("follow")

    assert "show_stale" not in status.buttons()
    check()
    assert "Checked 23 files: every copy is there" in status.said()
    assert status.layout["job_0"]["view"]["severity"] == "success"
    # What looks for news is not seen, and leaves no gap between what is.
    assert [name.split("_")[1] for name in list(status.layout)[-2:]] == ["timer"] * 2
    assert "show_stale" not in status.buttons()
    status.do("clear_jobs")
    changed, missing = scene.match({"protection.state": "protected"}).limit(2)
    copy = Path(missing.protected_filepath)
    kept = copy.read_bytes()
    original = Path(changed.filepath)
    data, times = original.read_bytes(), os.stat(original)
    try:
        os.utime(original, (2e9, 2e9))  # a date alone is no change
        check()
        assert "every copy is there" in status.said()
        status.do("clear_jobs")
        original.write_bytes(Path(missing.filepath).read_bytes())
        os.utime(original, (1, 1))
        copy.unlink()
        check()
        assert (
            "Checked 23 files: 1 original changed since, or got another class, 1 "
            "protected file is missing or damaged. Protect them again to mend this."
        ) in status.said()
        assert status.layout["job_0"]["view"]["severity"] == "warning"
        # Whoever closes the job, or looks later, still finds them.
        status.do("clear_jobs")
        status = panel(NAME, scene)
        assert "2 images were stale when the files were last checked" in status.said()
        assert status.buttons()["show_stale"]["label"] == "Show 2 stale"
        status.do("show_stale")
        # By its name, which the App then shows.
        assert status.sent["set_view"] == {"name": "protection: stale"}
        stale = scene.load_saved_view("protection: stale")
        assert set(stale.values("id")) == {changed.id, missing.id}
    finally:
        copy.write_bytes(kept)
        original.write_bytes(data)
        os.utime(original, (times.st_atime, times.st_mtime))
    check()
    assert "every copy is there" in status.said()
    assert "show_stale" not in status.buttons()
    assert not scene.has_saved_view("protection: stale")


@pytest.mark.parametrize(
    ("event", "operator"),
    [
        ("show_release", "show_release"),
        ("score_release", "score_unlearnability"),
        ("audit_release", "audit_release"),
        ("delete_release", "delete_release"),
    ],
)
def test_a_row_prompts_for_its_release(
    panel: Any, scene: Any, event: str, operator: str
) -> None:
    status = panel(NAME, scene)
    names = [row["release"] for row in status.data["releases"]]
    asked = prompted(status.do(event, row=names.index("bob_1"), path="releases"))
    assert asked["operator_uri"] == f"{OPERATORS}/{operator}"
    assert asked["params"] == {"release": "bob_1"}
    assert asked["on_success"] == f"{OPERATORS}/{NAME}#refresh"


def finding(name: str, level: str, copies: float | None, **more: Any) -> dict:
    return {
        "countermeasure": name,
        "title": name.capitalize(),
        "needs": "",
        "level": level,
        "victim": "small_resnet",
        "accuracy": copies,
        "originals": None if copies is None else 0.9,
        **more,
    }


AUDIT = {
    "doubts": [],
    "headline": "bob_1 holds as it is; against countermeasures: holds against 1 of 4",
    "paragraph": "A model trained on it as it is names 11.0 % rightly.",
    "measured": "2999-11-21T10:30:00+00:00",
    "findings": [
        finding("none", "holds", 0.11),
        finding("cutout", "holds", 0.14),
        finding("diffusion", "not tellable", None),
        finding("grayscale", "weakened", 0.42),
        finding("leak", "broken", 0.853, needs="100 pairs"),
    ],
}


@pytest.fixture
def audited(scene: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A copy of the scene whose release bob_1 has an audit, with a report."""
    copies = []

    def make(**changed: Any) -> Any:
        copy = scene.clone()
        copies.append(copy)
        (tmp_path / "audit.html").write_text("the report")
        kept = {**AUDIT, "report": str(tmp_path / "audit.html"), **changed}
        runs.put(copy, "bob_1", runs.PROTECT, {"audit": kept})
        return copy

    yield make
    for copy in copies:
        copy.delete()


def open_audit(panel: Any, dataset: Any, release: str) -> Any:
    status = panel(NAME, dataset)
    status.do("choose_audit", value=release)
    return status


def test_only_what_is_published_is_licensed(
    panel: Any, scene: Any, tmp_path: Path
) -> None:
    status = panel(NAME, scene)
    status.do("license_release", row=0)
    assert "publish the images to license them" in status.said()
    assert prompted(status.do("publish"))["operator_uri"].endswith("publish_dataset")
    copy = scene.clone()
    try:
        made = reue.publish_samples(
            copy.match({"ground_truth.label": {"$ne": "coffee"}}),
            output_dir=tmp_path / "public",
            method="lsp",
            label_field="ground_truth",
            progress=False,
        )
        licence = tmp_path / "alice.license"
        reue.license_samples(copy, "alice", licence, progress=False)
        status = panel(NAME, copy)
        row = [one["release"] for one in status.data["releases"]].index(made.release)
        assert status.data["releases"][row]["recipient"] == "everybody, 1 licence"
        sent = prompted(status.do("license_release", row=row))
        assert sent["operator_uri"] == f"{OPERATORS}/license_recipient"
        assert sent["params"] == {"release": made.release}
        reue.delete_release(copy, made.release, progress=False)
    finally:
        copy.delete()


def test_says_that_a_release_was_not_audited(panel: Any, scene: Any) -> None:
    status = panel(NAME, scene)
    assert "alice_1 is not audited yet" in status.said()
    assert "audit" not in status.layout
    assert "report" not in status.buttons()
    asked = prompted(status.do("audit"))
    assert asked["operator_uri"] == f"{OPERATORS}/audit_release"
    assert asked["params"] == {"release": "alice_1"}
    assert asked["on_success"] == f"{OPERATORS}/{NAME}#refresh"


def test_shows_how_well_the_chosen_release_holds(
    panel: Any, audited: Any, tmp_path: Path
) -> None:
    status = open_audit(panel, audited(), "bob_1")
    assert "not audited" not in status.said()
    verdict = status.layout["audit_verdict"]["view"]
    assert verdict["label"] == AUDIT["headline"]
    assert verdict["severity"] == "warning"
    assert AUDIT["paragraph"] in status.said()
    assert "Audited 2999-11-21 10:30 UTC" in status.said()
    assert str(tmp_path / "audit.html") in status.said()
    rows = status.data["audit"]
    # As it is first, then the worst first.
    assert [row["countermeasure"] for row in rows] == [
        "None",
        "Leak",
        "Grayscale",
        "Diffusion",
        "Cutout",
    ]
    assert rows[1] == {
        "countermeasure": "Leak",
        "level": "broken",
        "copies": "85.3%",
        "originals": "90.0%",
        "needs": "100 pairs",
    }
    assert (rows[3]["copies"], rows[3]["needs"]) == ("–", "–")
    columns = [one["key"] for one in status.layout["audit"]["view"]["columns"]]
    assert columns == list(rows[0])
    styles = status.layout["audit"]["view"]["componentsProps"]["table"]["sx"]
    level = columns.index("level") + 1
    colours = [
        styles[f"& tbody tr:nth-of-type({row}) td:nth-of-type({level})"]["boxShadow"]
        for row in range(1, 6)
    ]
    assert colours[0] == colours[4]
    assert len(set(colours)) == 4
    address = status.buttons()["report"]["href"]
    assert unquote(address).endswith(f"={tmp_path / 'audit.html'}")

    # It is kept in view until another one is chosen.
    status.do("refresh")
    assert AUDIT["headline"] in status.said()
    assert prompted(status.do("audit"))["params"] == {"release": "bob_1"}
    status.do("choose_audit", value="alice_1")
    assert "alice_1 is not audited yet" in status.said()
    assert AUDIT["headline"] not in status.said()
    assert status.data["audit"] == []


@pytest.mark.parametrize(
    ("levels", "severity"),
    [
        (("holds", "holds"), "success"),
        (("holds", "weakened"), "warning"),
        (("not tellable", "holds"), "warning"),
        (("broken", "broken"), "error"),
    ],
)
def test_a_box_is_as_red_as_the_verdict(
    panel: Any, audited: Any, levels: tuple[str, str], severity: str
) -> None:
    names = ("none", "cutout")
    findings = [finding(n, at, 0.5) for n, at in zip(names, levels, strict=True)]
    status = open_audit(panel, audited(findings=findings), "bob_1")
    assert status.layout["audit_verdict"]["view"]["severity"] == severity


def test_a_measurement_that_failed_its_own_checks_comes_with_a_warning(
    panel: Any, audited: Any
) -> None:
    doubts = ["Noise alone ruins the model."]
    status = open_audit(panel, audited(doubts=doubts), "bob_1")
    verdict = status.layout["audit_verdict"]["view"]
    assert verdict["severity"] == "error"
    assert verdict["label"] == f"{AUDIT['headline']} {doubts[0]}"


def test_an_old_audit_says_what_changed(
    panel: Any, audited: Any, tmp_path: Path
) -> None:
    dataset = audited(measured="2020-01-01T00:00:00+00:00")
    (tmp_path / "audit.html").unlink()
    status = open_audit(panel, dataset, "bob_1")
    assert "protected again since" in status.said()
    assert "not there any more" in status.said()
    assert "report" not in status.buttons()
    assert "protected again since" not in open_audit(panel, audited(), "bob_1").said()


def test_after_showing_another_release_the_panel_follows(
    panel: Any, scene: Any
) -> None:
    import fiftyone.operators as foo

    status = panel(NAME, scene)
    show = foo.get_operator(f"{OPERATORS}/show_release")
    try:
        show(scene, "bob_1")
        status.do("refresh")
        rows = {row["release"]: row["state"] for row in status.data["releases"]}
        assert rows == {"alice_1": "done", "bob_1": "done, shown"}
        assert "12 of 36 images are protected (33%)" in status.said()
        # Everybody who has a copy, whichever release is shown.
        assert status.data["recipients"][0]["x"] == [23, 12]
    finally:
        show(scene, "alice_1")


def test_a_vault_that_is_made_in_a_terminal_is_seen(panel: Any, scene: Any) -> None:
    import fiftyone.core.odm as foo

    meta = foo.get_db_conn()["reue_meta"]
    meta.rename("away")
    try:
        status = panel(NAME, scene)
        missing = "has lost the vault's description"
        assert missing in status.said()
    finally:
        foo.get_db_conn()["away"].rename("reue_meta")
    status.do("follow")
    assert missing not in status.said()


def test_says_why_an_operator_failed(panel: Any, scene: Any) -> None:
    import fiftyone.operators as foo

    status = panel(NAME, scene)
    operator = foo.get_operator(f"{OPERATORS}/switch_media")
    with pytest.raises(foo.executor.ExecutionError) as raised:
        foo.execute_operator(operator.uri, {"dataset": scene}, params={"show": "x"})
    assert "Traceback" in str(raised.value)
    status.do("failed", error=str(raised.value))
    wanted = "There is no 'x' to show, but original, protected"
    assert wanted in status.said().splitlines()
    status.do("refresh")
    assert wanted not in status.said()


def test_a_run_that_fell_silent_was_interrupted(panel: Any, scene: Any) -> None:
    copy = scene.clone()
    try:
        config = copy.get_run_info("bob_1").config
        config.state, config.updated = "running", "2026-01-01T00:00:00+00:00"
        copy.update_run_config("bob_1", config)
        status = panel(NAME, copy)
        rows = {row["release"]: row["state"] for row in status.data["releases"]}
        assert rows["bob_1"] == "interrupted"
    finally:
        copy.delete()


def test_many_classes_are_cut_to_those_with_most_to_do(panel: Any, scene: Any) -> None:
    copy = scene.clone()
    try:
        labels = [f"{label}{n}" for n, label in enumerate(_labels(copy))]
        copy.set_values("ground_truth.label", labels)
        status = panel(NAME, copy)
        shown = status.data["classes"][0]["y"]
        assert len(shown) == 30
        assert "The 30 of 36 classes" in status.said()
        left = {label for label in labels if label.startswith("grass")}
        assert left <= set(shown)
    finally:
        copy.delete()


def test_follows_an_owner_key_that_comes_and_goes(
    panel: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = panel(NAME, scene)
    assert "owner_key" not in status.layout
    key = tmp_path / "owner.key"
    monkeypatch.delenv("REUE_OWNER_KEY", raising=False)
    monkeypatch.setenv("REUE_OWNER_KEY_FILE", str(key))

    def said() -> tuple[str, str]:
        status.do("follow")
        view = status.layout["owner_key"]["view"]
        assert view["severity"] == "warning"
        return view["label"], view["description"] or ""

    def lay(body: bytes) -> None:
        key.write_text(encode(Armour("OWNER", {}, body)))
        key.chmod(0o600)

    missing = said()
    assert "is missing. Put it back" in missing[0]
    assert "A file is seen as soon as it is there" in missing[1]
    assert "key_actions" not in status.layout
    lay(bytes(32))
    assert "offer the key of this vault" in said()[0]
    key.write_text("no key")
    assert "isn't a key file" in said()[0]
    lay(bytes.fromhex("7b" * 32))
    assert "FiftyOne's server sends every file" in said()[0]
    # It is at another place than the one that was confirmed.
    assert "read_owner_key" in status.buttons()
    key.unlink()
    assert said() == missing


def test_before_there_is_a_vault_it_says_how_one_is_made(
    panel: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import vaults

    class Empty:
        def get_meta(self) -> None:
            return None

        def has_rows(self) -> bool:
            return False

    monkeypatch.setattr(vaults, "open_ledger", Empty)
    said = panel(NAME, scene).layout["owner_key"]["view"]["label"]
    assert "reue app confirm manage_recipients" in said


def _labels(dataset: Any) -> list[str]:
    return dataset.values("ground_truth.label")
