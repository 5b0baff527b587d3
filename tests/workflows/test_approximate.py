"""What a recipient gets who asks for something near the licensed copy."""

import io
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fiftyone_reue import cli
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import EditedImageError, InputError, RevokedKeyError
from fiftyone_reue.media import alpha
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.perturb import registry
from fiftyone_reue.perturb.raeg import method as raeg
from fiftyone_reue.perturb.tap import method as tap
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault import records
from fiftyone_reue.vault.key_files import write_key_file
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.approximate import (
    Approximation,
    Delivered,
    by_delivered,
    described,
)
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed

METHODS = ["rue", "lsp", "toy", "toy_lost", "toy_wild"]
"""With tables; with patterns; and the ways "undo", "offset" and "samples"."""


@dataclass(frozen=True)
class House:
    """Alice's release, restored exactly, and a folder for what was made of it."""

    vault: Vault
    protected: Path
    licensed: Path
    edited: Path

    @property
    def root(self) -> Path:
        return self.edited.parent

    def names(self) -> list[str]:
        return [item.output for item in image_items(self.protected)]

    def delivered(self, name: str):
        return load(self.protected / f"{name}.png")

    def truth(self, name: str) -> np.ndarray:
        return load(self.licensed / f"{name}.png").raster.samples

    def put(self, name: str, samples: np.ndarray, record: bytes | None) -> None:
        """A file with other pixels, by a program that may have kept the record."""
        path = self.edited / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(Raster(samples, "PNG"), "PNG", record))

    def put_jpeg(self, name: str, quality: int) -> np.ndarray:
        path = self.edited / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(self.delivered(name).raster.samples)
        image.save(path, quality=quality)
        return load(path).raster.samples

    def restore(self, who: str = "alice", *, known: bool = False, **options):
        """Asked for an approximation, unless it is said otherwise."""
        if known:
            options["records"] = self.protected
        return finish(
            restore_licensed(
                image_items(self.edited),
                self.edited,
                self.root / "out",
                self.vault.recipient_key(self.vault.recipient(who)),
                **{"approximate": True, **options},
            )
        )

    def result(self, name: str) -> np.ndarray:
        found = load(self.root / "out" / f"{name}.approximate.png")
        assert found.record is None
        return found.raster.samples


@pytest.fixture(scope="module")
def releases(tmp_path_factory, write_folder, toys) -> Callable[[str], House]:
    """A release of a method, made once."""
    made: dict[str, House] = {}

    def release(method: str) -> House:
        if method not in made:
            root = tmp_path_factory.mktemp(method)
            made[method] = _released(root, write_folder, method)
        return made[method]

    return release


@pytest.fixture
def house(releases, tmp_path) -> Callable[[str], House]:
    """A release of a method, with an empty folder for files made from it."""
    return lambda method: replace(releases(method), edited=tmp_path / "edited")


def _released(root: Path, write_folder, method: str) -> House:
    source = write_folder(root / "source", classes=2, each=1, side=80)
    if method == "toy_wild":  # or it would be told by less than its samples
        for path in source.rglob("*.png"):
            rows, columns = np.indices((80, 80))
            ramp = ((rows * 5 + columns * 3) % 256).astype(np.uint8)
            Image.fromarray(np.stack([ramp] * 3, 2)).save(path)
    vault = create_folder(root / "vault", plain_key_file=True)
    for who in ("alice", "bob"):
        vault.add_recipient(who)
    steps = protect(
        vault,
        "alice",
        labelled_items(source),
        root / "protected",
        name=method,
        source=str(source),
        config=ProtectConfig(method),
    )
    assert not finish(steps).outcome.failures
    made = House(vault, root / "protected", root / "licensed", root / "edited")
    key = vault.recipient_key(vault.recipient("alice"))
    items = image_items(made.protected)
    summary = finish(restore_licensed(items, None, made.licensed, key))
    assert summary.outcome.done == 2
    return made


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.square(one.astype(float) - other).mean()
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


