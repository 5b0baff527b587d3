"""A preview in the App: a form, a job, pictures."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.integration


@pytest.fixture
def previewed(operator: Any, dataset: Any) -> Any:
    return operator("preview_protection")(dataset, method="lsp", epsilon=6).result


def test_its_form_needs_no_vault_and_has_the_settings(dataset: Any, form: Any) -> None:
    properties = form("preview_protection", dataset)
    assert not any(prop["invalid"] for prop in properties.values())
    assert {"label_field", "method", "epsilon", "expected"} <= properties.keys()
    more = form("preview_protection", dataset, advanced=True)
    assert {"quality", "carrier", "clusters"} <= more.keys()
    # What is about a release has no place here.
    assert not {"name", "prune", "output_dir", "recipient"} & more.keys()


def test_the_form_that_protects_hands_on_what_is_filled_in(
    dataset: Any, form: Any, alice: Path
) -> None:
    given = {
        "recipient": "alice",
        "method": "lsp",
        "epsilon": 5,
        "output_dir": "/tmp/loot",
    }
    button = form("protect_dataset", dataset, **given)["preview"]["view"]
    assert button["operator"].endswith("/preview_protection")
    assert button["prompt"] is True
    assert button["params"] == {
        "method": "lsp",
        "epsilon": 5,
        "origin": {
            "operator": "protect_dataset",
            "kept": {"recipient": "alice", "output_dir": "/tmp/loot"},
        },
    }
    given["confirmation"] = "K7QM-2XVD-FZHT-4LPA"
    button = form("protect_dataset", dataset, **given)["preview"]["view"]
    assert "K7QM" not in str(button), "a code isn't stored with a job"


def test_it_shows_each_image_beside_its_original(previewed: Any) -> None:
    assert len(previewed["images"]) == 8
    for number in range(8):
        head, _, data = previewed[f"picture_{number}"].partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            # 40 pixels a side each and a gap, five times as large.
            assert picture.size == (5 * (40 + 8 + 40), 5 * 40)
    assert "40 images" in previewed["summary"]
    settings = previewed["back"]["params"]
    assert settings.items() >= {"method": "lsp", "epsilon": 6}.items()


def test_what_it_shows_fits_into_a_document(previewed: Any) -> None:
    assert len(repr(previewed)) < 4_000_000


def result_of(operator: Any, results: dict, **params: Any) -> dict[str, Any]:
    import fiftyone.operators as foo

    one = operator("preview_protection")
    ctx = foo.ExecutionContext(
        {"params": params, "results": results}, operator_uri=one.uri
    )
    return one.resolve_output(ctx).to_json()["type"]["properties"]


def test_its_output_leads_to_a_form(operator: Any, previewed: Any) -> None:
    shown = result_of(operator, previewed)
    button = shown["protect"]["view"]
    assert button["operator"].endswith("/open_form")
    assert button["params"]["operator"] == "protect_dataset"
    assert button["params"]["params"]["epsilon"] == 6
    assert "SSIMULACRA2" in shown["picture_0"]["view"]["description"]


def test_it_leads_back_to_the_form_that_it_came_from_with_all_of_it(
    operator: Any, dataset: Any, form: Any, alice: Path
) -> None:
    import fiftyone.operators as foo

    filled = {"method": "lsp", "name": "spring", "output_dir": "/tmp/public"}
    handed_on = form("publish_dataset", dataset, **filled)["preview"]["view"]["params"]
    one = operator("preview_protection")
    changed = {**handed_on, "epsilon": 4}
    ran = foo.execute_operator(one.uri, {"dataset": dataset}, params=changed)
    button = result_of(operator, ran.result)["protect"]["view"]
    assert button["label"] == "Publish with these settings"
    assert button["params"] == {
        "operator": "publish_dataset",
        "params": {**filled, "epsilon": 4},
    }


@pytest.mark.parametrize(
    "origin",
    [{"operator": "delete_release", "kept": {"release": "alice_1"}}, {}, {"kept": 3}],
)
def test_it_leads_nowhere_else(operator: Any, dataset: Any, origin: dict) -> None:
    import fiftyone.operators as foo

    one = operator("preview_protection")
    params = {"method": "lsp", "origin": origin}
    ran = foo.execute_operator(one.uri, {"dataset": dataset}, params=params)
    back = {"operator": "protect_dataset", "params": {"method": "lsp"}}
    assert ran.result["back"] == back


def test_a_folder_of_scenes_is_shown_to_the_owner_alone(
    dataset: Any, form: Any, alice: Path, tmp_path: Path
) -> None:
    given = {"method": "deep_hiding", "options": {"scenes": str(tmp_path)}}
    assert "confirmation" in form("preview_protection", dataset, **given)
    assert "confirmation" not in form("preview_protection", dataset, method="rue")
