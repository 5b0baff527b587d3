"""A case is checked without the vault, and any change of it is noticed."""

import contextlib
import hashlib
import json
import math
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fiftyone_reue as reue
from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import finish
from fiftyone_reue.proofs import contents, page
from fiftyone_reue.proofs.contents import read_difference, write_difference
from fiftyone_reue.proofs.verification import Verification, verify
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import create_folder
from fiftyone_reue.watermark.commitment import (
    NOTHING,
    Commitment,
    image_leaf,
    recipient_leaf,
)
from fiftyone_reue.watermark.read import Difference
from fiftyone_reue.watermark.sharpness import Response
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.report import report

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_folder) -> Path:
    """A folder with the case of a mixed leak, and the two who had the copies."""
    root = tmp_path_factory.mktemp("made")
    source = write_folder(root / "source", classes=2, each=4, side=48)
    with create_folder(root / "vault", plain_key_file=True) as vault:
        for who in ("alice", "bob", "carol"):
            vault.add_recipient(who)
        for who in ("alice", "bob"):
            steps = protect(
                vault,
                who,
                labelled_items(source),
                root / who,
                name=who,
                source=str(source),
                config=ProtectConfig("lsp"),
            )
            assert not finish(steps).outcome.failures
        leak = root / "leak"
        leak.mkdir()
        pairs = zip(image_items(root / "alice"), image_items(root / "bob"), strict=True)
        for number, (hers, his) in enumerate(pairs):
            taken = hers if number < 5 else his
            shutil.copy(taken.path, leak / f"{number}.png")
        finish(report(vault, suspect_items(leak), root / "case"))
    shutil.rmtree(root / "vault")
    return root


@pytest.fixture
def case(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "case", tmp_path / "case"))


def states(found: Verification) -> dict[str, str]:
    return {one.name: one.state for one in found.steps}


def test_of_one_it_is_said_so(case):
    """In the page that people read, and of the steps."""

    def one(content: dict[str, Any]) -> None:
        content["readings"] = content["readings"][:1]
        content.update(suspects=1, suspects_matched=1, recipients_tested=1)
        look = {"number": 1, "time": 0.0, "images": {}}
        content["earlier_looks"] = [look]

    edit(case, one)
    content = json.loads((case / "evidence.json").read_text())
    told = " ".join(page.rendered(content).split())
    assert "1 suspect was read; 1 matches an original: 1 original was weighed" in told
    assert "among 1 recipient and all looks" in told
    assert "1 look was taken before this one" in told
    texts = {one.name: one.text for one in verify(case).steps}
    assert "1 file has the digest" in texts["suspect files"]
    assert "those of 1 reading follow" in texts["soft bits"]


def test_a_case_holds_without_the_vault(made):
    found = verify(made / "case")
    assert found.holds
    assert found.named == ["alice", "bob"]
    assert found.p_value < 1e-6
    assert found.images == 8
    told = states(found)
    for name in ("suspect files", "soft bits", "commitment", "recipient", "images"):
        assert told[name] == "checked", name
    assert told["recipients tested"] == told["verdict"] == "checked"
    believed = {name for name, state in told.items() if state == "believed"}
    assert believed == {
        *("differences", "time", "looks", "the owner", "report.pdf", "pictures"),
        *("recipient's root of alice", "recipient's root of bob"),
    }
    assert told["claim"] == told["report.html"] == "checked"
    assert "must be believed" in found.verdict()
    assert json.dumps(found.to_dict())


def told_of(one: Commitment) -> dict[str, Any]:
    """As a case has a commitment to one recipient and one image."""
    return {
        "vault": one.vault_id,
        "release": one.release_id,
        "previous": one.previous.hex(),
        "recipients": {"count": 1, "root": one.recipients[0].hex()},
        "images": {"count": 1, "root": one.images[0].hex()},
        "root": one.root.hex(),
    }


def root_of(made: Path, who: str) -> str:
    return str(manifest.read(made / who)["commitment"])


