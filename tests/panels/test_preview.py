"""The result of a preview opens by itself once its job has ended; others' don't."""

from typing import Any

import pytest

pytestmark = pytest.mark.integration

SPACES = {"child": "as the App sends them"}


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests work jobs off themselves."""
    from fiftyone_reue.samples import worker

    monkeypatch.setattr(worker, "ensure", lambda: None)


def asked(plugin: str, name: str, dataset: Any, **params: Any) -> None:
    import fiftyone.operators as foo

    context = {"dataset": dataset, "spaces": SPACES}
    foo.execute_operator(f"{plugin}/{name}", context, params=params)


@pytest.mark.parametrize(
    ("name", "params", "opens"),
    [
        ("preview_protection", {"method": "lsp", "count": 2}, True),
        ("mark_samples", {}, False),
    ],
)
@pytest.mark.parametrize("seen", [True, False])
def test_a_result_that_is_waited_for_opens(
    name: str,
    params: dict[str, Any],
    opens: bool,
    seen: bool,
    panel: Any,
    scene: Any,
    plugin: str,
) -> None:
    """Also where the job has ended before the panel looked for the first time."""
    from fiftyone_reue.samples import jobs, worker

    status = panel("protection_status", scene)
    asked(plugin, name, scene, **params)
    if seen:
        status.do("follow")
    worker.work(idle=0)
    sent = status.do("follow")
    assert ("show_output" in sent) is opens
    # Once alone: the next look finds nothing new.
    assert "show_output" not in status.do("follow")
    # A page that is opened later isn't surprised by it.
    assert "show_output" not in panel("protection_status", scene).do("follow")
    for job in jobs.list_jobs(scene):
        jobs.clear(job.id)
