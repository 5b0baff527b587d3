"""The site is built without a warning, and read without the network."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import REPO
from tests.docs.test_documented import hook

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra `docs` isn't installed")
    folder = tmp_path_factory.mktemp("built") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=REPO,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class _Loaded(HTMLParser):
    """What a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.urls.append(given.get("src") or "")
        elif tag == "link" and given.get("rel") != "canonical":
            self.urls.append(given.get("href") or "")


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for path in pages:
        reader = _Loaded()
        reader.feed(path.read_text("utf-8"))
        for url in filter(None, reader.urls):
            assert "//" not in url, f"{path.name} loads {url}"
            if path.name != "404.html" and not url.startswith("data:"):
                assert (path.parent / url.split("?")[0]).is_file(), (path.name, url)


def test_nothing_of_the_sources_is_left_in_pages(site: Path) -> None:
    """No mark that nobody filled in, no role of another markup language."""
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"<!-- (generated|from)\b", text), path.name
        if path.parent.name == "reference":
            assert not re.search(r":(func|class|meth|mod|data|attr):", text), path.name
    assert not list(site.rglob("*.py"))


def test_the_search_needs_no_server(site: Path) -> None:
    assert (site / "search" / "search_index.js").is_file()
    assert 'src="../assets/iframe-worker.js"' in (
        site / "guides" / "method.html"
    ).read_text("utf-8")


@pytest.mark.e2e
def test_a_reader_finds_a_page_from_disk(site: Path, browser: Any) -> None:
    reader = browser.new_page()
    asked: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.goto((site / "guides" / "method.html").as_uri())
    reader.keyboard.press("f")
    reader.keyboard.type("revoke")
    found = reader.locator(".md-search-result__item").first
    found.wait_for(timeout=120_000)
    assert "evoke" in found.inner_text()
    reader.close()
    assert not [url for url in asked if url.startswith("http")]


def test_sections_are_taken_in_by_their_headings(tmp_path: Path) -> None:
    outside = hook("outside")
    text = "# A\n\nfirst\n\n## B\n\nsecond\n\n### C\n\nthird\n\n## D\n\nlast\n"
    (tmp_path / "x.md").write_text(text)
    assert outside.section(tmp_path / "x.md", "B") == "second\n\n### C\n\nthird"
    with pytest.raises(ValueError, match="no heading 'E'"):
        outside.section(tmp_path / "x.md", "E")
