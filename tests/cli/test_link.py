import pytest

pytestmark = pytest.mark.unit


def test_link_puts_the_plugin_where_fiftyone_looks(empty, tmp_path, monkeypatch):
    monkeypatch.setenv("FIFTYONE_PLUGINS_DIR", str(tmp_path / "plugins"))
    out = empty.ok("link").stdout
    assert str(tmp_path / "plugins") in out
    assert list((tmp_path / "plugins").glob("*/*/fiftyone.yml"))
