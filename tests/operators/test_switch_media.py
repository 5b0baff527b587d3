"""The buttons that switch grid and open sample between originals and copies."""

from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.integration

REPO = Path(__file__).resolve().parents[2]
SHOW = "@reue/fiftyone-reue/show_media"
BOTH = pytest.mark.parametrize(
    ("name", "place", "source"),
    [
        ("switch_media", "samples-grid-actions", "grid"),
        ("switch_sample_media", "samples-viewer-actions", "sample"),
    ],
)


@pytest.fixture
def protected(operator: Any, dataset: Any, alice: Path) -> Any:
    operator("protect_dataset")(dataset, "alice", method="lsp")
    return dataset


def pressed(operator: Any, dataset: Any, name: str, **params: Any) -> Any:
    """What a page is sent that asked for it."""
    import fiftyone.operators as foo

    context = {"dataset": dataset, "spaces": {"type": "container"}}
    return foo.execute_operator(operator(name).uri, context, params=params)


def placement(operator: Any, dataset: Any, name: str) -> Any:
    import fiftyone.operators as foo

    one = operator(name)
    request = {"dataset_name": dataset.name, "params": {}}
    return one.resolve_placement(foo.ExecutionContext(request, operator_uri=one.uri))


@BOTH
def test_its_button_is_where_there_are_copies(
    name: str, place: str, source: str, operator: Any, dataset: Any, alice: Path
) -> None:
    assert placement(operator, dataset, name) is None
    operator("protect_dataset")(dataset, "alice", method="lsp")
    found = placement(operator, dataset, name).to_json()
    assert found["place"] == place
    assert found["view"]["prompt"] is False


@BOTH
def test_a_page_is_told_to_switch_and_the_dataset_stays_as_it_is(
    name: str, place: str, source: str, operator: Any, protected: Any, sent: Any
) -> None:
    told = {"field": "protected_filepath", "from": source}
    assert sent(pressed(operator, protected, name)) == [(SHOW, told)]
    for show, field in (
        ("original", "filepath"),
        ("protected", "protected_filepath"),
    ):
        told = {"field": field}
        assert sent(pressed(operator, protected, name, show=show)) == [(SHOW, told)]
    protected.reload()
    assert protected.app_config.grid_media_field == "filepath"


def test_from_python_it_is_what_a_page_begins_with(
    operator: Any, protected: Any, sent: Any
) -> None:
    switch = operator("switch_media")
    for show, field in (
        (None, "protected_filepath"),
        (None, "filepath"),
        ("protected", "protected_filepath"),
        ("original", "filepath"),
    ):
        assert sent(switch(protected, show)) == []
        protected.reload()
        config = protected.app_config
        assert (config.grid_media_field, config.modal_media_field) == (field, field)


def test_it_says_what_can_be_shown(operator: Any, dataset: Any, protected: Any) -> None:
    with pytest.raises(Exception, match="'restored' to show, but original, protected"):
        operator("switch_media")(protected, "restored")


def test_without_copies_it_says_what_to_do(operator: Any, dataset: Any) -> None:
    with pytest.raises(Exception, match="has a copy yet: protect the dataset first"):
        operator("switch_media")(dataset)


def test_what_runs_in_the_page_is_what_the_manifest_names() -> None:
    manifest = yaml.safe_load((REPO / "fiftyone.yml").read_text("utf-8"))
    program = (REPO / manifest["js_bundle"]).read_text("utf-8")
    assert f'PLUGIN = "{manifest["name"]}"' in program
    for name in ("show_media", "open_form"):
        assert f'name: "{name}"' in program