def reasons(summary) -> list[str]:
    return [failure.reason for failure in summary.outcome.failures]


def scribbled(samples: np.ndarray) -> np.ndarray:
    """With a white bar over a corner."""
    edited = samples.copy()
    edited[5:15, 5:45] = 250
    return edited


@pytest.mark.unit
@pytest.mark.parametrize("method", METHODS)
def test_edited_pixels_with_their_record(house, method):
    there = house(method)
    name = there.names()[0]
    loaded = there.delivered(name)
    edited = scribbled(loaded.raster.samples)
    there.put(name, edited, loaded.record)
    (reason,) = reasons(there.restore(approximate=False))
    assert "The pixels aren't those that the record was made for" in reason
    assert "or ask for an approximation with --approximate" in reason
    assert not list((there.root / "out").rglob("*.*"))

    summary = there.restore()
    assert (summary.outcome.done, summary.outcome.failures) == (0, [])
    (close,) = summary.approximations
    assert close.sample_id == f"{name}.png"
    assert close.output == f"{name}.approximate.png"
    result, truth = there.result(name), there.truth(name)
    outside = np.ones(truth.shape[:2], bool)
    outside[5:15] = False
    if method == "toy_wild":
        assert close.exact
        assert np.array_equal(result, truth)
        assert (close.psnr, close.psnr_before) == (
            99.0,
            pytest.approx(psnr(edited, truth), abs=0.01),
        )
        assert "1 image is the licensed copy itself" in described([close])
        return
    assert close == Approximation(f"{name}.png", close.output, None, None)
    assert "can't be known without" in described([close])
    if method in ("lsp", "toy_lost"):
        railed = (edited == 0) | (edited == 255)
        assert np.array_equal(
            result[outside][~railed[outside]], truth[outside][~railed[outside]]
        )
    before = psnr(loaded.raster.samples[outside], truth[outside])
    assert psnr(result[outside], truth[outside]) > before + 6

    again = there.restore()
    assert again.approximations == summary.approximations
    assert (again.outcome.done, again.outcome.skipped) == (0, 0)


@pytest.mark.unit
@pytest.mark.parametrize("quality", [75, 90])
@pytest.mark.parametrize("method", METHODS)
def test_a_jpeg_beside_the_release_as_delivered(house, method, quality):
    there = house(method)
    name = there.names()[1]
    jpeg = there.put_jpeg(name, quality)
    for options, said in (
        ({"approximate": False}, "--approximate and --records"),
        ({}, "give the release as it was delivered"),
    ):
        (reason,) = reasons(there.restore(**options))
        assert "holds no record" in reason
        assert said in reason
        assert not list((there.root / "out").rglob("*.*"))
    (close,) = there.restore(known=True).approximations
    result, truth = there.result(name), there.truth(name)
    assert close.psnr == pytest.approx(psnr(result, truth), abs=0.01)
    assert close.psnr_before == pytest.approx(psnr(jpeg, truth), abs=0.01)
    assert not close.exact
    if quality == 90 and method != "toy":  # whose noise JPEG takes away itself
        assert close.psnr > close.psnr_before
    assert f"is {close.psnr:.1f} dB, without the approximation" in described([close])


@pytest.mark.unit
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_a_crop(house, method, kept):
    there = house(method)
    name = there.names()[0]
    loaded = there.delivered(name)
    crop = np.ascontiguousarray(loaded.raster.samples[13:73, 8:68])
    there.put(name, crop, loaded.record if kept else None)
    (reason,) = reasons(there.restore())
    assert "(--records)" in reason
    (close,) = there.restore(known=True).approximations
    truth = there.truth(name)[13:73, 8:68]
    # Nothing but the place changed, so what is left is the licensed copy's.
    assert np.array_equal(there.result(name), truth)
    assert close.psnr == 99
    assert close.psnr_before == pytest.approx(psnr(crop, truth), abs=0.01)