def roots_told(found: Verification) -> dict[str, tuple[str, str]]:
    """State and text of the rows on roots, by the rest of their name."""
    name = "recipient's root"
    rows = [one for one in found.steps if one.name.startswith(name)]
    return {one.name.removeprefix(name): (one.state, one.text) for one in rows}


def test_each_recipients_manifest_is_compared(made):
    """One of alice's says nothing of bob's, and both are checked."""
    own = {who: root_of(made, who) for who in ("alice", "bob")}
    without = roots_told(verify(made / "case"))
    assert list(without) == [" of alice", " of bob"]
    for who, root in own.items():
        assert without[f" of {who}"] == (
            "believed",
            f"that {who} was handed {root}: compare it with `commitment` in the "
            "manifest.json of their copy, or give that here",
        )
    for who, other in (("alice", "bob"), ("bob", "alice")):
        told = roots_told(verify(made / "case", [[own[who]]]))
        assert told[f" of {who}"][0] == "checked"
        assert told[f" of {who}"][1].startswith(f"{who} holds a root of this case")
        assert told[f" of {other}"] == without[f" of {other}"]
    found = reue.verify(made / "case", manifest=[made / "alice", made / "bob"])
    assert found.holds
    assert [state for state, _ in roots_told(found).values()] == ["checked"] * 2
    alone = reue.verify(made / "case", manifest=str(made / "alice"))
    told = [state for state, _ in roots_told(alone).values()]
    assert told == ["checked", "believed"]


@pytest.mark.parametrize("more", [[], ["alice"], ["alice", "bob"]])
def test_a_manifest_of_nobody_who_is_named_is_noticed(made, more):
    """Also among others, which are those of who is named."""
    given = [["00" * 32], *([root_of(made, who)] for who in more)]
    for manifests in (given, given[::-1]):
        found = verify(made / "case", manifests)
        assert not found.holds
        told = roots_told(found)
        assert told[""][0] == "failed"
        assert "isn't one of this case's 2" in told[""][1]
        checked = [who for who in ("alice", "bob") if told[f" of {who}"][0] != "failed"]
        assert checked == ["alice", "bob"]
        assert [told[f" of {who}"][0] for who in more] == ["checked"] * len(more)


def test_where_one_is_named_the_row_has_no_name(case):
    """And a manifest of somebody else's is the only thing that is said of roots."""
    content = json.loads((case / "evidence.json").read_text())
    hers, his = (
        content["commitments"][one["inclusions"][0]["commitment"]]["root"]
        for one in content["culprits"]
    )
    edit(case, lambda content: content["culprits"].pop())
    assert roots_told(verify(case))[""][0] == "believed"
    assert roots_told(verify(case, [[hers]]))[""][0] == "checked"
    told = [one for one in verify(case, [[his]]).steps if "root" in one.name]
    assert [(one.name, one.state) for one in told] == [("recipient's root", "failed")]
    assert "anybody who is named" in told[0].text
    told = [one for one in verify(case, [[hers], [his]]).steps if "root" in one.name]
    assert [one.state for one in told] == ["checked", "failed"]


def test_only_what_the_recipients_root_is_over_counts_as_committed(case):
    """A second release, made for the leak after it, helps no owner."""
    content = json.loads((case / "evidence.json").read_text())
    hers, row = content["culprits"][0], content["readings"][0]
    (place,) = {given["commitment"] for given in hers["inclusions"]}
    root = content["commitments"][place]["root"]
    seed, digest, carrier = (
        bytes.fromhex(text)
        for text in (hers["code_seed"], row["digest"], row["carrier_key"])
    )
    later = Commitment(
        content["vault"],
        "9" * 16,
        NOTHING,
        (recipient_leaf(hers["recipient_id"], hers["name"], seed),),
        (image_leaf(row["image_id"], digest, carrier),),
    )

    def add(content: dict[str, Any]) -> None:
        made = len(content["commitments"])
        content["commitments"].append(told_of(later))
        hers, row = content["culprits"][0], content["readings"][0]
        hers["releases"].append(later.release_id)
        hers["inclusions"].append({"commitment": made, "path": []})
        others = [one for one in row["inclusions"] if one["commitment"] != place]
        row["inclusions"] = [*others, {"commitment": made, "path": []}]

    edit(case, add)
    for held, state in (([], "checked"), ([[root]], "believed")):
        told = [one for one in verify(case, held).steps if one.name == "images"]
        assert told[0].state == state
    assert "of 7 of 8 images" in told[0].text


