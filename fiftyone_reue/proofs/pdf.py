"""The page of a case as PDF: what ``report.html`` says, no more and no less.

It is laid out from that page's own text, so that the two can't differ. What a page of a
case is made of is little: headings, paragraphs, tables and rows of pictures.
"""

from __future__ import annotations

import datetime
import importlib.resources
import io
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT, _BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"
"""They come with matplotlib, and draw Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian,
Georgian and more."""

_SIZES = {"h1": 16.0, "h2": 12.5, "p": 9.5, "table": 8.5}
_MARGIN = 18.0
_GAP = 3.0
_LINE = 1.35
_TOGETHER = 60.0
"""Millimetres that are left below what begins something."""

_BREAK = 40
"""A word that is longer may be broken after so many characters."""

_MILLIMETRES = 0.3528
"""A point."""

Kind = Literal["h1", "h2", "p", "table", "pictures"]


@dataclass(frozen=True)
class Cell:
    """A table's cell.

    Attributes:
        text: what it says.
        right: whether it is a number, at its right end.
        heading: whether it heads its column.
    """

    text: str
    right: bool = False
    heading: bool = False


@dataclass(frozen=True)
class Block:
    """A part of a page.

    Attributes:
        kind: what it is.
        text: of a heading or a paragraph.
        marked: whether it is the verdict.
        rows: of a table.
        pictures: files, and what they show; None for the file of one that isn't there.
    """

    kind: Kind
    text: str = ""
    marked: bool = False
    rows: list[list[Cell]] = field(default_factory=list)
    pictures: list[tuple[str | None, str]] = field(default_factory=list)


def rendered(html: str, folder: Path, created: float) -> bytes:
    """The page as PDF, A4; the same for the same page and pictures.

    Characters that the font lacks are written as ``\\u5f20`` and the like.

    Args:
        html: from :func:`fiftyone_reue.proofs.page.rendered`.
        folder: in which the pictures' names are.
        created: when, seconds since 1970.
    """
    document = _document(created)
    found = blocks(html)
    for block, after in zip(found, [*found[1:], Block("p")], strict=True):
        if block.kind == "table":
            _draw_table(document, block.rows)
        elif block.kind == "pictures":
            _draw_pictures(document, block.pictures, folder)
        else:
            _draw_text(document, block, after)
    return bytes(document.output())


def blocks(html: str) -> list[Block]:
    """What a page is made of, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    """Takes a page of ours apart; it isn't for any other."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Block] = []
        self._text: list[str] = []
        self._rows: list[list[Cell]] = []
        self._pictures: list[tuple[str | None, str]] | None = None
        self._marked = False
        self._right = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        kinds = (given.get("class") or "").split()
        if tag == "br":
            self._text.append("\n")
            return
        if tag == "img" and self._pictures is not None:
            self._pictures.append((given.get("src"), given.get("alt") or ""))
        elif tag == "div" and "pair" in kinds:
            self._pictures = []
        elif tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        if tag in ("h1", "h2", "p", "td", "th", "div", "style", "title", "span"):
            self._text = []
            self._marked = "verdict" in kinds
            self._right = "n" in kinds

    def handle_data(self, data: str) -> None:
        self._text.append(" ".join(f"|{data}|".split())[1:-1])

    def handle_endtag(self, tag: str) -> None:
        text = "\n".join(line.strip() for line in "".join(self._text).split("\n"))
        if tag in ("h1", "h2", "p"):
            kind: Kind = "h1" if tag == "h1" else "h2" if tag == "h2" else "p"
            self.found.append(Block(kind, text, self._marked))
        elif tag in ("td", "th"):
            self._rows[-1].append(Cell(text, self._right, tag == "th"))
        elif tag == "table":
            self.found.append(Block("table", rows=self._rows))
        elif tag == "span" and self._pictures is not None:
            self._pictures.append((None, text))
        elif tag == "div" and self._pictures is not None and len(self._pictures) >= 4:
            self.found.append(Block("pictures", pictures=self._pictures))
            self._pictures = None
        else:
            return
        self._text = []