@pytest.mark.unit
@pytest.mark.parametrize("method", ["rue", "toy"])
def test_what_can_be_exact_is_exact(house, method):
    there = house(method)
    one, other = there.names()
    loaded = there.delivered(one)
    there.put(one, loaded.raster.samples, loaded.record)
    there.put(other, there.delivered(other).raster.samples, None)
    summary = there.restore(known=True)
    assert (summary.outcome.done, summary.approximations) == (2, [])
    for name in (one, other):
        ours = load(there.root / "out" / f"{name}.png")
        exact = load(there.licensed / f"{name}.png")
        assert np.array_equal(ours.raster.samples, exact.raster.samples)
        assert ours.record == exact.record


@pytest.mark.unit
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("method", ["rue", "toy_wild"])
def test_wrong_keys_and_edited_records_fail(house, method, known):
    there = house(method)
    name = there.names()[0]
    loaded = there.delivered(name)
    edited = scribbled(loaded.raster.samples)
    there.put(name, edited, loaded.record)
    (reason,) = reasons(there.restore("bob", known=known))
    assert "Wrong key" in reason
    whole = records.unpack(loaded.record)
    flipped = bytes([whole.recipient_box[0] ^ 1]) + whole.recipient_box[1:]
    for spoilt in (
        replace(whole, recipient_box=flipped),
        replace(whole, owner_box=whole.owner_box[:-1]),
        replace(whole, header=replace(whole.header, digest=bytes(32))),
    ):
        there.put(name, edited, spoilt.pack())
        (reason,) = reasons(there.restore(known=known))
        assert "edited or damaged" in reason
    there.put(name, edited, loaded.record[:-3])
    (reason,) = reasons(there.restore(known=known))
    assert "damaged" in reason
    if known:
        there.put(name, edited, None)
        (reason,) = reasons(there.restore("bob", known=True))
        assert "Wrong key" in reason
        assert str(there.protected) in reason
    assert not list((there.root / "out").rglob("*.*"))


@pytest.mark.unit
def test_a_file_that_does_not_match_is_refused(house):
    there = house("lsp")
    one, other = there.names()
    samples = there.delivered(other).raster.samples
    there.put(one, samples, None)
    (reason,) = reasons(there.restore(known=True))
    assert "doesn't match the one as delivered (correlation 0." in reason
    there.put(one, np.ascontiguousarray(samples[:40, :40]), None)
    (reason,) = reasons(there.restore(known=True))
    assert "doesn't match" in reason
    there.put(one, np.pad(samples, ((0, 1), (0, 0), (0, 0))), None)
    (reason,) = reasons(there.restore(known=True))
    assert "80 x 81 pixels, the one as delivered 80 x 80" in reason
    there.put(one, samples[..., :1].copy(), None)
    (reason,) = reasons(there.restore(known=True))
    assert "gray" in reason
    # Another image's record tells of a pattern that isn't in this one.
    there.put(one, there.truth(one), there.delivered(one).record)
    (reason,) = reasons(there.restore())
    assert "can't be found in it" in reason


@pytest.mark.unit
def test_what_is_delivered_must_restore_exactly(house):
    there = house("lsp")
    one, _ = there.names()
    there.put_jpeg(one, 90)
    for spoil, said in (
        (lambda file: Image.open(file).save(file), "holds no record either"),
        (
            lambda file: shutil.copy(there.licensed / f"{one}.png", file),
            "restored already",
        ),
    ):
        folder = there.root / "spoilt"
        shutil.copytree(there.protected, folder, dirs_exist_ok=True)
        spoil(folder / f"{one}.png")
        (reason,) = reasons(there.restore(records=folder))
        assert said in reason


