import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fiftyone_reue.auditing import grid
from fiftyone_reue.auditing.budgets import BUDGETS, INVITED
from fiftyone_reue.auditing.holdings import Effort
from fiftyone_reue.auditing.results import Audit
from fiftyone_reue.batch.folders import labelled_items
from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.workflows import audit
from fiftyone_reue.workflows.audit import AuditConfig, AuditSummary, audit_release
from fiftyone_reue.workflows.protect import protect

pytestmark = pytest.mark.integration

TINY = replace(
    BUDGETS["quick"],
    train=24,
    clean=4,
    test=12,
    epochs=1,
    least_steps=2,
    effort=Effort(0.001),
    victims=("mlp",),
    countermeasures=("none", "grayscale"),
)


@pytest.fixture(autouse=True)
def tiny_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps, for what training is not the point of."""
    monkeypatch.setattr(audit, "budget_named", lambda name: TINY)


@pytest.fixture
def protected(vault, tmp_path: Path, write_folder: Callable[..., Path]) -> Path:
    """A release of two classes of twenty images, named like a subject."""
    source = write_folder(tmp_path / "source", classes=2, each=20)
    output = tmp_path / "protected"
    steps = protect(
        vault,
        "alice",
        labelled_items(source),
        output,
        name="originals",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    finish(steps)
    return output


def run(vault, folder: Path, output: Path | None = None, **options) -> AuditSummary:
    config = AuditConfig(device="cpu", **options)
    return finish(audit_release(vault, labelled_items(folder), config, output))


@pytest.mark.slow
def test_a_release_is_measured_beside_its_originals(vault, protected, tmp_path):
    (tmp_path / "source").rename(tmp_path / "moved")  # the originals aren't needed
    summary = run(vault, protected)
    assert summary.report == tmp_path / "protected.audit" / "audit.html"
    assert "<html" in summary.report.read_text()
    stored = json.loads((tmp_path / "protected.audit" / "audit.json").read_text())
    audit = Audit.from_dict(stored["audit"])
    assert audit == summary.audit
    assert audit.counts == {"train": 24, "clean": 4, "test": 10}
    assert [s.role for s in audit.subjects] == ["reference", "release", "reference"]
    assert 6 <= audit.subjects[1].largest_change <= 8
    measured = {(c.subject, c.countermeasure) for c in audit.cells}
    release = summary.release_id
    assert measured == {
        ("originals", "none"),
        (release, "none"),
        ("originals", "grayscale"),
        (release, "grayscale"),
        ("random_noise", "none"),
    }
    found = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert [f["countermeasure"] for f in found["findings"]] == ["none", "grayscale"]
    assert found["headline"]


def test_the_release_remembers_its_audit_and_its_score(vault, protected):
    release = vault.ledger.releases()[0]
    vault.ledger.put_release(replace(release, scores={"unlearnability": 0.5}))
    summary = run(vault, protected)
    kept = vault.ledger.release(summary.release_id).scores
    assert kept["unlearnability"] == 0.5
    assert kept["audit"]["headline"] == summary.verdict.headline
    assert set(kept["audit"]["levels"]) == {"none", "grayscale"}
    assert kept["audit"]["report"] == str(summary.report)


def test_an_interrupted_audit_goes_on(vault, protected, monkeypatch):
    config = AuditConfig(device="cpu")
    steps = audit_release(vault, labelled_items(protected), config)
    for step in steps:
        if step.label.startswith("3 of 5"):
            break
    steps.close()
    trained = []
    create = grid.create_network

    def counting(*arguments, **options):
        trained.append(arguments)
        return create(*arguments, **options)

    monkeypatch.setattr(grid, "create_network", counting)
    assert len(run(vault, protected).audit.cells) == 5
    assert len(trained) == 3


def test_no_report_goes_to_the_recipient(vault, protected):
    with pytest.raises(InputError, match="inside the folder that the recipient gets"):
        run(vault, protected, protected / "audit")
    assert not (protected / "audit").exists()


@pytest.mark.slow
def test_countermeasures_victims_and_seeds_can_be_chosen(vault, protected, tmp_path):
    summary = run(
        vault,
        protected,
        tmp_path / "report",
        countermeasures=("grayscale",),
        victims=("small_resnet", "mlp"),
        seeds=2,
    )
    assert summary.report.parent == tmp_path / "report"
    audit = summary.audit
    assert (audit.countermeasures, audit.seeds) == (["none", "grayscale"], [0, 1])
    assert audit.victims == ["small_resnet", "mlp"]


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_an_audit_of_photographs_has_the_filters_that_a_pattern_invites(
    monkeypatch, budget
):
    monkeypatch.setattr(audit, "budget_named", BUDGETS.get)
    names = AuditConfig(budget).plan(128).countermeasures
    assert names[0] == "none"
    assert set(INVITED) < set(names)
    assert AuditConfig(budget, ("jpeg_10",)).plan(128).countermeasures == (
        *("none", "jpeg_10"),
    )
    assert "blur_2" not in AuditConfig("quick").plan(32).countermeasures


def test_a_size_can_be_asked_for_and_is_kept(vault, protected, tmp_path):
    summary = run(vault, protected, tmp_path / "report", size=64)
    assert (summary.audit.size, summary.to_dict()["size"]) == (64, 64)
    assert summary.audit.settings["usual_size"] == 32


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 100}, "at 100 pixels a side"),
        ({"countermeasures": ("jpg",)}, "no countermeasure 'jpg'"),
        ({"victims": ("resnet",)}, "no network 'resnet'"),
        ({"seeds": 0}, "1 to 20 seeds"),
    ],
)
def test_what_does_not_exist_is_refused_at_once(vault, protected, options, said):
    with pytest.raises(InputError, match=said):
        run(vault, protected, **options)


def test_too_few_images_are_refused(vault, tmp_path, write_folder):
    source = write_folder(tmp_path / "few", classes=2, each=3)
    output = tmp_path / "protected"
    config = ProtectConfig("lsp")
    steps = protect(
        vault,
        "bob",
        labelled_items(source),
        output,
        name="few",
        source=str(source),
        config=config,
    )
    finish(steps)
    with pytest.raises(InputError, match="too few for an audit"):
        run(vault, output)