def test_the_case_holds_no_key_and_nothing_of_others(made):
    text = (made / "case" / "evidence.json").read_text()
    page = (made / "case" / "report.html").read_text()
    assert "carol" not in text + page
    assert len(json.loads(text)["culprits"]) == 2
    assert "<script" not in page
    for word in ("alice", "bob", "another recipient (1)", "best innocent"):
        assert word in page
    shown = list((made / "case" / "pictures").iterdir())
    assert len(shown) == 4 * 8


def edit(case: Path, change) -> None:
    path = case / "evidence.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def rename(content: dict[str, Any]) -> None:
    content["culprits"][0]["name"] = "carol"


def other_code(content: dict[str, Any]) -> None:
    content["culprits"][0]["code_seed"] = "00" * 16


def other_carrier(content: dict[str, Any]) -> None:
    content["readings"][0]["carrier_key"] = "00" * 32


def other_id(content: dict[str, Any]) -> None:
    row = content["readings"][0]
    images = content["look"]["images"]
    images["f" * 32] = images.pop(row["image_id"])
    row["image_id"] = "f" * 32


def other_original(content: dict[str, Any]) -> None:
    content["readings"][0]["digest"] = "00" * 32


def louder(content: dict[str, Any]) -> None:
    content["readings"][0]["soft"][0] *= -1


def other_root(content: dict[str, Any]) -> None:
    content["commitments"][0]["root"] = "00" * 32


def fewer_tested(content: dict[str, Any]) -> None:
    content["recipients_tested"] = 1


def fewer_images(content: dict[str, Any]) -> None:
    del content["readings"][1:]


def many_looks(content: dict[str, Any]) -> None:
    images = content["look"]["images"]
    content["earlier_looks"] = [
        {
            "number": n + 1,
            "time": 0.0,
            "images": {f"{m}x{n}": "v" for m in range(999)} | images,
        }
        for n in range(10)
    ]
    for n, look in enumerate(content["earlier_looks"]):
        look["images"] = dict.fromkeys(look["images"], f"v{n}")


@pytest.mark.parametrize(
    "change",
    [
        rename,
        other_code,
        other_carrier,
        other_id,
        other_original,
        louder,
        other_root,
        fewer_tested,
        fewer_images,
        many_looks,
    ],
)
def test_whatever_is_changed_the_case_does_not_hold(case, change):
    edit(case, change)
    found = verify(case)
    assert not found.holds
    assert found.verdict().startswith(
        ("The case doesn't hold", "The case names nobody")
    )


def other_version(content: dict[str, Any]) -> None:
    content["look"]["images"][content["readings"][0]["image_id"]] = "0" * 16


def other_share(content: dict[str, Any]) -> None:
    content["culprits"][0]["share"] = 0.99


def other_chance(content: dict[str, Any]) -> None:
    content["culprits"][1]["p_value"] = 1e-30


def other_claim(content: dict[str, Any]) -> None:
    content["claim"] = content["claim"].replace("alice", "carol")


def other_images(content: dict[str, Any]) -> None:
    content["culprits"][0]["images"] = []


def worse_innocent(content: dict[str, Any]) -> None:
    content["best_innocent_z"] = 0.1


def no_innocent(content: dict[str, Any]) -> None:
    content["best_innocent_z"] = math.nan


def likelier_innocent(content: dict[str, Any]) -> None:
    content["best_innocent_p"] = 1.0 if content["best_innocent_p"] < 1 else 2.0


def less_needed(content: dict[str, Any]) -> None:
    content["needed_z"] = 0.01


