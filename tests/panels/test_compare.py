"""The panel that lays copies beside originals."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiftyone_reue.samples import copy_facts

pytestmark = pytest.mark.integration

NAME = "compare_copies"


def fo_string() -> Any:
    import fiftyone as fo

    return fo.StringField


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


def test_of_several_selected_the_last_is_shown_and_the_others_reached(
    panel: Any, scene: Any
) -> None:
    found = panel(NAME, scene)
    ids = scene.exists("protected_filepath").limit(2).values("id")
    names = [Path(path).name for path in scene.select(ids).values("filepath")]
    bare = scene.match({"protected_filepath": None}).first()
    found.do("on_change_selected", selected=ids[:1])
    assert names[0] in found.said().splitlines()
    assert "next" not in found.buttons()
    found.do("on_change_selected", selected=ids)
    assert f"{names[1]}: 2 of 2 that are selected" in found.said()
    found.do("previous_sample", selected=ids)
    assert f"{names[0]}: 1 of 2 that are selected" in found.said()
    # One without a copy is no dead end.
    found.do("on_change_selected", selected=[*ids, bare.id])
    assert "has no copy yet" in found.said()
    found.do("next_sample", selected=[*ids, bare.id])
    assert f"{names[0]}: 1 of 3 that are selected" in found.said()
    found.do("on_change_selected", selected=[])
    assert "select one in the grid" in found.said()
    assert names[0] not in found.said()


def test_what_is_selected_in_another_dataset_is_not_looked_for(
    panel: Any, scene: Any, post: Any
) -> None:
    sample = scene.exists("protected_filepath").first()
    found = panel(NAME, post([sample.filepath]))
    found.do("on_change_dataset", selected=[sample.id])
    assert "select one in the grid" in found.said()


def test_follows_what_becomes_of_the_sample(panel: Any, scene: Any) -> None:
    found = panel(NAME, scene)
    sample = scene.exists("protected_filepath").first()
    selected = [sample.id]
    found.do("on_change_selected", selected=selected)
    before = found.data["facts"]
    assert not found.do("follow", selected=selected)
    assert found.data["facts"] is before  # nothing is computed anew
    found.state["choice"]["kind"] = "restored"
    scene.add_sample_field("restored_filepath", fo_string())
    sample.reload()
    sample["restored_filepath"] = sample.filepath
    sample.save()
    try:
        found.do("follow", selected=selected)
        assert "exactly the original's pixels" in found.said()
    finally:
        scene.delete_sample_field("restored_filepath")
    found.do("follow", selected=selected)
    # What is chosen is what is shown.
    assert found.state["choice"]["kind"] == "protected"
    assert "gray levels at most" in found.said()
