import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fiftyone_reue.names.display import markdown, moment, printable

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\rb", r"a\rb"),
        ("a\nb", r"a\nb"),
        ("a\tb", r"a\tb"),
        ("\x9b2J", r"\x9b2J"),
        ("\0\x07\x7f", r"\x00\x07\x7f"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("\u200ea\u200f\ufeff", r"\u200ea\u200f\ufeff"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\U000e0041", r"\U000e0041"),
        ("a\udcffb\ud800", r"a\xffb\ud800"),
        ("naïve Straße 名前 👩\u200d🚀", "naïve Straße 名前 👩\u200d🚀"),
        ("[bold]<b>&*`_", "[bold]<b>&*`_"),
        (None, "None"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.slow
@given(st.text())
def test_nothing_invisible_is_left(text):
    shown = printable(text)
    kinds = {unicodedata.category(one) for one in shown if one not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert printable(shown) == shown


def test_further_lines_can_not_pass_for_messages():
    assert printable("one\nError: two\r", lines=True) == "one\n  Error: two\\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[link](http://x)", r"\[link\](`http://x`)"),
        ("see https://x.com/a_b*c, then", "see `https://x.com/a_b*c`, then"),
        ("bob@example.org!", r"`bob@example.org`\!"),
        ("WWW.example.org", "`WWW.example.org`"),
        ("<https://x.com>", r"\<`https://x.com`\>"),
        ("https://x`y", "``https://x`y``"),
        ("bob@host 3 @ 4", "bob@host 3 @ 4"),
        ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert(1)\>"),
        ("![x](y)", r"\!\[x\](y)"),
        ("*a* _b_ `c` ~d~ a|b", r"\*a\* \_b\_ \`c\` \~d\~ a\|b"),
        ("bob_1 a__b", r"bob_1 a\_\_b"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        (r"\<b>", r"\\\<b\>"),
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("+ a", r"\+ a"),
        ("1. a", r"1\. a"),
        ("12) a", r"12\) a"),
        ("a\n===", "a  \n\\==="),
        ("    code", "\u00a0\u00a0\u00a0\u00a0code"),
        ("a\nb", "a  \nb"),
        ("\x1b[31m", r"\\x1b\[31m"),
        ("3 of 4 images (75 %)", "3 of 4 images (75 %)"),
    ],
)
def test_markdown_shows_text_as_it_is(text, shown):
    assert markdown(text) == shown


@given(st.text(st.sampled_from("a<>[]()!`*_\\&;# \n")))
def test_no_markup_is_left_unescaped(text):
    without = re.sub(r"\\[!-/:-@\[-`{-~]", "", markdown(text))
    assert not set(without) & set("<>[]!`*&")


_PIECES = st.sampled_from(
    (
        *("https://", "www.", "mailto:", "a", "b.co", "@", ".", ")", "x y", " ", "\n"),
        *("`", "``", "\\", "_", "*", "|", "<", ">", "-", "!", "~", "&lt;", "#", "1."),
    )
)
# What the App makes links of in a text, whatever was escaped: the rules of
# mdast-util-gfm-autolink-literal.
_LINKED = re.compile(
    r"(?<![^\W_])(https?://|www(?=\.))[-.\w]*\w\.\w"
    r"|(?<![^\W_])[-.\w+]+@[-\w]+(\.[-\w]+)+",
    re.IGNORECASE | re.ASCII,
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_the_app_shows_each_character_and_no_link(text):
    lines = [line.strip() for line in text.split("\n")]
    text = "\n".join(line for line in lines if line)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    blocks = tokens.parse(markdown(text))
    inlines = [part for block in blocks for part in block.children or []]
    kinds = {part.type for part in inlines}
    assert kinds <= {"text", "code_inline", "hardbreak"}
    shown = "".join(
        "\n" if part.type == "hardbreak" else part.content for part in inlines
    )
    assert shown == printable(text, lines=True).replace("\n  ", "\n")
    for part in inlines:
        if part.type == "text":
            assert not _LINKED.search(part.content)


@pytest.mark.parametrize("seconds", [1e300, float("nan"), -1e30, "\x1b", None, {}])
def test_times_of_no_calendar_are_shown_as_they_are(seconds):
    assert moment(seconds) == printable(seconds)
    assert moment(0) == "1970-01-01 00:00 UTC"