def other_decision(content: dict[str, Any]) -> None:
    content["decision"] = "no-match"


def points_to_another(content: dict[str, Any]) -> None:
    content["readings"][0]["from"] = ["mallory"]


def no_pictures(content: dict[str, Any]) -> None:
    content["readings"][0]["pictures"]["mark"]["file"] = "pictures/none.png"


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (other_version, "looks"),
        (other_share, "claim"),
        (other_chance, "claim"),
        (other_claim, "claim"),
        (no_innocent, "claim"),
        (likelier_innocent, "claim"),
        (less_needed, "claim"),
        (other_decision, "claim"),
        (points_to_another, "claim"),
        (other_images, "claim"),
        (worse_innocent, "claim"),
        (no_pictures, "pictures"),
    ],
)
def test_what_people_are_told_follows_from_the_case(case, change, step):
    edit(case, change)
    assert states(verify(case))[step] == "failed"


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(decision="no-match"),
        lambda content: content.update(program="evil 9"),
        lambda content: content.update(extra=1),
        lambda content: content["look"].update(number=99),
        lambda content: content["look"].update(time=0),
        lambda content: content["others"][0].update(z=content["others"][0]["z"] + 1e-6),
        lambda content: content["readings"][0]["suspect"].update(distance=0),
        lambda content: content["readings"][0].update(note="here"),
        lambda content: content["commitments"][0].update(timestamp=0),
    ],
)
def test_nothing_in_the_evidence_is_changed_alone(case, change):
    assert verify(case).holds
    edit(case, change)
    found = verify(case)
    assert states(found)["evidence.json"] == "failed"
    assert not found.holds


def test_evidence_that_is_laid_out_anew_is_the_same(case):
    path = case / "evidence.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=3))
    assert verify(case).holds


def test_a_page_that_says_something_else_is_noticed(case):
    path = case / "report.html"
    path.write_text(path.read_text().replace("alice", "carol"))
    assert states(verify(case))["report.html"] == "failed"
    # Nobody can say whether a version before or after would have written that.
    edit(case, lambda content: content.update(program="fiftyone-reue 99.0"))
    found = verify(case)
    assert states(found)["report.html"] == "believed"
    assert found.named == ["alice", "bob"]
    path.unlink()
    assert states(verify(case))["report.html"] == "failed"


def test_a_printed_page_that_was_not_written_with_the_case_is_noticed(case):
    path = case / "report.pdf"
    assert path.read_bytes().startswith(b"%PDF")
    path.write_bytes(path.read_bytes() + b" ")
    assert states(verify(case))["report.pdf"] == "failed"


@pytest.mark.parametrize("gone", [True, False])
def test_other_pictures_are_noticed(case, gone):
    path = next((case / "pictures").iterdir())
    path.unlink() if gone else path.write_bytes(b"another")
    assert states(verify(case))["pictures"] == "failed"


@pytest.mark.parametrize(
    ("name", "step"), [("suspects", "suspect files"), ("differences", "soft bits")]
)
def test_links_are_not_followed(case, tmp_path, name, step):
    path = next((case / name).iterdir())
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert states(verify(case))[step] == "failed"


def test_evidence_of_nothing_many_times_over_is_refused(tmp_path):
    nothing = ",".join(["[]"] * 100_000)
    (tmp_path / "evidence.json").write_text(f'{{"format": 2, "readings": [{nothing}]}}')
    with pytest.raises(InputError, match="next to nothing"):
        verify(tmp_path)


@pytest.mark.parametrize("value", [0, -1, 1e400, -1e400, 10**400, "x", None])
@pytest.mark.parametrize("name", ["amplitude", "recipients_tested"])
def test_numbers_of_another_size_are_refused(case, name, value):
    edit(case, lambda content: content.update({name: value}))
    _refused(case)


@pytest.mark.parametrize("reply", ["", "AAAA", "x", 5, None])
def test_what_is_no_time_stamp_is_refused(case, reply):
    told = {"time": "2001-09-09 01:46:40 UTC", "reply": reply}
    edit(case, lambda content: content["commitments"][0].update(timestamp=told))
    _refused(case)


