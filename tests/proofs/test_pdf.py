"""The printed page says what the page says, whatever names and pictures there are."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiftyone_reue.proofs import page, pdf
from fiftyone_reue.proofs.contents import FORMAT
from fiftyone_reue.proofs.pdf import Block
from fiftyone_reue.watermark.commitment import NOTHING

pytestmark = [pytest.mark.unit, pytest.mark.slow]

NAMES = (
    "leak.png",
    "صورة.png",
    "写真.png",
    "x" * 400,
    "a <b> & 'c'.png",
    "a\nb\x1b.png",
)


def evidence(names: tuple[str, ...], culprits: int = 1) -> dict[str, Any]:
    """What a page shows of a case."""
    pictures = {
        "suspect": {"file": "pictures/a.png"},
        "mark": {"file": "pictures/b.png"},
    }
    stamp = {"time": "2001-09-09 01:46:40 UTC", "reply": ""}
    tree = {"count": 2, "root": NOTHING.hex()}
    return {
        "format": FORMAT,
        "program": "p",
        "created": 1e9,
        "vault": "v",
        "claim": "Whose copy: <alice's> & others'",
        "suspects": len(names),
        "suspects_failed": 1,
        "suspects_matched": len(names),
        "ledger_problems": ["rows, 'a': gone"],
        "recipients_tested": 2,
        "needed_z": 5.5,
        "best_innocent_z": 2.5,
        "best_innocent_p": 0.5,
        "culprits": [
            {
                "name": f"{'a' * 60}{n}",
                "z": 9.0,
                "p_value": 1e-9,
                "share": 0.5,
                "images": [],
            }
            for n in range(culprits)
        ],
        "others": [{"z": 1.5, "p_value": 1.0}],
        "look": {"number": 2, "time": 1e9, "images": {}},
        "earlier_looks": [{"number": 1, "time": 1e9, "images": {"a": "b"}}],
        "commitments": [
            {
                "release": "r",
                "recipients": tree,
                "images": tree,
                "root": "ab" * 32,
                "timestamp": one,
            }
            for one in (None, stamp)
        ],
        "readings": [
            {
                "image_id": name,
                "soft": [0.5] * 32,
                "suspect": {
                    "name": name,
                    "state": "licensed",
                    "exact": False,
                    "sha256": "cd" * 32,
                },
                "from": ["alice"],
                "pictures": pictures,
            }
            for name in names
        ],
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (60, 200), "red").save(tmp_path / "pictures" / "a.png")
    Image.new("L", (200, 60), 99).save(tmp_path / "pictures" / "b.png")
    return tmp_path


def said(block: Block) -> str:
    cells = [cell.text for row in block.rows for cell in row]
    missing = [text for file, text in block.pictures if file is None]
    return " ".join((block.text, *cells, *missing))


@pytest.mark.parametrize("culprits", [0, 1, 3])
def test_it_says_what_the_page_says(culprits):
    html = page.rendered(evidence(NAMES, culprits))
    body = html[html.index("<body>") :]
    words = unescape(re.sub(r"<[^>]*>", " ", body)).split()
    blocks = pdf.blocks(html)
    # A heading's words lie in elements of their own, here and there.
    assert "".join(" ".join(map(said, blocks)).split()) == "".join(words)
    shown = [block.pictures for block in blocks if block.kind == "pictures"]
    assert len(shown) == len(NAMES)
    assert [file for file, _ in shown[0]] == [
        *("pictures/a.png", None, None, "pictures/b.png")
    ]
    assert [block.marked for block in blocks].count(True) == 1
    assert blocks[2].text == "Whose copy: <alice's> & others'"


def test_any_name_is_printed_and_the_same_again(folder):
    html = page.rendered(evidence(NAMES, 10))
    made = pdf.rendered(html, folder, 1e9)
    assert made.startswith(b"%PDF")
    assert made == pdf.rendered(html, folder, 1e9)
    assert made != pdf.rendered(html, folder, 1e9 + 1)


def test_the_page_shows_some_of_many_suspects(folder):
    html = page.rendered(evidence(("a.png",) * 1000))
    assert f"And {1000 - page.MOST_PAIRS} more" in html
    made = pdf.rendered(html, folder, 1e9)
    assert made.count(b"/Type /Page\n") > page.MOST_PAIRS // 4


def test_characters_that_the_font_lacks_are_written_out():
    assert pdf._drawable(pdf._document(1e9), "aß写\n") == "aß\\u5199\n"


def test_evidence_is_not_changed_by_a_page():
    content = evidence(NAMES)
    before = json.dumps(content)
    page.rendered(content)
    assert json.dumps(content) == before


@pytest.mark.parametrize(
    ("needed", "culprits", "told"),
    [(5.5, 0, True), (7.9, 0, True), (8.1, 0, False), (8.1, 1, True), (None, 0, False)],
)
def test_a_z_that_no_images_could_give_is_not_asked_for(needed, culprits, told):
    """Two originals of 32 bits give one of 8 at most."""
    content = evidence(("a", "b"), culprits) | {"needed_z": needed}
    html = page.rendered(content)
    assert (f"(for the first: Z of {needed or 0:.2f})" in html) == told
    assert ("(for the first" in html) == told