@pytest.mark.unit
def test_files_as_delivered_are_found_by_path_then_name_then_alone(tmp_path):
    for name in ("a/0.png", "b/0.png", "b/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (9, 9)).save(tmp_path / name)
    found = Delivered(tmp_path)

    def names(output: str, path: str) -> list[str]:
        made = found.candidates(Item(path, path, None, output))
        return [item.sample_id for item in made]

    assert names("b/0", "b/0.jpg") == ["b/0.png"]
    assert names("0", "0.jpg") == ["a/0.png", "b/0.png"]
    assert names("x/1", "x/1.webp") == ["b/1.png"]
    assert names("z", "z.png") == []
    alone = Delivered(tmp_path / "b" / "1.png")
    assert [i.output for i in alone.candidates(Item("z", "z.png", None, "z"))] == ["1"]
    with pytest.raises(InputError, match="no such file or folder"):
        Delivered(tmp_path / "none")


@pytest.mark.unit
def test_names_that_do_not_tell(house):
    there = house("lsp")
    one, other = there.names()
    shutil.copytree(there.protected / Path(one).parent, there.root / "two" / "x")
    shutil.copytree(there.protected / Path(other).parent, there.root / "two" / "y")
    there.put("0", there.delivered(one).raster.samples[1:].copy(), None)
    (reason,) = reasons(there.restore(records=there.root / "two"))
    assert "has 2 files of its name" in reason
    there.put(
        "0", scribbled(there.delivered(one).raster.samples), there.delivered(one).record
    )
    (close,) = there.restore(records=there.root / "two").approximations
    assert close.psnr is not None
    (there.edited / "0.png").unlink()
    there.put("z", there.delivered(other).raster.samples[1:].copy(), None)
    summary = there.restore(records=there.root / "two" / "y" / "0.png")
    assert summary.approximations[0].psnr == 99


@pytest.mark.unit
def test_a_file_with_a_record_of_its_own_takes_no_other(house):
    there = house("lsp")
    one, other = there.names()
    loaded = there.delivered(one)
    there.put(one, scribbled(loaded.raster.samples), loaded.record)
    (close,) = there.restore(records=there.protected / f"{other}.png").approximations
    assert close.psnr is None


@pytest.mark.unit
def test_records_need_the_flag_and_a_key_that_holds(house, tmp_path):
    there = house("lsp")
    there.put_jpeg(there.names()[0], 90)
    with pytest.raises(InputError, match="--approximate"):
        there.restore(known=True, approximate=False)
    folder = tmp_path / "delivered"
    shutil.copytree(there.protected, folder)
    mark = folder / manifest.NAME
    mark.write_text(mark.read_text().replace('"revoked_at": null', '"revoked_at": 1.0'))
    with pytest.raises(RevokedKeyError):
        there.restore(records=folder)


@pytest.mark.unit
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_depths_and_alpha(photos, channels):
    draw = np.random.default_rng(0)
    gray = photos["cat"].mean(axis=2).astype(np.uint16)
    licensed = np.stack([gray] * channels, 2) * 257
    colours = 1 if channels <= 2 else 3
    protected = licensed.copy()
    moved = licensed[..., :colours] + draw.integers(-8, 9, gray.shape)[..., None] * 257
    protected[..., :colours] = moved.clip(0, 65535)
    shallow = (protected // 257).astype(np.uint8)[10:70, 20:90]
    whole = Raster(protected, "PNG")
    edited = Raster(np.ascontiguousarray(shallow[..., :colours]), "PNG")
    samples, truth = by_delivered(edited, whole, licensed)
    assert samples.dtype == np.uint8
    there = (licensed // 257)[10:70, 20:90]
    assert np.array_equal(samples, there[..., :colours])
    assert np.array_equal(truth[..., :colours], there[..., :colours])
    deep = Raster(np.ascontiguousarray(protected[10:70, 20:90]), "PNG")
    eight = Raster((protected // 257).astype(np.uint8), "PNG")
    samples, _ = by_delivered(deep, eight, (licensed // 257).astype(np.uint8))
    assert np.array_equal(samples, licensed[10:70, 20:90])


@pytest.mark.unit
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("background", "cropped"),
    [
        *[(None, False), (0, False), (255, False), ((20, 120, 160), False)],
        *[(None, True), (0, True), (255, True)],  # of crops, no other is looked for
    ],
)
def test_flattened_copies_are_approximated(photos, background, bits, cropped):
    """Laid on a plain background and re-compressed, or alpha dropped."""
    draw = np.random.default_rng(0)
    unit = 1 if bits == 8 else 257
    y, x = np.mgrid[-1:1:96j, -1:1:128j]
    mask = np.rint(255 * np.clip(6 * (0.7 - x * x - y * y), 0, 1))
    licensed = np.dstack([photos["coffee"], mask]).astype(np.uint16) * unit
    licensed = licensed.astype(np.uint8 if bits == 8 else np.uint16)
    protected = licensed.copy()
    moved = licensed[..., :3] + draw.integers(-8, 9, (96, 128, 1)) * unit
    protected[..., :3] = moved.clip(0, 255 * unit)

    def seen(samples: np.ndarray) -> np.ndarray:
        if background is None:
            flat = samples[..., :3]
        else:
            flat = alpha.flattened(samples, 3, np.array(background) * unit)
        part = flat[20:70, 20:100] if cropped else flat
        return np.ascontiguousarray(part // unit).astype(np.uint8)

    file = io.BytesIO()
    Image.fromarray(seen(protected)).save(file, "JPEG", quality=95, subsampling=0)
    edited = Raster(np.asarray(Image.open(file)), "JPEG")
    samples, truth = by_delivered(edited, Raster(protected, "PNG"), licensed)
    assert samples.shape == edited.samples.shape
    assert np.abs(truth.astype(int) - seen(licensed)).max() <= 2
    before = np.square(edited.samples.astype(float) - truth).mean()
    assert np.square(samples.astype(float) - truth).mean() < before / 2


@pytest.mark.unit
def test_another_background_is_told():
    draw = np.random.default_rng(0)
    samples = draw.integers(0, 256, (40, 40, 4), np.uint8)
    samples[..., 3] = 255 * (np.indices((40, 40)).sum(axis=0) < 40)
    behind = draw.integers(0, 256, (40, 40, 3), np.uint8)
    flat = np.where(samples[..., 3:] > 0, samples[..., :3], behind)
    with pytest.raises(EditedImageError, match="background that isn't plain"):
        by_delivered(Raster(flat, "PNG"), Raster(samples, "PNG"), samples)


@pytest.mark.unit
def test_plain_images_of_one_size_need_not_correlate():
    licensed = np.full((32, 32, 3), 120, np.uint8)
    protected = licensed.copy()
    protected[::2] += 3
    edited = licensed + np.uint8(1)
    samples, _ = by_delivered(Raster(edited, "PNG"), Raster(protected, "PNG"), licensed)
    assert samples.mean() == pytest.approx(119.5)
    with pytest.raises(EditedImageError, match="doesn't match"):
        by_delivered(
            Raster(edited[:20].copy(), "PNG"), Raster(protected, "PNG"), licensed
        )
    with pytest.raises(EditedImageError, match="doesn't match"):
        by_delivered(
            Raster(edited + np.uint8(60), "PNG"), Raster(protected, "PNG"), licensed
        )


@pytest.mark.unit
def test_words():
    assert described([]) == ""
    known = Approximation("a", "a.approximate.png", 40.0, 30.0)
    said = described([known, replace(known, psnr=42.0), replace(known, psnr=None)])
    assert said.startswith("3 images are only approximate (*.approximate.png")
    assert "is 41.0 dB, without the approximation 30.0 dB (mean of 2)" in said
    assert "how close 1 image is can't be known" in said


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("method", ["raeg", "deep_hiding"])
def test_networks(method, tmp_path, write_folder, monkeypatch):
    from fiftyone_reue.invertible.weights import about_weights

    try:
        about_weights(method)
    except InputError:
        pytest.skip(f"there are no weights for {method} yet")
    if method == "raeg":
        monkeypatch.setitem(registry._METHODS, "raeg", _QuickRaeg)
    there = _released(tmp_path, write_folder, method)
    one, other = there.names()
    for quality in (75, 90):
        jpeg = there.put_jpeg(one, quality)
        (close,) = there.restore(known=True).approximations
        truth = there.truth(one)
        assert close.psnr_before == pytest.approx(psnr(jpeg, truth), abs=0.01)
        assert close.psnr > close.psnr_before
        shutil.rmtree(there.root / "out")
        # The network goes back alone, from the record, nearly as well.
        (there.edited / f"{one}.jpg").unlink()
        there.put(one, jpeg, there.delivered(one).record)
        (blind,) = there.restore().approximations
        assert blind.psnr is None
        assert psnr(there.result(one), truth) > close.psnr - 0.3
        (there.edited / f"{one}.png").unlink()
        shutil.rmtree(there.root / "out")
    crop = np.ascontiguousarray(there.delivered(other).raster.samples[9:70, 4:70])
    there.put(other, crop, None)
    (close,) = there.restore(known=True).approximations
    assert close.psnr == 99


class _QuickRaeg(raeg.Raeg):
    """Against one classifier that hardly learned anything."""

    def __init__(self) -> None:
        training = tap.TapConfig(epochs=1)
        names = ("small_resnet",)
        super().__init__(raeg.RaegConfig(surrogates=names, training=training))


@pytest.mark.unit
def test_the_command_line(house):
    there = house("rue")
    one, other = there.names()
    there.put_jpeg(one, 90)
    loaded = there.delivered(other)
    there.put(other, loaded.raster.samples, loaded.record)
    key = there.root / "alice.key"
    person = there.vault.recipient("alice")
    write_key_file(key, there.vault.recipient_key(person))
    words = ["restore", str(there.edited), str(there.root / "out"), "--key", str(key)]

    def run(*more: str):
        return CliRunner().invoke(cli.main, [*words, *more])

    exact = run()
    assert exact.exit_code == 1
    assert "Restored 1 licensed copy exactly, 0 were there, 1 failed" in exact.stdout
    assert "--approximate" in exact.stderr
    assert "only approximate" not in exact.stdout
    records = ["--approximate", "--records", str(there.protected)]
    near = run(*records)
    assert (near.exit_code, near.stderr) == (0, "")
    first, compared, second = near.stdout.splitlines()
    assert compared.startswith("There was no manifest.json in SRC or above")
    assert first == "Restored 0 licensed copies exactly, 1 was there, 0 failed"
    assert second.startswith("1 image is only approximate (*.approximate.png")
    told = json.loads(run(*records, "--json").stdout)
    assert (told["restored"], told["skipped"], told["failed"]) == (0, 1, 0)
    (close,) = told["approximate"]
    truth, jpeg = there.truth(one), load(there.edited / f"{one}.jpg").raster.samples
    assert close == {
        "sample_id": f"{one}.jpg",
        "output": f"{one}.approximate.png",
        "psnr": pytest.approx(psnr(there.result(one), truth), abs=0.01),
        "psnr_before": pytest.approx(psnr(jpeg, truth), abs=0.01),
        "exact": False,
    }
    assert close["psnr"] > close["psnr_before"] + 1

    for wrong in (["--records", str(there.protected)], ["--vault", "x", "--key", "y"]):
        assert run(*wrong).exit_code == 2
    owner = ["restore", "a", "b", "--vault", "v", "--approximate"]
    refused = CliRunner().invoke(cli.main, owner)
    assert refused.exit_code == 2
    assert "licensed copies" in refused.stderr