@pytest.mark.parametrize("value", [1 << 64, -1, 1e400])
def test_counts_of_another_size_are_refused(case, value):
    edit(case, lambda c: c["commitments"][0]["images"].update(count=value))
    _refused(case)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_soft_bits_are_finite(case, value):
    edit(case, lambda c: c["readings"][0]["soft"].__setitem__(0, value))
    with pytest.raises(InputError, match="finite"):
        verify(case)


def _refused(case: Path) -> None:
    with contextlib.suppress(InputError):
        assert not verify(case).holds


def test_soft_bits_of_a_difference_that_overflows_are_refused(case):
    path = (
        case
        / json.loads((case / "evidence.json").read_text())["readings"][0]["difference"]
    )
    found = read_difference(path)
    loud = np.full_like(found.left, 3e38) * np.sign(found.left)
    write_difference(path, replace(found, left=loud))
    assert states(verify(case))["soft bits"] == "failed"


def test_an_older_root_is_told_to_be_contained(case):
    """Images were added to alice's release after she was handed her manifest."""
    content = json.loads((case / "evidence.json").read_text())
    hers = content["culprits"][0]
    (place,) = {given["commitment"] for given in hers["inclusions"]}
    older = content["commitments"][place]
    seed = bytes.fromhex(hers["code_seed"])
    later = Commitment(
        content["vault"],
        older["release"],
        bytes.fromhex(older["root"]),
        (recipient_leaf(hers["recipient_id"], hers["name"], seed),),
        (image_leaf("another", bytes(32), bytes(32)),),
    )

    def add(content: dict[str, Any]) -> None:
        content["commitments"].append(told_of(later))

    edit(case, add)

    def step(*held: str):
        steps = verify(case, [held] if held else []).steps
        told = {one.name: one for one in steps if "recipient's root" in one.name}
        return told.get("recipient's root", told["recipient's root of alice"])

    unknown = step()
    assert unknown.state == "believed"
    assert "one of their 2 roots in this case, an older one or the new" in unknown.text
    assert later.root.hex() in unknown.text
    for held in ([older["root"]], [older["root"], "00" * 32]):
        found = step(*held)
        assert found.state == "checked", found.text
        assert "number 1 of 2 of their release" in found.text
    assert step("00" * 32).state == "failed"
    assert "isn't one of this case's 3" in step("00" * 32).text


def test_who_holds_a_root_must_be_named_by_it(made, case):
    """Bob's root beside a code that it isn't shown to be over accuses nobody."""

    def change(content: dict[str, Any]) -> None:
        for one in content["culprits"]:
            one["inclusions"] = []

    edit(case, change)
    found = verify(case, [[root_of(made, "bob")]])
    assert states(found)["recipient's root"] == "failed"
    assert not found.holds


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
@pytest.mark.parametrize("name", ["evidence.json", "suspects", "differences"])
def test_a_pipe_is_not_waited_for(case, name):
    path = case / name
    path = next(path.iterdir()) if path.is_dir() else path
    path.unlink()
    os.mkfifo(path)
    _refused(case)


def test_other_files_are_noticed(case):
    suspect = next((case / "suspects").iterdir())
    suspect.write_bytes(suspect.read_bytes() + b"x")
    assert states(verify(case))["suspect files"] == "failed"


def test_other_differences_are_noticed(case):
    path = next((case / "differences").iterdir())
    found = read_difference(path)
    write_difference(path, replace(found, left=-found.left))
    assert states(verify(case))["soft bits"] == "failed"


def test_a_file_outside_is_not_read(case):
    edit(case, lambda c: c["readings"][0]["suspect"].update(file="../../secret"))
    assert states(verify(case))["suspect files"] == "failed"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 1}', '{"format": 2}', '{"format": 3}', "{" * 100_000],
)
def test_what_is_no_case_is_refused(tmp_path, text):
    (tmp_path / "evidence.json").write_text(text)
    with pytest.raises(InputError):
        verify(tmp_path)


