"""Awkward files, all verbs: what is right stands with each file (see making.py)."""

import re
from pathlib import Path

import pytest

from tests.cases.case import Case, refused
from tests.cases.making import every
from tests.cases.running import GROUNDS, Run, openers, same_pixels, suspect

pytestmark = pytest.mark.integration

OK = "ok"
PIECE, PIECES = 12, 200

SHARED = (
    Case("jpg/xmp_thumb.jpg", "XMP thumbnail", b"", "file"),
    Case("jpg/thumb_uncompressed.jpg", "uncompressed EXIF thumbnail", b"", "file"),
    Case("jpg/comment_iptc.jpg", "comment and IPTC", b"", "file"),
    refused("jpg/truncated.jpg", "cut off", b"", "cut|truncated"),
    refused("tif/imagej_stack_one_ifd.tif", "planes", b"", "planes"),
    refused("tif/rgb_nir_extrasample0.tif", "a fourth band", b"", "alpha|band"),
    refused("tif/cog_overview.tif", "overviews", b"", "reduced"),
    Case("png/gray16_12bit_sBIT.png", "12 bits in 16 (sBIT)", b"", "exact"),
    Case("png/palette_mask.png", "a palette", b"", "file", traced=False),
    Case("png/gray1.png", "one bit", b"", "file", traced=False),
    Case("png/gama_linear_dark.png", "gAMA 1.0", b"", "exact"),
    Case("png/bad_iccp.png", "a profile that can't be unpacked", b"", "exact"),
    refused("png/cgbi.png", "Apple's variant", b"", "CgBI"),
    Case("png/interlaced.png", "interlaced", b"", "exact"),
    Case("pnm/p2.pgm", "gray as text", b"", "either", "text|P2|PGM"),
    refused("other/tga.tga", "TGA", b"", "TGA|supported"),
    Case("cutouts/0.png", "cutout", b"", "exact"),
)
"""Files beside the checkout, and what is right for them."""


@pytest.mark.parametrize("case", every(), ids=lambda case: case.name)
def test_what_was_made(case: Case, files: Run, table: list) -> None:
    check(case, files, table)


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.name)
def test_what_was_collected(case: Case, shared: Run, table: list) -> None:
    check(case, shared, table)


def check(case: Case, run: Run, table: list) -> None:
    """Look at all that became of a file, note it, and fail with everything wrong."""
    found = {
        "protect": _protect(case, run),
        "licensed": _licensed(case, run),
        "original": _original(case, run),
        "traced": _traced(case, run),
        "info": _info(case, run),
        "private": _private(case, run),
    }
    table.append((case.format, case.kind, *found.values()))
    wrong = {verb: text for verb, text in found.items() if text not in _RIGHT}
    assert not wrong, f"{case.name}, {case.kind}: {wrong}"


_RIGHT = {OK, "refused", "the file", "pixels", "-"}


def _protect(case: Case, run: Run) -> str:
    reason = run.verbs["protect"].reasons().get(case.name)
    done = case.name in run.outputs
    if not done and reason is None:
        return "PASSED OVER"
    if done and reason is not None:
        return f"DONE AND FAILED: {reason}"
    if done:
        return "NOT REFUSED" if case.right == "refused" else OK
    assert reason is not None
    if case.right not in ("refused", "either"):
        return f"REFUSED: {reason}"
    if not re.search(case.says, reason.removeprefix(case.name), re.IGNORECASE):
        return f"ANOTHER REASON: {reason}"
    return "refused"


def _licensed(case: Case, run: Run) -> str:
    if case.name not in run.outputs:
        return "-"
    if (reason := _failed(run, "licensed", case)) is not None:
        return reason
    source = run.root / "source" / case.name
    for folder in ("p", "w"):
        copy = run.copy(folder, case.name)
        if copy is None:
            return f"NOT IN {folder}"
        closed = openers(source) - openers(copy)
        if closed:
            return f"{' and '.join(sorted(closed))} CAN'T OPEN {folder}"
    return OK


def _original(case: Case, run: Run) -> str:
    if case.name not in run.outputs:
        return "-"
    source = run.root / "source" / case.name
    said = []
    for folder, verb in (("o", "original"), ("o2", "from licensed")):
        if (reason := _failed(run, verb, case)) is not None:
            return reason
        copy = run.copy(folder, case.name)
        if copy is None:
            return f"NOT IN {folder}"
        if copy.read_bytes() == source.read_bytes():
            said.append("the file")
            continue
        if case.right == "file":
            return f"ANOTHER FILE IN {folder}"
        if wrong := same_pixels(source, copy):
            return f"IN {folder}: {', '.join(wrong)}"
        names = {run.outputs[case.name], case.name, f"w/{run.outputs[case.name]}"}
        told = {Path(n).with_suffix("") for n in run.verbs[verb].differing()}
        if not told & {Path(name).with_suffix("") for name in names}:
            return f"DIFFERS IN {folder} WITHOUT A WORD"
        said.append("pixels")
    return "pixels" if "pixels" in said else "the file"


