import os
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fiftyone_reue.names import filenames

pytestmark = pytest.mark.unit

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
TEXTS = st.one_of(
    st.text(),
    st.text(
        alphabet='aA~%:/. é\u0301\u00e9C340123456789abcdef\udcff猫<|"\\\n', max_size=60
    ),
    st.sampled_from(["con", "nul.txt", "a" * 300, "猫" * 100, "%2F", "", ".", ".."]),
)


@pytest.mark.parametrize(
    "name",
    [
        "cat",
        "Cat",
        "a b",
        "猫",
        "犬",
        COMPOSED,
        "a.b",
        "100%",
        "x~1",
        "ß-µ",
        "日本_(1)",
    ],
)
def test_what_every_system_can_hold_stays(name):
    assert filenames.component(name) == filenames.portable(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("x:y", "x%3Ay"),
        ("con", "%63on"),
        ("CON.png", "%43ON.png"),
        ("lpt9 .x", "%6Cpt9 .x"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        (" a ", "%20a%20"),
        ("end.", "end%2E"),
        ("a\nb\x7f", "a%0Ab%7F"),
        (DECOMPOSED, "cafe%CC%81"),
        ("<\u0327", "%3C%CC%A7"),  # %3C and a cedilla would be %3 and Ç
        ("a\u202eb", "a%E2%80%AEb"),
        ("manifest.json", "%6Danifest.json"),
        ("a~0123456789abcdef", "a%7E0123456789abcdef"),
    ],
)
def test_what_some_system_can_not_hold_is_encoded(text, name):
    assert filenames.component(text) == name
    assert filenames.portable(name) == name


def safe(name: str, limit: int = filenames.LIMIT) -> bool:
    """Whether Windows, macOS and Linux all hold this name as it is."""
    base = name.split(".")[0].rstrip(" ").lower()
    devices = {"con", "prn", "aux", "nul"}
    devices |= {f"{kind}{n}" for kind in ("com", "lpt") for n in range(10)}
    return (
        0 < len(name.encode()) <= limit
        and not set(name) & set('<>:"/\\|?*')
        and all(unicodedata.category(c)[0] != "C" for c in name)
        and name == unicodedata.normalize("NFC", name)
        and name[0] not in ". "
        and name[-1] not in ". "
        and base not in devices
    )


@pytest.mark.slow
@given(TEXTS)
@example("a" * 239)
@example("a" * 240)
def test_names_are_safe_and_stay_when_made_safe_again(text):
    for limit in (40, filenames.LIMIT):
        name = filenames.component(text, limit)
        assert safe(name, limit)
        assert filenames.portable(name, limit) == name
        assert safe(filenames.portable(text, limit), limit)
        assert safe(filenames.apart(name, text, limit), limit)


@pytest.mark.slow
@given(TEXTS, TEXTS)
@example("a/b", "a%2Fb")
@example(COMPOSED, DECOMPOSED)
@example("x" * 300, "x" * 301)
@example("x" * 300, filenames.component("x" * 300))
@example("", filenames.component(""))
@example("<\u0327", "%3\u00c7")
def test_different_texts_have_different_names(one, other):
    if one == other:
        return
    first, second = filenames.component(one), filenames.component(other)
    assert first != second
    normal = [unicodedata.normalize("NFD", name) for name in (first, second)]
    assert normal[0] != normal[1]
    if filenames.fold(first) == filenames.fold(second):  # they differ in case only
        assert filenames.fold(filenames.apart(first, one)) != filenames.fold(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Cat", "cat"), (COMPOSED, DECOMPOSED), ("STRASSE", "straße"), ("É", "e\u0301")],
)
def test_names_that_some_system_merges_fold_to_one(one, other):
    assert filenames.fold(one) == filenames.fold(other)


def test_what_is_not_text_is_shown_as_bytes():
    raw = os.fsdecode(b"a/\xff\xc3\xa9.png")
    assert filenames.shown(raw) == "a/\\xffé.png"
    assert not filenames.is_text(raw)
    assert filenames.is_text("a/é.png")
    assert filenames.shown("a/é.png") == "a/é.png"
    assert filenames.shown("\ud800") == "\\ud800"