def test_no_case_is_refused(tmp_path):
    with pytest.raises(InputError, match="give the folder of a case"):
        verify(tmp_path)


def test_differences_come_back_as_they_were(tmp_path):
    left = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    response = Response(np.array([0.7, 0.2, 0.1]), np.array([0.7, 1.4]))
    for one in (
        Difference(left),
        Difference(left, np.abs(left)),
        Difference(left, None, response),
    ):
        write_difference(tmp_path / "a.npz", one)
        again = read_difference(tmp_path / "a.npz")
        assert np.array_equal(again.left, left)
        assert (again.shown is None) == (one.shown is None)
        assert (again.response is None) == (one.response is None)
    assert again.response is not None
    assert np.array_equal(again.response.shares, response.shares)
    assert np.array_equal(again.response.blurs, response.blurs)
    (tmp_path / "b.npz").write_bytes(b"no difference")
    with pytest.raises(InputError, match="can't be read"):
        read_difference(tmp_path / "b.npz")


def array(header: str, data: bytes = bytes(16)) -> bytes:
    """An array's file with any header."""
    text = header.encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "shape",
    ["(1000000, 1000000)", "(-1, 4)", "(1 << 63, 3)", "(" * 99, "(2, 3)", "{}", "2.5"],
)
def test_a_difference_larger_than_its_file_is_refused(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("left.npy", array(header))
    with pytest.raises(InputError, match="can't be read"):
        read_difference(path)


@pytest.mark.parametrize(
    "how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_difference_that_unpacks_to_far_more_is_refused(tmp_path, how):
    path = tmp_path / "a.npz"
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (5000, 1000), }\n"
    with zipfile.ZipFile(path, "w", how) as packed:
        packed.writestr("left.npy", array(header, bytes(20_000_000)))
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match=r"unpack to|isn't how"):
        read_difference(path)


def test_a_difference_of_nothing_comes_back(tmp_path):
    path = tmp_path / "a.npz"
    write_difference(path, Difference(np.zeros((1500, 1000), np.float32)))
    assert read_difference(path).left.shape == (1500, 1000)
    with pytest.raises(InputError, match="--max-pixels"):
        read_difference(path, max_pixels=1_000_000)


def test_no_more_is_unpacked_than_an_entry_says(tmp_path):
    """Its size in the archive's list is a lie."""
    path = tmp_path / "a.npz"
    write_difference(path, Difference(np.ones((200, 200), np.float32)))
    data = bytearray(path.read_bytes())
    real = (200 * 200 * 4 + 128).to_bytes(4, "little")
    assert data.count(real) >= 1
    path.write_bytes(data.replace(real, (4096).to_bytes(4, "little")))
    with pytest.raises(InputError, match="can't be read"):
        read_difference(path)


def test_a_broken_difference_is_refused_in_plain_words(tmp_path):
    path = tmp_path / "a.npz"
    write_difference(path, Difference(np.ones((8, 8), np.float32)))
    data = path.read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(2000):
        broken = bytearray(data)
        for at in draw.integers(0, len(data), draw.integers(1, 4)):
            broken[at] = draw.integers(256)
        path.write_bytes(broken)
        try:
            assert read_difference(path).left.size
        except InputError:
            continue


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_difference_is_finite(tmp_path, value):
    path = tmp_path / "a.npz"
    write_difference(path, Difference(np.full((8, 8), value, np.float32)))
    with pytest.raises(InputError, match="finite"):
        read_difference(path)


def test_a_difference_larger_than_any_that_is_compared_is_refused(tmp_path):
    """10,000 x 10,000 pixels in a file of 1.6 MB took 3.2 GB."""
    path = tmp_path / "a.npz"
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10000, 10000), }\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("left.npy", array(header))
        packed.getinfo("left.npy").file_size = 400_000_128
    with pytest.raises(InputError, match=r"24,000,000 pixels .*--max-pixels"):
        read_difference(path)
    with pytest.raises(InputError, match=r"unpack to"):
        read_difference(path, max_pixels=100_000_000)


