import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb import reversal
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.looks import list_looks
from fiftyone_reue.releases.tracing import Suspect
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.watermark import codes
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION, weigh
from fiftyone_reue.watermark.looks import Look
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class House:
    """A vault with releases to alice and bob, and their restored copies."""

    vault: Vault
    root: Path


@pytest.fixture(scope="module")
def house(tmp_path_factory, write_folder: Callable[..., Path]) -> House:
    return built(tmp_path_factory.mktemp("house"), write_folder, "lsp")


def built(root: Path, write_folder: Callable[..., Path], method: str) -> House:
    vault = create_folder(root / "vault", plain_key_file=True)
    source = write_folder(root / "source", classes=3, each=4, side=48)
    for who in ("alice", "bob"):
        _, key = vault.add_recipient(who)
        steps = protect(
            vault,
            who,
            labelled_items(source),
            root / f"protected-{who}",
            name=who,
            source=str(source),
            config=ProtectConfig(method),
        )
        assert not finish(steps).outcome.failures
        items = image_items(root / f"protected-{who}")
        finish(restore_licensed(items, None, root / f"licensed-{who}", key))
    vault.add_recipient("carol")
    return House(vault, root)


def run(house: House, path: Path, **options) -> ExtractSummary:
    return finish(extract(house.vault, suspect_items(path), **options))


def dim(image: Image.Image) -> Image.Image:
    return image.point(lambda v: v // 2 + 30)


def changed(source: Path, target: Path, change: Callable, suffix: str, **options):
    """Copy a folder, every image changed, under names that say nothing."""
    target.mkdir()
    for number, item in enumerate(image_items(source)):
        image = change(Image.open(item.path))
        image.save(target / f"{number:03}{suffix}", **options)
    return target


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("tier", ["protected", "licensed"])
def test_exact_copies_name_their_recipient(house, who, tier):
    summary = run(house, house.root / f"{tier}-{who}")
    assert (summary.decision, summary.named) == ("match", who)
    assert summary.evidence.p_value < 1e-20
    assert summary.evidence.recipients_tested == 3
    assert summary.evidence.best_innocent_p > FALSE_ACCUSATION
    for suspect in summary.suspects:
        assert suspect.exact
        assert suspect.state == tier
        assert suspect.distance == 0
        assert suspect.used


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("tier", ["protected", "licensed"])
@pytest.mark.parametrize(
    ("what", "change", "suffix", "options"),
    [
        ("jpeg", lambda i: i, ".jpg", {"quality": 80}),
        ("turn", lambda i: i.transpose(Image.Transpose.ROTATE_90), ".png", {}),
        ("mirror", lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT), ".bmp", {}),
        ("gray", lambda i: i.convert("L"), ".png", {}),
        ("larger", lambda i: i.resize((75, 75)), ".png", {}),
        ("dim", dim, ".png", {}),
        ("wavelets", dim, ".jp2", {}),
        ("for print", lambda i: dim(i).convert("RGB").convert("CMYK"), ".tif", {}),
    ],
)
def test_changed_copies_name_their_recipient(
    house, tmp_path, who, tier, what, change, suffix, options
):
    leak = changed(
        house.root / f"{tier}-{who}", tmp_path / "leak", change, suffix, **options
    )
    summary = run(house, leak)
    assert (summary.decision, summary.named) == ("match", who)
    matched = [s for s in summary.suspects if s.image_id is not None]
    assert len(matched) >= 10
    assert not any(suspect.exact for suspect in matched)


@pytest.fixture(scope="module", params=["undo", "offset", "samples"])
def invertible(request, tmp_path_factory, write_folder, toys) -> House:
    """The same with an invertible method, whose records lead back in this way."""
    root = tmp_path_factory.mktemp("house")
    return built(root, write_folder, toys[request.param].info.name)


@pytest.mark.parametrize("tier", ["protected", "licensed"])
@pytest.mark.parametrize(
    ("change", "suffix", "options"),
    [
        (lambda i: i, ".png", {}),
        (lambda i: i, ".jpg", {"quality": 85}),
        (lambda i: i.transpose(Image.Transpose.ROTATE_90), ".png", {}),
    ],
)
def test_copies_made_by_invertible_methods_name_their_recipient(
    invertible, tmp_path, tier, change, suffix, options
):
    for who in ("alice", "bob"):
        source, leak = invertible.root / f"{tier}-{who}", tmp_path / who
        summary = run(invertible, changed(source, leak, change, suffix, **options))
        assert (summary.decision, summary.named) == ("match", who)
        matched = [s for s in summary.suspects if s.image_id is not None]
        assert len(matched) == 12


