"""Panels call recipients by the names that they are shown by, and say their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue

pytestmark = pytest.mark.integration

ROBERT = "Robert Smith (bob)"


@pytest.fixture
def renamed(scene: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from fiftyone_reue.samples import worker

    monkeypatch.setattr(worker, "ensure", lambda: None)
    reue.rename_recipient("bob", "Robert Smith")
    yield scene
    reue.rename_recipient("bob", "")


def test_the_status_panels_tables_and_bars(panel: Any, renamed: Any) -> None:
    status = panel("protection_status", renamed)
    assert {row["recipient"] for row in status.data["releases"]} == {"alice", ROBERT}
    assert [row["recipient"] for row in status.data["holdings"]] == ["alice", ROBERT]
    (bars,) = status.data["recipients"]
    place = bars["y"].index(ROBERT)
    status.do("click_recipient", y=ROBERT, x=bars["x"][place], trace="", idx=place)
    assert status.shown().count() == bars["x"][place]


def test_a_jobs_line(panel: Any, renamed: Any) -> None:
    from fiftyone_reue.samples import jobs

    uri, params = "@reue/fiftyone-reue/protect_dataset", {"recipient": "bob"}
    job_id = jobs.queue_on(renamed, uri, "Protect for bob", params)
    try:
        assert f"Protect for {ROBERT}: " in panel("protection_status", renamed).said()
    finally:
        jobs.cancel(job_id)


def test_a_copys_facts(panel: Any, renamed: Any) -> None:
    sample = next(s for s in renamed if s.protection and s.protection.state)
    sample.protection.recipient, own = "bob", sample.protection.recipient
    sample.save()
    try:
        compare = panel("compare_copies", renamed)
        compare.do("on_change_selected", selected=[sample.id])
        said = {row["name"]: row["value"] for row in compare.data["facts"]}
        assert said["For"] == ROBERT
    finally:
        sample.protection.recipient = own
        sample.save()


def test_a_verdict_and_its_evidence(panel: Any, renamed: Any, post: Any) -> None:
    from fiftyone_reue.samples import worker

    folder = Path(renamed.get_run_info("bob_1").config.output_dir)
    suspects = post(sorted(str(path) for path in folder.rglob("*.png"))[:8])
    leak = panel("leak_check", suspects)
    for _ in range(2):
        leak.do("start")
        worker.work(idle=0)
        leak.do("follow")
    assert f"Derived from the copy of {ROBERT}" in leak.said()
    assert "are derived from the copy of Robert Smith" in leak.said()
    assert leak.data["recipients"][0]["recipient"] == f"{ROBERT} (named)"
    assert leak.data["evidence"][0]["y"][0] == ROBERT
    assert leak.data["past"][0]["outcome"] == f"copy of {ROBERT}"
    leak.do("compare_row", row=1)
    assert leak.data["changed_scores"][0]["recipient"] == ROBERT
    # The fields, which scripts read, have the name that everything is bound to.
    assert set(suspects.values("leak.recipient")) == {"bob"}
