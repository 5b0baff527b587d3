"""Links that lead out of ``docs/``, and parts of the README that pages take in.

The pages are read in two ways: on a repository's site, where ``../benchmarks/...`` is
a file, and in the built site, which holds ``docs/`` alone. So what they link to outside
is taken into the site, below ``project/``, and the links are turned to it. A line
``<!-- from README.md: Heading -->`` takes in that section, so that nothing is said
twice.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
HOMES = {"README.md": "index.md"}
"""Files outside that a page stands for."""
SECTIONS = {"README.md#what-it-cant-do": "limits.md"}
"""Parts of them that have a page of their own."""

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_INCLUDED = re.compile(r"^<!-- from (\S+): (.+?) -->$", re.MULTILINE)
_SUFFIXES = {".md", ".png", ".svg", ".json"}


def section(path: Path, heading: str) -> str:
    """What stands below a heading of a Markdown file, to the next of its level.

    Raises:
        ValueError: there is no such heading.
    """
    text = path.read_text("utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}\n", text, re.MULTILINE)
    if not found:
        raise ValueError(f"{path.name} has no heading {heading!r}")
    rest = text[found.end() :]
    level = len(found[1])
    following = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return (rest[: following.start()] if following else rest).strip()


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Take in what pages link to, and what those files link to."""
    waiting = [
        file.abs_src_path
        for file in files
        if file.abs_src_path and file.src_uri.endswith(".md")
    ]
    taken: set[str] = set()
    while waiting:
        source = Path(waiting.pop())
        for name in sorted(_linked_outside(source, Path(config.docs_dir))):
            if name in taken or name in HOMES:
                continue
            taken.add(name)
            path = ROOT / name
            made = File.generated(config, f"project/{name}", abs_src_path=str(path))
            files.append(made)
            if path.suffix == ".md":
                waiting.append(str(path))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Take in sections, and turn the links."""
    docs = Path(config.docs_dir)
    uri = page.file.src_uri
    here = _origin(uri)

    def included(found: re.Match[str]) -> str:
        try:
            text = section(ROOT / found[1], found[2])
        except ValueError as error:
            raise PluginError(f"{uri}: {error}") from None
        return _turned(text, found[1], uri, docs)

    return _INCLUDED.sub(included, _turned(markdown, here, uri, docs))


def _origin(uri: str) -> str:
    """Where a page's file is, below the repository's root."""
    return uri.removeprefix("project/") if uri.startswith("project/") else f"docs/{uri}"


def _turned(markdown: str, origin: str, uri: str, docs: Path) -> str:
    """A text whose links, written for one place, are right in another.

    Args:
        markdown: the text.
        origin: the file that it is from, below the root.
        uri: the page that it is put into.
        docs: the pages' folder.
    """

    def turn(found: re.Match[str]) -> str:
        target, hash_, anchor = found[2].partition("#")
        if not target or ":" in target or target.startswith("/"):
            return found[0]
        name = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        where = SECTIONS.get(f"{name}#{anchor}") or _page(name, docs)
        if where is None:
            return found[0]
        anchor = "" if name in HOMES else anchor
        link = posixpath.relpath(where, posixpath.dirname(uri) or ".")
        return f"{found[1]}{link}{hash_ if anchor else ''}{anchor}{found[3]}"

    return _LINK.sub(turn, markdown)


def _page(name: str, docs: Path) -> str | None:
    """The page or file of the site that a file of the repository is."""
    if name in HOMES:
        return HOMES[name]
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    if (ROOT / name).is_file() and Path(name).suffix in _SUFFIXES:
        return f"project/{name}"
    return None


def _linked_outside(source: Path, docs: Path) -> set[str]:
    """Files of the repository, outside the pages, that a file links to."""
    text = source.read_text("utf-8")
    named = {ROOT / found[1] for found in _INCLUDED.finditer(text)}
    texts = {source: text, **{path: path.read_text("utf-8") for path in named}}
    names = set()
    for path, content in texts.items():
        for found in _LINK.finditer(content):
            target = found[2].partition("#")[0]
            if not target or ":" in target:
                continue
            name = os.path.relpath(path.parent / target, ROOT).replace(os.sep, "/")
            where = _page(posixpath.normpath(name), docs)
            if where and where.startswith("project/"):
                names.add(where.removeprefix("project/"))
    return names