def test_the_originals_of_an_invertible_method_accuse_nobody(invertible, tmp_path):
    jpeg = changed(invertible.root / "source", tmp_path / "j", lambda i: i, ".jpg")
    summary = run(invertible, jpeg)
    assert summary.named is None
    assert summary.evidence.images == 12


def test_copies_whose_records_hold_no_change_are_compared_with_the_release(
    tmp_path, write_folder, toys
):
    house = built(tmp_path, write_folder, toys["samples"].info.name)
    leak = changed(
        house.root / "protected-bob", tmp_path / "leak", lambda i: i, ".jpg", quality=95
    )
    found = run(house, leak)
    assert found.named == "bob"
    assert {suspect.state for suspect in found.suspects} == {"protected"}
    assert max(suspect.distance for suspect in found.suspects) < 4
    (house.root / "protected-bob").rename(tmp_path / "gone")
    found = run(house, leak)
    without = [s.sample_id for s in found.suspects if s.state != "protected"]
    assert len(without) == sum(_holds_samples(house, "bob"))
    assert len(without) > 3
    assert run(house, tmp_path / "gone").named == "bob"  # its pixels are known


def _holds_samples(house: House, who: str) -> list[bool]:
    person = house.vault.recipient(who)
    key = house.vault.recipient_key(person)
    ledger = house.vault.ledger
    (release,) = [r for r in ledger.releases() if r.recipient_id == person.id]
    envelopes = [records.unpack(r.blob) for r in ledger.records(release.id)]
    parts = [records.open_recipient(e, key.key, key.key_id) for e in envelopes]
    return [part.content[0] == reversal.BySamples.code for part in parts]


