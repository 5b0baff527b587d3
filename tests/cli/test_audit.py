from dataclasses import replace

import pytest

from fiftyone_reue.auditing import split as splitting
from fiftyone_reue.auditing.budgets import BUDGETS
from fiftyone_reue.workflows import audit

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_an_audit_for_machines_and_in_words(house, monkeypatch, tmp_path):
    tiny = replace(
        BUDGETS["quick"],
        epochs=1,
        least_steps=2,
        victims=("mlp",),
        countermeasures=("none",),
    )
    monkeypatch.setattr(audit, "budget_named", lambda name: tiny)
    monkeypatch.setattr(splitting, "LEAST_IMAGES", 12)
    report = tmp_path / "report"
    words = ("audit", "@pa", "--vault", "@vault", "--device", "cpu", "--out")
    found = house.json(*words, str(report))
    assert [one["countermeasure"] for one in found["findings"]] == ["none"]
    assert found["report"] == str(report / "audit.html")
    said = house.ok(*words, str(report)).stdout
    assert found["headline"] in said
    assert str(report / "audit.html") in said
    refused = house.fails(*words, str(report), "--countermeasures", "none,jpg")
    assert "no countermeasure 'jpg'" in refused
