"""Audits, kept in the run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.auditing.budgets import BUDGETS
from fiftyone_reue.auditing.verdict import LEVELS
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import runs

pytestmark = pytest.mark.integration


@pytest.fixture
def tiny_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick audit that takes a second, and can't mean anything."""
    quick = replace(
        BUDGETS["quick"],
        train=16,
        epochs=1,
        least_steps=2,
        countermeasures=("none", "grayscale"),
    )
    monkeypatch.setitem(BUDGETS, "quick", quick)


@pytest.mark.usefixtures("tiny_audit")
@pytest.mark.slow
def test_an_audit_is_kept_in_the_run(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    protect(dataset, "bob")
    fractions: list[float] = []
    result = reue.audit_samples(
        dataset,
        "alice_1",
        device="cpu",
        output_dir=str(tmp_path / "report"),
        progress=lambda pb: fractions.append(pb.progress),
    )
    assert result.release == "alice_1"
    assert Path(result.report) == tmp_path / "report" / "audit.html"
    assert result.text().endswith(result.report)
    names = [finding["countermeasure"] for finding in result.findings]
    assert names == ["none", "grayscale"]
    for finding in result.findings:
        assert finding["level"] in LEVELS
        assert 0 <= finding["accuracy"] <= 1
        assert 0 <= finding["originals"] <= 1
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    kept = config["audit"]
    assert kept["findings"] == result.findings
    assert kept["headline"] == result.headline
    assert kept["measured"] >= config["finished"]
    # What the run said before is still there, and the other release is untouched.
    assert config["recipient"] == "alice"
    other = runs.get_config(dataset, "bob_1")
    assert other is not None
    assert "audit" not in other
    # The samples show bob's release, and its report goes beside its folder.
    shown = reue.audit_samples(
        dataset, countermeasures=["none"], device="cpu", progress=False
    )
    assert shown.release == "bob_1"
    folder = Path(runs.get_config(dataset, "bob_1")["output_dir"])
    assert Path(shown.report).parent == folder.with_name(f"{folder.name}.audit")


def test_an_audit_needs_a_place_outside_the_release(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    folder = runs.get_config(dataset, "alice_1")["output_dir"]
    with pytest.raises(InputError, match="inside the folder that the recipient gets"):
        reue.audit_samples(
            dataset, device="cpu", output_dir=f"{folder}/report", progress=False
        )