@pytest.mark.parametrize("names", [["left.npy", "left"], ["left.npy", "more.npy"]])
def test_other_parts_of_a_difference_are_refused(tmp_path, names):
    path = tmp_path / "a.npz"
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n"
    with zipfile.ZipFile(path, "w") as packed:
        for name in names:
            packed.writestr(name, array(header))
    with pytest.raises(InputError, match="other parts"):
        read_difference(path)


def test_a_long_list_of_parts_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(1000):
            packed.writestr(f"{number}.npy", b"")
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda _: pytest.fail("was read"))
    with pytest.raises(InputError, match="isn't how differences are packed"):
        read_difference(path)


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="holes aren't told here")
@pytest.mark.parametrize(
    ("name", "step", "why"),
    [
        ("suspects", "suspect files", "sparse"),
        ("pictures", "pictures", "at most"),
        ("report.pdf", "report.pdf", "at most"),
    ],
)
def test_large_files_of_nothing_are_not_read(case, monkeypatch, name, step, why):
    path = case / name
    path = next(path.iterdir()) if path.is_dir() else path
    os.truncate(path, 1 << 30)
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda f, name: _short(digest, f, name))
    (found,) = (one for one in verify(case).steps if one.name == step)
    assert found.state == "failed"
    assert why in found.text


def _short(digest, file, name: str):
    assert os.fstat(file.fileno()).st_size < 1 << 29
    return digest(file, name)


def test_a_file_of_many_names_is_read_once(case, monkeypatch):
    """Else a few bytes of evidence would let a large file be read for hours."""
    content = json.loads((case / "evidence.json").read_text())
    files = [row["suspect"]["file"] for row in content["readings"]]
    for name in files[1:]:
        (case / name).unlink()
        os.link(case / files[0], case / name)
    read: list[str] = []
    digest = contents.digest_in

    def count(folder: Path, name: str, most: int | None = None) -> str:
        read.append(name)
        return digest(folder, name, most)

    monkeypatch.setattr(contents, "digest_in", count)
    assert states(verify(case))["suspect files"] == "failed"
    digests = contents.Digests(case)
    assert len({digests.of(name, 1 << 30) for name in files}) == 1
    assert read.count(files[0]) == 2
    assert not set(files[1:]) & set(read)


def test_a_difference_counts_once_by_whatever_name(case):
    content = json.loads((case / "evidence.json").read_text())
    first, second = (row["difference"] for row in content["readings"][:2])
    (case / second).unlink()
    os.link(case / first, case / second)
    (step,) = (one for one in verify(case).steps if one.name == "soft bits")
    assert (step.state, "that was read" in step.text) == ("failed", True)


@pytest.mark.parametrize(
    ("rows", "named"), [(100_001, 1), (10_001, 1), (1, 101), (9_000, 60)]
)
def test_more_than_can_be_weighed_is_refused(case, rows, named):
    def change(content: dict[str, Any]) -> None:
        row, culprit = content["readings"][0], content["culprits"][0]
        spread = rows != 10_001
        content["readings"] = [
            {"image_id": str(number * spread), "soft": row["soft"][:1]}
            for number in range(rows)
        ]
        content["culprits"] = [culprit] * named

    edit(case, change)
    with pytest.raises(InputError, match="weighed"):
        verify(case)


def test_the_digest_of_evidence_is_that_of_its_json(made):
    content = json.loads((made / "case" / "evidence.json").read_text())
    counted = {key: value for key, value in content.items() if key != "pdf"}
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"))
    assert page.digest_of(content) == hashlib.sha256(text.encode()).hexdigest()


def test_evidence_that_takes_far_more_memory_than_its_file_is_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(contents, "_MOST_MEMORY", 1 << 20)
    some = ",".join(['{"some":0123456}'] * 10_000)
    (tmp_path / "evidence.json").write_text(f'{{"format": 3, "readings": [{some}]}}')
    with pytest.raises(InputError, match="more than any case"):
        verify(tmp_path)
