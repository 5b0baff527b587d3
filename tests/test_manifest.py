import json

import pytest

from fiftyone_reue import manifest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("text", [None, "", "no json", "[1, 2]", '"text"', "{"])
def test_what_is_no_manifest_is_none(tmp_path, text):
    if text is not None:
        (tmp_path / manifest.NAME).write_text(text)
    assert manifest.read(tmp_path) is None


def test_bytes_that_are_not_text_are_none(tmp_path):
    (tmp_path / manifest.NAME).write_bytes(b"\xff\xfe{}")
    assert manifest.read(tmp_path) is None


def test_a_manifest_is_read(tmp_path):
    (tmp_path / manifest.NAME).write_text(json.dumps({"release": "x"}))
    assert manifest.read(tmp_path) == {"release": "x"}
