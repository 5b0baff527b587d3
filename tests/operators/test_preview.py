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
    assert button["params"] == {"method": "lsp", "epsilon": 5}


def test_it_shows_each_image_beside_its_original(previewed: Any) -> None:
    assert len(previewed["images"]) == 8
    for number in range(8):
        head, _, data = previewed[f"picture_{number}"].partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            # 40 pixels a side each and a gap, five times as large.
            assert picture.size == (5 * (40 + 8 + 40), 5 * 40)
    assert "40 images" in previewed["summary"]
    assert previewed["settings"].items() >= {"method": "lsp", "epsilon": 6}.items()


def test_what_it_shows_fits_into_a_document(previewed: Any) -> None:
    assert len(repr(previewed)) < 4_000_000


def test_its_output_leads_back_to_the_form(operator: Any, previewed: Any) -> None:
    import fiftyone.operators as foo

    one = operator("preview_protection")
    ctx = foo.ExecutionContext(
        {"params": {}, "results": previewed}, operator_uri=one.uri
    )
    shown = one.resolve_output(ctx).to_json()["type"]["properties"]
    button = shown["protect"]["view"]
    assert button["operator"].endswith("/protect_dataset")
    assert button["params"]["epsilon"] == 6
    assert "SSIMULACRA2" in shown["picture_0"]["view"]["description"]


def test_a_folder_of_scenes_is_shown_to_the_owner_alone(
    dataset: Any, form: Any, alice: Path, tmp_path: Path
) -> None:
    given = {"method": "deep_hiding", "options": {"scenes": str(tmp_path)}}
    assert "confirmation" in form("preview_protection", dataset, **given)
    assert "confirmation" not in form("preview_protection", dataset, method="rue")