def test_every_suspect_is_matched_to_its_own_original(house, tmp_path):
    leak = tmp_path / "leak"
    for item in image_items(house.root / "protected-alice"):
        path = leak / (item.output + ".jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(item.path).save(path, quality=85)
    for suspect in run(house, leak).suspects:
        assert suspect.original.endswith(suspect.sample_id.replace(".jpg", ".png"))
        assert suspect.state == "protected"


def test_rows_of_originals_are_read_once(house, tmp_path, monkeypatch):
    def blurred(image):
        return image.filter(ImageFilter.GaussianBlur(0.6))

    suspects = changed(
        house.root / "protected-bob", tmp_path / "found", blurred, ".png"
    )
    first = run(house, suspects)
    ledger = type(house.vault.ledger)
    counted, whole = ledger._counted, []

    def noted(self, table, *rest):
        yield from counted(self, table, *rest)
        whole.append(table)  # whoever stops before has not read all

    monkeypatch.setattr(ledger, "_counted", noted)
    again = run(house, suspects)
    assert "images" not in whole
    assert again.named == first.named == "bob"
    assert [one.image_id for one in again.suspects] == [
        one.image_id for one in first.suspects
    ]


def test_copies_of_another_vault_say_so_and_are_no_evidence(
    house, tmp_path, write_folder
):
    source = write_folder(tmp_path / "others", classes=2, each=1)
    with create_folder(tmp_path / "other", plain_key_file=True) as theirs:
        theirs.add_recipient("carl")
        finish(
            protect(
                theirs,
                "carl",
                labelled_items(source),
                tmp_path / "copies",
                name="carl",
                source=str(source),
                config=ProtectConfig("lsp"),
            )
        )
        other = theirs.vault_id
    found = finish(extract(house.vault, image_items(tmp_path / "copies")))
    assert found.named is None
    assert found.other_vaults == {other: 2}
    assert f"vault {other} made 2 of them; this is another" in found.verdict()
    assert found.to_dict()["other_vaults"] == {other: 2}


def test_unrelated_photos_match_nothing(house, tmp_path, photos):
    for name in ("rocket", "flower", "galaxies"):
        Image.fromarray(photos[name]).save(tmp_path / f"{name}.png")
    summary = run(house, tmp_path)
    assert (summary.decision, summary.named) == ("no-match", None)
    assert summary.evidence.images == 0
    assert summary.evidence.p_value == 1
    assert "say nothing about any recipient" in summary.verdict()
    assert all(s.reason for s in summary.suspects)


def test_the_originals_themselves_accuse_nobody(house, tmp_path):
    jpeg = changed(house.root / "source", tmp_path / "j", lambda i: i, ".jpg")
    blur = changed(
        house.root / "source",
        tmp_path / "b",
        lambda i: i.filter(ImageFilter.GaussianBlur(1)),
        ".png",
    )
    for folder in (house.root / "source", jpeg, blur):
        summary = run(house, folder)
        assert summary.decision == "no-match"
        assert summary.named is None
        assert summary.evidence.p_value > FALSE_ACCUSATION
        itself = folder == house.root / "source"
        assert summary.themselves == (12 if itself else 0)
        assert ("the originals themselves" in summary.verdict()) == itself
        for row in summary.to_dict()["per_image"]:
            assert (row["state"] == "original") == row["exact"] == itself


def test_an_original_in_another_container_is_itself(house, tmp_path):
    """And beside a copy of it, that is one."""
    item = image_items(house.root / "source")[0]
    Image.open(item.path).save(tmp_path / "itself.bmp")
    copy = image_items(house.root / "licensed-alice")[0]
    shutil.copy(copy.path, tmp_path / f"copy{Path(copy.path).suffix}")
    found = {one.sample_id: one for one in run(house, tmp_path).suspects}
    itself, other = found.pop("itself.bmp"), found.popitem()[1]
    assert (itself.state, itself.exact, itself.distance) == ("original", True, 0.0)
    assert (other.state, other.exact) == ("licensed", True)
    assert itself.image_id == other.image_id


def test_a_release_that_was_cut_off_at_once_is_named(tmp_path, write_folder):
    vault = create_folder(tmp_path / "vault", plain_key_file=True)
    source = write_folder(tmp_path / "source", classes=2, each=2, side=48)
    vault.add_recipient("alice")
    with pytest.raises(InputError, match="Nothing was protected"):
        finish(extract(vault, image_items(source)))
    steps = protect(
        vault,
        "alice",
        labelled_items(source),
        tmp_path / "out",
        name="spring",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    next(steps)
    steps.close()
    with pytest.raises(InputError, match=r"Release spring was cut off .* goes on"):
        finish(extract(vault, image_items(source)))


def test_one_original_counts_once(house, tmp_path):
    """A thousand versions of one image must not add up to a proof."""
    item = image_items(house.root / "licensed-alice")[0]
    image = Image.open(item.path)
    for quality in range(60, 96, 3):
        image.save(tmp_path / f"{quality}.jpg", quality=quality)
    image.save(tmp_path / "exact.bmp")
    image.save(tmp_path / "exact again.png")
    summary = run(house, tmp_path)
    assert len(summary.suspects) == 14
    assert summary.evidence.images == 1
    assert summary.evidence.energy < 1
    assert [s.sample_id for s in summary.suspects if not s.used] == ["exact.bmp"]
    (image_id,) = summary.joined
    assert summary.joined == {image_id: 13}
    alone = tmp_path / "alone"
    alone.mkdir()
    image.save(alone / "exact.png")
    one = run(house, alone).evidence
    assert summary.evidence.z == pytest.approx(one.z, rel=0.05)


def test_parts_of_one_original_are_joined(house, tmp_path):
    item = image_items(house.root / "licensed-alice")[0]
    image = Image.open(item.path)
    for name, quality in (("a", 30), ("b", 20)):
        image.save(tmp_path / f"{name}.jpg", quality=quality)
    found = run(house, tmp_path)
    told = found.to_dict()
    assert (told["images_used"], told["originals_joined"]) == (1, 1)
    assert [row["joined"] for row in told["per_image"]] == [2, 2]
    for suspect in found.used:
        assert found.sources(suspect) in ([], ["alice"])


def test_suspects_of_one_original_are_told_apart(tmp_path, write_folder):
    house = built(tmp_path / "house", write_folder, "lsp")  # that nobody looked at yet
    leak = tmp_path / "leak"
    leak.mkdir()
    for who in ("alice", "bob"):
        items = image_items(house.root / f"licensed-{who}")
        for number, item in enumerate(items):
            shutil.copy(item.path, leak / f"{who}-{number}{Path(item.path).suffix}")
    summary = run(house, leak)
    assert sorted(summary.all_named) == ["alice", "bob"]
    assert len(summary.joined) == summary.evidence.images == 12
    told = {s.sample_id: summary.sources(s) for s in summary.suspects}
    for name, people in told.items():
        assert people in ([], [name.split("-")[0]]), name
    assert sum(map(bool, told.values())) >= 20


def test_all_culprits_of_a_mixed_leak_are_named(tmp_path, write_folder):
    house = built(tmp_path / "house", write_folder, "lsp")  # that nobody looked at yet
    leak = tmp_path / "leak"
    leak.mkdir()
    folders = [house.root / f"protected-{who}" for who in ("alice", "bob")]
    taken = [image_items(folder) for folder in folders]
    for number, (hers, his) in enumerate(zip(*taken, strict=True)):
        Image.open((hers if number < 8 else his).path).save(leak / f"{number:02}.png")
    summary = run(house, leak)
    assert summary.all_named == ["alice", "bob"]
    found = summary.to_dict()
    assert [one["recipient"] for one in found["culprits"]] == ["alice", "bob"]
    assert [one["images"] for one in found["culprits"]] == [8, 4]
    assert [row["from"] for row in found["per_image"]] == [["alice"]] * 8 + [
        ["bob"]
    ] * 4
    assert "alice" in summary.verdict()
    assert "bob" in summary.verdict()
    assert found["best_innocent_p"] > 1e-3  # carol's, or a decoy's


def test_looks_are_noted_and_paid_for(vault, tmp_path, write_folder):
    source = write_folder(tmp_path / "source", side=48)
    steps = protect(
        vault,
        "bob",
        labelled_items(source),
        tmp_path / "out",
        name="r",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    finish(steps)
    house = House(vault, tmp_path)
    items = image_items(tmp_path / "out")
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(items[0].path, few / "a.png")
    first = run(house, tmp_path / "out")
    assert (first.look.number, first.earlier_looks) == (1, [])
    assert run(house, tmp_path / "out").to_dict() == first.to_dict()
    chosen = run(house, few)
    assert chosen.look.number == 2
    assert len(chosen.earlier_looks) == 1
    assert chosen.evidence.log_ways > first.evidence.log_ways
    assert run(house, few).to_dict() == chosen.to_dict()
    assert [look.number for look in list_looks(vault)] == [1, 2]
    assert set(list_looks(vault)[1].images) == {chosen.suspects[0].image_id}
    vault.add_recipient("late")
    later = run(house, few)
    assert later.look.number == 3
    assert later.evidence.log_ways > chosen.evidence.log_ways
    assert run(house, few).to_dict() == later.to_dict()


def test_a_single_file_is_a_suspect(house):
    path = image_items(house.root / "protected-bob")[0].path
    summary = run(house, Path(path))
    assert len(summary.suspects) == 1
    assert summary.recipient == "bob"


def test_files_that_can_not_be_read_are_counted_beside_the_rest(house, tmp_path):
    leak = tmp_path / "leak"
    shutil.copytree(house.root / "protected-alice", leak)
    (leak / "text.png").write_text("no image")
    summary = run(house, leak)
    assert summary.named == "alice"
    assert [f.sample_id for f in summary.outcome.failures] == ["text.png"]


def test_a_damaged_record_hides_nothing(house, tmp_path):
    leak = tmp_path / "leak"
    leak.mkdir()
    for item in image_items(house.root / "protected-alice"):
        data = bytearray(Path(item.path).read_bytes())
        data[data.index(b"reUE") + 20] ^= 1
        (leak / item.output.replace("/", "-")).with_suffix(".png").write_bytes(data)
    assert run(house, leak).named == "alice"


def test_moved_originals_are_taken_from_the_release_or_a_folder(
    vault, tmp_path, write_folder
):
    source = write_folder(tmp_path / "source", side=64)
    steps = protect(
        vault,
        "bob",
        labelled_items(source),
        tmp_path / "out",
        name="r",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    finish(steps)
    house = House(vault, tmp_path)
    leak = changed(tmp_path / "out", tmp_path / "leak", lambda i: i, ".jpg", quality=90)
    source.rename(tmp_path / "moved")
    assert run(house, leak).named == "bob"
    (tmp_path / "out").rename(tmp_path / "gone")
    summary = run(house, leak)
    assert summary.named == "bob"
    assert summary.unaided > 0
    assert all("--originals FOLDER" in one.reason for one in summary.suspects)
    summary = run(house, leak, originals_folder=tmp_path / "moved")
    assert summary.named == "bob"
    assert summary.unaided == 0


def test_an_empty_vault_is_named(vault, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="Nothing was protected"):
        run(House(vault, tmp_path), tmp_path / "a.png")


def test_odd_suspects_do_no_harm(house, tmp_path):
    draw = np.random.default_rng(0)
    images = {
        "dot": np.zeros((1, 1, 3), np.uint8),
        "flat": np.full((64, 64, 3), 128, np.uint8),
        "line": draw.integers(0, 256, (1, 500, 3)).astype(np.uint8),
        "noise": draw.integers(0, 256, (99, 101, 4)).astype(np.uint8),
    }
    for name, samples in images.items():
        Image.fromarray(samples).save(tmp_path / f"{name}.png")
    Image.fromarray(draw.integers(0, 65536, (40, 40)).astype(np.uint16)).save(
        tmp_path / "deep.png"
    )
    summary = run(house, tmp_path)
    assert summary.decision == "no-match"
    assert len(summary.suspects) == 5
    assert not summary.outcome.failures


@pytest.mark.parametrize(
    ("z", "words"),
    [(0.5, "these images point to nobody"), (4.0, "about 5 more images like these")],
)
def test_no_decision_says_what_would_make_one(house, z, words):
    evidence = weigh([], {})
    more = 5 if z > 2 else None
    evidence = replace(evidence, recipient_id="r", z=z, images=3, more_images=more)
    suspect = Suspect("a", "a", image_id="i")
    summary = ExtractSummary(evidence, "alice", [suspect], Outcome(), {})
    assert words in summary.verdict()
    assert summary.verdict().startswith("No decision from 3 originals")
    alone = replace(summary, evidence=replace(evidence, images=1))
    assert alone.verdict().startswith("No decision from 1 original:")
    assert summary.to_dict()["recipient"] is None
    assert summary.to_dict()["best_candidate"] == "alice"


@pytest.mark.parametrize(
    ("more", "words"), [(None, "(--originals FOLDER)."), (3, "about 3 more images")]
)
def test_look_alikes_say_what_would_tell_more(more, words):
    evidence = replace(weigh([], {}), recipient_id="r", more_images=more)
    alike = Suspect("a", "a", image_id="i", marked=False, unaided=True)
    verdict = ExtractSummary(evidence, "alice", [alike], Outcome(), {}).verdict()
    assert "no mark is read from any by itself" in verdict
    assert words in verdict
    assert "alice" not in verdict


@pytest.mark.parametrize(
    ("z", "ways", "said"), [(8.0, 30.0, True), (2.0, 30.0, False), (8.0, 2.0, False)]
)
def test_a_verdict_says_if_only_earlier_looks_stand_in_its_way(z, ways, said):
    evidence = replace(
        weigh([], {}), recipient_id="r", z=z, energy=10.0, log_ways=ways, images=2
    )
    decided = evidence.chance(z) <= FALSE_ACCUSATION
    assert decided == (z == 8.0 and ways == 2.0)
    suspect = Suspect("a", "a", image_id="i")
    earlier = [Look(1, 0.0, {"i": "v"})]
    summary = ExtractSummary(
        evidence, "alice", [suspect], Outcome(), {}, earlier_looks=earlier
    )
    told = "It is look number 2: as the first one it would name somebody"
    assert (told in summary.verdict()) == (said or decided)
    assert "alice" not in summary.verdict()


def test_the_verdict_for_machines(house):
    found = run(house, house.root / "protected-alice").to_dict()
    assert found["decision"] == "match"
    assert found["recipient"] == "alice"
    assert found["images_used"] == found["images_matched"] == 12
    assert found["recipients_tested"] == 3
    assert 0 < found["p_value"] < 1e-6 < found["best_innocent_p"] <= 1
    assert len(found["per_image"]) == 12
    for image in found["per_image"]:
        assert image["matched"]
        assert len(image["payload"]) == 8
    assert "alice" in found["verdict"]
    assert "not who leaked it" in found["verdict"]


def test_code_bits_read_are_those_that_were_written(house):
    """The payload in the report is the recipient's own code on that image."""
    seed = house.vault.code_seed(house.vault.recipient("bob"))
    for suspect in run(house, house.root / "protected-bob").suspects:
        wanted = codes.code_bytes(seed, suspect.image_id, 32)
        read = bytes.fromhex(suspect.payload)
        wrong = sum((a ^ b).bit_count() for a, b in zip(wanted, read, strict=True))
        assert wrong <= 1