def _document(created: float) -> FPDF:
    from fpdf import FPDF
    from fpdf.enums import XPos, YPos

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("text", size=8)
            self.set_text_color(110)
            self.cell(
                0, 5, f"{self.page_no()}", align="C", new_x=XPos.LMARGIN, new_y=YPos.TOP
            )
            self.set_text_color(0)

    document = Document(format="A4")
    document.set_creation_date(datetime.datetime.fromtimestamp(created, datetime.UTC))
    document.set_title("Whose copy are these images?")
    document.set_lang("en")
    document.set_margin(_MARGIN)
    document.set_auto_page_break(True, _MARGIN)
    for style, name in (("", _FONT), ("B", _BOLD)):
        document.add_font("text", style, _font(name))
    document.set_text_shaping(True, {"liga": False}, direction="ltr")
    document.set_image_filter("DCTDecode")
    document.add_page()
    return document


def _font(name: str) -> str:
    folder = importlib.resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf"
    return str(folder / name)


def _drawable(document: FPDF, text: str) -> str:
    """Text with what the font lacks written as escapes."""
    from fpdf.fonts import TTFFont

    font = document.fonts["text"]
    assert isinstance(font, TTFFont)
    known = font.cmap
    return "".join(
        one if one == "\n" or ord(one) in known else _escaped(one) for one in text
    )


def _escaped(one: str) -> str:
    return one.encode("ascii", "backslashreplace").decode()


def _draw_text(document: FPDF, block: Block, after: Block) -> None:
    size = _SIZES[block.kind]
    heading = block.kind != "p"
    document.set_font("text", "B" if heading or block.marked else "", size)
    if block.kind == "h2":
        document.ln(_GAP)
    # Neither a heading nor what is said of pictures stands alone at a page's end.
    if block.kind == "h2" or after.kind == "pictures":
        _begin(document, _TOGETHER)
    document.multi_cell(
        0,
        size * _LINE * _MILLIMETRES,
        _drawable(document, block.text),
        align="L",
        border="L" if block.marked else 0,
        padding=(0, 0, 0, 3) if block.marked else 0,
        new_x="LMARGIN",
        new_y="NEXT",
    )
    document.ln(_GAP / 2)


def _begin(document: FPDF, height: float) -> None:
    """Go on to the next page if this one hasn't so much left."""
    if document.will_page_break(height):
        document.add_page()


def _draw_table(document: FPDF, rows: list[list[Cell]]) -> None:
    from fpdf.enums import TableBordersLayout

    document.set_font("text", size=_SIZES["table"])
    with document.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        line_height=_SIZES["table"] * _LINE * _MILLIMETRES,
        col_widths=_widths(rows),
        text_align=["RIGHT" if cell.right else "LEFT" for cell in rows[0]],
        padding=(0.7, 1.2),
    ) as table:
        for row in rows:
            drawn = table.row()
            for cell in row:
                drawn.cell(_drawable(document, cell.text))
    document.ln(_GAP)


def _widths(rows: list[list[Cell]]) -> list[int]:
    """Shares of the page by what the columns hold, so that a number stays whole."""
    longest = [
        max(len(row[place].text) for row in rows) for place in range(len(rows[0]))
    ]
    return [min(max(count, 8), _BREAK) for count in longest]


def _draw_pictures(
    document: FPDF, pictures: list[tuple[str | None, str]], folder: Path
) -> None:
    each = (document.epw - _GAP * (len(pictures) - 1)) / len(pictures)
    drawn = [(_picture(folder, file), said) for file, said in pictures]
    tallest = max(
        (each * one.height / one.width for one, _ in drawn if one), default=4.0
    )
    _begin(document, tallest)
    top = document.get_y()
    for place, (one, said) in enumerate(drawn):
        left = document.l_margin + place * (each + _GAP)
        if one is not None:
            document.image(one, left, top, each, alt_text=said)
        else:
            document.set_font("text", size=8)
            document.set_xy(left, top)
            document.cell(each, 4, said)
    document.set_xy(document.l_margin, top + tallest + _GAP)


def _picture(folder: Path, file: str | None) -> Image.Image | None:
    if file is None:
        return None
    picture = Image.open(io.BytesIO((folder / file).read_bytes()))
    return picture.convert("L" if picture.mode == "L" else "RGB")