def _traced(case: Case, run: Run) -> str:
    if case.name not in run.outputs or not case.traced:
        return "-"
    for ground in GROUNDS:
        found = run.matched.get(suspect(case.name, ground))
        if found is None:
            return f"NOT MATCHED ON {ground.upper()}"
        if found != run.images[case.name]:
            return f"TAKEN FOR ANOTHER ON {ground.upper()}"
    return OK


def _private(case: Case, run: Run) -> str:
    """Whether a piece of what nobody may see is in a copy."""
    if case.name not in run.outputs or not case.private:
        return "-"
    for folder in ("p", "w"):
        path = run.copy(folder, case.name)
        copy = b"" if path is None else path.read_bytes()
        for secret in case.private:
            step = max(PIECE, len(secret) // PIECES)
            starts = range(0, len(secret) - PIECE + 1, step)
            if any(secret[at : at + PIECE] in copy for at in starts):
                return f"SHOWN IN {folder}"
    return OK


def _info(case: Case, run: Run) -> str:
    status, words = run.info[case.name]
    if status not in (0, 1):
        return f"INFO BROKE: {words}"
    if case.name not in run.outputs:
        return OK
    return OK if status == 0 and "state: protected" in words else f"INFO: {words}"


def _failed(run: Run, verb: str, case: Case) -> str | None:
    """Why a verb failed for a case's file, if it did."""
    stem = Path(run.outputs[case.name]).with_suffix("")
    for name, reason in run.verbs[verb].reasons().items():
        if Path(name).with_suffix("") == stem:
            return f"FAILED: {reason}"
    return None


RUNS = ("files", "names", "shared")


def _run(name: str, request: pytest.FixtureRequest) -> Run:
    found = request.getfixturevalue(name)
    return found[0] if name == "names" else found


@pytest.mark.parametrize("name", RUNS)
def test_the_recipient_is_named(name: str, request: pytest.FixtureRequest) -> None:
    said = _run(name, request).verbs["extract"].said
    assert said["recipient"] == "alice"
    assert said["p_value"] < 1e-6


@pytest.mark.parametrize("name", RUNS)
def test_nobodys_warnings_are_printed(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Only our own lines: which images failed, how many, and how far a slow one is."""
    ours = re.compile(
        r"Failed: .+: .+|\d+ images? failed; the rest is done\.|\d+ %  .+: \d+ of \d+"
    )
    for verb, done in _run(name, request).verbs.items():
        strange = [x for x in done.errors.splitlines() if not ours.fullmatch(x)]
        assert not strange, verb


@pytest.mark.parametrize("name", RUNS)
def test_the_exit_status_says_whether_all_was_done(
    name: str, request: pytest.FixtureRequest
) -> None:
    for verb, done in _run(name, request).verbs.items():
        assert done.status == (1 if done.failed else 0), verb


def test_names_and_things_that_are_no_files(names) -> None:
    run, things = names
    reasons = run.verbs["protect"].reasons()
    done = {Path(sample).as_posix() for sample in run.outputs}
    wrong = {}
    for thing in things:
        name = thing.shown
        if thing.right == "unseen":
            if name in reasons or name in done:
                wrong[name] = "seen"
        elif name in done:
            if thing.right == "refused":
                wrong[name] = "done"
        elif name not in reasons:
            wrong[name] = "passed over"
        elif thing.right == "exact":
            wrong[name] = reasons[name]
        elif not re.search(thing.says, reasons[name], re.IGNORECASE):
            wrong[name] = f"another reason: {reasons[name]}"
    assert not wrong
    for verb in ("licensed", "original", "from licensed"):
        assert not run.verbs[verb].failed
        assert run.verbs[verb].said["restored"] == len(run.outputs)


def test_names_of_copies_are_safe_everywhere(names) -> None:
    """For Windows and macOS too: no two that they would merge, none they can't hold."""
    import unicodedata

    run, _ = names
    outputs = list(run.outputs.values())
    folded = {unicodedata.normalize("NFC", one).casefold() for one in outputs}
    assert len(folded) == len(outputs)
    for output in outputs:
        for part in output.split("/"):
            assert not re.search(r'[\x00-\x1f\x7f<>:"\\|?*]', part), output
            assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", part), (
                output
            )
            assert part == part.rstrip(". "), output
            assert len(part.encode()) <= 255, output


def test_classes_stay_apart(names) -> None:
    run, _ = names
    folders = {one.split("/")[0]: set() for one in run.outputs.values()}
    for sample, output in run.outputs.items():
        folders[output.split("/")[0]].add(sample.split("/")[0])
    assert all(len(classes) == 1 for classes in folders.values())
    assert len(folders) == len({sample.split("/")[0] for sample in run.outputs})


def test_what_epsilon_means_for_odd_data_is_said(files: Run) -> None:
    """Where a stored change is displayed as more, or isn't of the whole range."""
    notes = " ".join(files.verbs["protect"].said.get("notes", {}))
    assert "gamma" in notes
    assert "range" in notes
