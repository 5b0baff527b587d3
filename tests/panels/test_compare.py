"""The panel that lays copies beside originals."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiftyone_reue.samples import copy_facts

pytestmark = pytest.mark.integration

NAME = "compare_copies"


def test_of_the_selected_sample(panel: Any, scene: Any) -> None:
    found = panel(NAME, scene)
    assert "select one in the grid" in found.said()
    sample = scene.exists("protected_filepath").first()
    found.do("on_change_selected", selected=[sample.id])
    assert "gray levels at most" in found.said()
    for name in ("original", "copy", "difference", "flicker"):
        assert found.data[name].startswith("data:image/png;base64,")
        assert found.layout[name]["view"]["name"] == "ImageView"
    # What the panel keeps is sent with every event.
    assert len(str(found.state)) < 1000
    before = found.data["copy"]
    found.state["choice"] = {**found.state["choice"], "zoom": "4"}
    found.do("refresh", selected=[sample.id])
    assert found.data["copy"] != before


def test_it_says_whose_copy_it_is_and_how_its_record_is(panel: Any, scene: Any) -> None:
    found = panel(NAME, scene)
    sample = scene.exists("protected_filepath").first()
    copy = Path(sample.protected_filepath)
    kept = copy.read_bytes()

    def facts() -> dict[str, str]:
        found.do("on_change_selected", selected=[sample.id])
        return {row["name"]: row["value"] for row in found.data["facts"]}

    said = facts()
    assert said["Release"] == sample.protection.release
    assert said["Key reference"] == sample.protection.key_ref
    assert said["Code bits"] == sample.protection.payload
    assert said["Unlearnability, of 1"] == "not measured"
    assert said["Record"] == copy_facts.WHOLE
    assert "facts" in found.layout
    try:
        with Image.open(copy) as image:
            image.save(copy)  # without its record
        assert facts()["Record"] == copy_facts.CHANGED
        copy.unlink()
        record = copy_facts.copy_facts(scene, sample.id)[-1]
        assert record == copy_facts.Fact("Record", copy_facts.GONE)
    finally:
        copy.write_bytes(kept)
    sample.protection.release = "another"
    sample.save()
    try:
        assert facts()["Record"] == copy_facts.UNKNOWN
    finally:
        sample.protection.release = said["Release"]
        sample.save()


def test_of_a_sample_without_a_copy(panel: Any, scene: Any) -> None:
    found = panel(NAME, scene)
    bare = scene.match({"protected_filepath": None}).first()
    found.do("on_change_selected", selected=[bare.id])
    assert "has no copy yet" in found.said()


def test_one_button_switches_grid_and_sample(panel: Any, scene: Any) -> None:
    found = panel(NAME, scene)
    sample = scene.exists("protected_filepath").first()
    found.do("on_change_selected", selected=[sample.id])
    show = "@reue/fiftyone-reue/show_media"
    copies = found.do("show_copies", selected=[sample.id])
    assert copies[show] == {"field": "protected_filepath"}
    originals = found.do("show_originals", selected=[sample.id])
    assert originals[show] == {"field": "filepath"}
