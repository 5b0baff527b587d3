"""Images with transparent parts: marked where they are seen, traced as seen."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.demo import tiles as demo_tiles
from fiftyone_reue.media import alpha
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows import protect, protect_image
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from fiftyone_reue.workflows.restore import restore_licensed, restore_original

pytestmark = pytest.mark.unit

PEOPLE = ("alice", "bob", "carol")
BACKGROUNDS = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "gray": (128, 128, 128),
    "teal": (20, 120, 160),
    "dropped": None,
}


@dataclass(frozen=True)
class House:
    """A vault, a folder of cutouts, and three people's copies of them."""

    vault: Vault
    root: Path


def blob(side: int, draw: np.random.Generator, softness: float) -> np.ndarray:
    """An ellipse's alpha, ``(side, side)`` uint8."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    tall, wide = draw.uniform(0.5, 0.85, 2)
    inside = 1 - np.hypot((x - draw.uniform(-0.1, 0.1)) / wide, y / tall)
    return np.rint(255 * np.clip(0.5 + inside / softness, 0, 1)).astype(np.uint8)


def cutout(name: str, side: int, *, keep_hidden: bool) -> np.ndarray:
    """A part of a photograph with most of its surroundings transparent."""
    draw = np.random.default_rng([side, *name.encode()])
    photo = demo_tiles.load_photo(name).convert("RGB")
    room = min(photo.size)
    width = int(room * draw.uniform(0.6, 1))
    left, top = draw.integers(0, room - width + 1, 2)
    part = photo.crop((left, top, left + width, top + width))
    colours = np.asarray(part.resize((side, side), Image.Resampling.LANCZOS))
    mask = blob(side, draw, 0.02 if side % 64 else 0.3)
    samples = np.dstack([colours, mask])
    if not keep_hidden:
        samples[mask == 0] = 0
    return samples


def built(
    root: Path, write: Callable[[Path], None], people=PEOPLE, method="lsp"
) -> House:
    vault = create_folder(root / "vault", plain_key_file=True)
    write(root / "source")
    for who in people:
        _, key = vault.add_recipient(who)
        steps = protect.protect(
            vault,
            who,
            labelled_items(root / "source"),
            root / f"protected-{who}",
            name=who,
            source=str(root / "source"),
            config=ProtectConfig(method),
        )
        assert not finish(steps).outcome.failures
        items = image_items(root / f"protected-{who}")
        finish(restore_licensed(items, None, root / f"licensed-{who}", key))
    return House(vault, root)


def write_cutouts(source: Path) -> None:
    """Ten cutouts of three classes, in four sizes; half of them hide colours."""
    sizes = (64, 100, 160, 256)
    for number, name in enumerate(("astronaut", "coffee", "cat", "flower", "pagoda")):
        for place in range(2):
            side = sizes[(2 * number + place) % 4]
            samples = cutout(name, side, keep_hidden=place == 0)
            path = source / f"class{number % 3}" / f"{name}{side}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(samples).save(path)


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> House:
    return built(tmp_path_factory.mktemp("house"), write_cutouts)


def laid(image: Image.Image, colour: tuple[int, int, int] | None) -> Image.Image:
    """As other programs compose it; None drops alpha."""
    image = image.convert("RGBA")
    if colour is None:
        return image.convert("RGB")
    background = Image.new("RGBA", image.size, (*colour, 255))
    background.alpha_composite(image)
    return background.convert("RGB")


def leaked(
    source: Path,
    target: Path,
    change: Callable[[Image.Image], Image.Image],
    suffix: str = ".jpg",
    **options,
) -> Path:
    """A folder's images changed, under the names that they had."""
    for item in image_items(source):
        path = target / (item.output + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(item.path) as image:
            change(image).save(path, **options)
    return target


def found(house: House, leak: Path) -> ExtractSummary:
    return finish(extract(house.vault, suspect_items(leak)))


def right(summary: ExtractSummary) -> list[bool]:
    """Whether each suspect was matched to the original of its name."""
    return [
        suspect.original is not None
        and Path(suspect.original).stem == Path(suspect.sample_id).stem
        for suspect in summary.suspects
    ]


@pytest.mark.slow
@pytest.mark.parametrize("quality", [75, 90])
@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("tier", ["protected", "licensed"])
def test_flattened_copies_are_matched_and_name_their_recipient(
    house, tmp_path, tier, background, quality
):
    colour = BACKGROUNDS[background]
    for who in PEOPLE if quality == 75 else ("bob",):
        leak = leaked(
            house.root / f"{tier}-{who}",
            tmp_path / who,
            lambda image: laid(image, colour),
            quality=quality,
        )
        summary = found(house, leak)
        assert right(summary) == [True] * 10
        assert (summary.decision, summary.named) == ("match", who)
        assert summary.evidence.best_innocent_p > 1e-3
        assert sum(s.state == tier for s in summary.suspects) >= 9


@pytest.mark.slow
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_flattened_originals_name_nobody(house, tmp_path, background):
    colour = BACKGROUNDS[background]
    leak = leaked(
        house.root / "source", tmp_path / "leak", lambda image: laid(image, colour)
    )
    summary = found(house, leak)
    assert right(summary) == [True] * 10
    assert summary.named is None
    assert summary.evidence.p_value > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda i: laid(i, (255, 255, 255)).resize((120, 120), Image.Resampling.BICUBIC),
        lambda i: laid(i, (0, 0, 0)).transpose(Image.Transpose.ROTATE_90),
        lambda i: laid(i, (240, 220, 0)).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda i: laid(i, (255, 255, 255)).convert("L"),
        lambda i: laid(i, (255, 255, 255)).point(lambda v: v // 2 + 30),
    ],
    ids=["size", "turn", "mirror", "gray", "dim"],
)
def test_what_happens_to_a_flattened_copy_besides(house, tmp_path, change):
    leak = leaked(house.root / "protected-bob", tmp_path / "leak", change, quality=90)
    summary = found(house, leak)
    assert sum(right(summary)) >= 9
    assert summary.named == "bob"


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["protected", "licensed"])
def test_alpha_kept_but_what_it_hides_cleared(house, tmp_path, tier):
    """As some programs do on saving; also where the alpha channel was squeezed."""

    def cleared(image: Image.Image) -> Image.Image:
        samples = np.asarray(image).copy()
        samples[samples[..., 3] == 0] = (90, 200, 10, 0)
        return Image.fromarray(samples)

    leak = leaked(
        house.root / f"{tier}-bob", tmp_path / "leak", cleared, ".webp", quality=90
    )
    summary = found(house, leak)
    assert right(summary) == [True] * 10
    assert summary.named == "bob"


@pytest.mark.slow
def test_silhouettes_alone_match_nothing(house, tmp_path):
    """Other pictures cut out with the very same shapes."""
    draw = np.random.default_rng(0)
    sky = demo_tiles.load_photo("galaxies").convert("RGB")
    for item in image_items(house.root / "source"):
        samples = np.asarray(Image.open(item.path)).copy()
        left = int(draw.integers(0, 100))
        side = min(sky.size) - 100
        other = sky.crop((left, left, left + side, left + side))
        samples[..., :3] = np.asarray(other.resize(samples.shape[1::-1]))
        image = laid(Image.fromarray(samples), (255, 255, 255))
        image.save(tmp_path / f"{Path(item.path).stem}.jpg")
    summary = found(house, tmp_path)
    assert summary.evidence.images == 0
    assert summary.named is None


@pytest.mark.slow
def test_nothing_of_the_mark_is_where_nothing_is_seen(house):
    for who in PEOPLE:
        changed = 0
        for item in image_items(house.root / f"licensed-{who}"):
            licensed = load(item.path).raster.samples
            source = house.root / "source" / item.sample_id
            original = load(source).raster.samples
            hidden = original[..., 3] == 0
            assert np.array_equal(licensed[hidden], original[hidden])
            assert np.array_equal(licensed[..., 3], original[..., 3])
            changed += int((licensed != original).any(axis=2).sum())
        assert changed > 10_000


def test_the_perturbation_is_under_alpha_as_well(house):
    """Who drops alpha and trains on what it hid, trains on the perturbation."""
    for item in image_items(house.root / "protected-bob"):
        protected = load(item.path).raster.samples
        original = load(house.root / "source" / item.sample_id).raster.samples
        hidden = original[..., 3] == 0
        changed = (protected[hidden] != original[hidden]).any(axis=1)
        assert changed.mean() > 0.3


@pytest.mark.parametrize("tier", ["protected", "licensed"])
def test_originals_come_back_exactly(house, tmp_path, tier):
    items = image_items(house.root / f"{tier}-bob")
    summary = finish(restore_original(house.vault, items, tmp_path / "out"))
    assert summary.outcome.done == 10
    for item in image_items(tmp_path / "out"):
        restored = load(item.path).raster.samples
        original = load(house.root / "source" / item.sample_id).raster.samples
        assert np.array_equal(restored, original)


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> House:
    """Releases as they were made when the mark was everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        part = records.OwnerPart
        patch.setattr(
            protect_image.records,
            "OwnerPart",
            lambda *values, visible: part(*values, visible=False),
        )
        patch.setattr(protect_image.embed, "spared", lambda mark, *_: mark)
        root = tmp_path_factory.mktemp("before")
        return built(root, write_cutouts, ("alice", "bob"))


@pytest.mark.slow
def test_marks_were_everywhere_before(before):
    """Or the two tests below would say nothing."""
    item = image_items(before.root / "licensed-bob")[0]
    licensed = load(item.path).raster.samples
    original = load(before.root / "source" / item.sample_id).raster.samples
    hidden = original[..., 3] == 0
    assert (licensed[hidden] != original[hidden]).any()


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["protected", "licensed"])
def test_releases_made_before_restore_exactly(before, tmp_path, tier):
    test_originals_come_back_exactly(before, tmp_path, tier)


@pytest.mark.slow
@pytest.mark.parametrize("background", ["white", "dropped"])
def test_releases_made_before_are_traced_as_well(before, tmp_path, background):
    colour = BACKGROUNDS[background]
    leak = leaked(
        before.root / "protected-bob", tmp_path / "l", lambda image: laid(image, colour)
    )
    summary = found(before, leak)
    assert summary.named == "bob"
    assert right(summary) == [True] * 10


def in_gray_and_alpha(samples: np.ndarray) -> Raster:
    gray = np.rint(samples[..., :3].mean(axis=2)).astype(np.uint8)
    return Raster(np.dstack([gray, samples[..., 3]]), "PNG")


def in_sixteen_bits(samples: np.ndarray) -> Raster:
    return Raster(samples.astype(np.uint16) * np.uint16(257), "PNG")


def in_sixteen_bit_gray(samples: np.ndarray) -> Raster:
    gray = in_gray_and_alpha(samples)
    return Raster(gray.samples.astype(np.uint16) * np.uint16(257), "PNG")


def with_a_shadow(samples: np.ndarray) -> Raster:
    """Nowhere opaque."""
    faint = samples.copy()
    faint[..., 3] = faint[..., 3] // 2
    return Raster(faint, "PNG")


def opaque(samples: np.ndarray) -> Raster:
    solid = samples.copy()
    solid[..., 3] = 255
    return Raster(solid, "PNG")


def in_tiff(samples: np.ndarray) -> Raster:
    return Raster(samples, "TIFF")


def in_bmp(samples: np.ndarray) -> Raster:
    return Raster(samples, "BMP")


def in_webp(samples: np.ndarray) -> Raster:
    return Raster(samples, "WEBP")


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        in_gray_and_alpha,
        in_sixteen_bits,
        in_sixteen_bit_gray,
        with_a_shadow,
        opaque,
        in_tiff,
        in_bmp,
        in_webp,
    ],
)
@pytest.mark.parametrize("background", [None, 255])
def test_every_kind_of_alpha_is_traced(tmp_path, kind, background):
    house = built(tmp_path, lambda source: _write_as(source, kind), ("alice", "bob"))
    for tier in ("protected", "licensed"):
        leak = tmp_path / f"leak-{tier}"
        leak.mkdir()
        for item in image_items(tmp_path / f"{tier}-bob"):
            raster = load(item.path).raster
            colours = raster.colour_channels
            flat = raster.samples[..., :colours]
            if background is not None:
                level = background * (raster.peak // 255)
                flat = alpha.flattened(raster.samples, colours, level)
            flat = flat if flat.dtype == np.uint8 else (flat >> 8).astype(np.uint8)
            image = Image.fromarray(flat[..., 0] if colours == 1 else flat)
            image.save(leak / f"{Path(item.output).name}.jpg", quality=85)
        summary = found(house, leak)
        assert right(summary) == [True] * 4
        assert summary.named == "bob"


def _write_as(source: Path, kind: Callable[[np.ndarray], Raster]) -> None:
    source.mkdir()
    for number, name in enumerate(("astronaut", "coffee", "cat", "flower")):
        raster = kind(cutout(name, 128, keep_hidden=True))
        path = source / f"class{number % 2}" / f"{name}.{raster.format.lower()}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(raster, raster.format))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["palette", "key", "gif"])
def test_transparent_colours_are_alpha_as_well(tmp_path, kind):
    def write(source: Path) -> None:
        source.mkdir()
        for number, name in enumerate(("astronaut", "coffee", "cat", "flower")):
            samples = cutout(name, 128, keep_hidden=False)
            seen = samples[..., 3] >= 128
            folder = source / f"class{number % 2}"
            folder.mkdir(exist_ok=True)
            colours = samples[..., :3].clip(8, 255)
            if kind == "key":
                colours[~seen] = (1, 2, 3)
                path = folder / f"{name}.png"
                Image.fromarray(colours).save(path, transparency=(1, 2, 3))
                continue
            image = Image.fromarray(colours).quantize(255)
            indices = np.asarray(image).copy()
            indices[~seen] = 255
            flat = Image.fromarray(indices, "P")
            flat.putpalette([*image.getpalette()[: 255 * 3], 200, 0, 200])
            flat.save(
                folder / f"{name}.{'gif' if kind == 'gif' else 'png'}", transparency=255
            )

    house = built(tmp_path, write, ("alice", "bob"))
    for background in ("white", "black"):
        colour = BACKGROUNDS[background]
        leak = leaked(
            tmp_path / "protected-bob",
            tmp_path / background,
            lambda image, colour=colour: laid(image, colour),
            quality=85,
        )
        summary = found(house, leak)
        assert right(summary) == [True] * 4
        assert summary.named == "bob"


@pytest.mark.slow
@pytest.mark.parametrize("background", ["white", "black", "teal"])
def test_colours_multiplied_by_alpha_already_are_traced(tmp_path, background):
    """A TIFF may say so; readers then divide, and lay on as ever."""

    def write(source: Path) -> None:
        for number, name in enumerate(("astronaut", "coffee", "cat", "flower")):
            samples = cutout(name, 128, keep_hidden=False)
            share = samples[..., 3:] / 255 * 0.5  # nowhere opaque
            samples = np.dstack([np.rint(samples[..., :3] * share), 255 * share])
            file = io.BytesIO()
            Image.fromarray(np.rint(samples).astype(np.uint8)).save(file, "TIFF")
            (source / f"class{number % 2}").mkdir(parents=True, exist_ok=True)
            extra = struct.Struct("<HHIH")
            straight, multiplied = extra.pack(338, 3, 1, 2), extra.pack(338, 3, 1, 1)
            data = file.getvalue()
            assert data.count(straight) == 1
            path = source / f"class{number % 2}" / f"{name}.tif"
            path.write_bytes(data.replace(straight, multiplied))

    house = built(tmp_path, write, ("alice", "bob"))
    with Image.open(image_items(tmp_path / "licensed-bob")[0].path) as image:
        assert image.tag_v2[338] == (1,)
    colour = BACKGROUNDS[background]
    leak = leaked(
        tmp_path / "licensed-bob",
        tmp_path / "leak",
        lambda image: laid(image, colour),
        quality=90,
    )
    summary = found(house, leak)
    assert right(summary) == [True] * 4
    assert summary.named == "bob"


@pytest.mark.parametrize("seen", [0, 3])
def test_images_of_which_next_to_nothing_is_seen_are_refused(tmp_path, seen):
    samples = np.full((40, 40, 4), 90, np.uint8)
    samples[..., 3] = 0
    samples[0, :seen, 3] = 255
    folder = tmp_path / "source" / "cat"
    folder.mkdir(parents=True)
    Image.fromarray(samples).save(folder / "ghost.png")
    Image.fromarray(cutout("cat", 64, keep_hidden=True)).save(folder / "cat.png")
    vault = create_folder(tmp_path / "vault", plain_key_file=True)
    vault.add_recipient("alice")
    steps = protect.protect(
        vault,
        "alice",
        labelled_items(tmp_path / "source"),
        tmp_path / "out",
        name="r",
        source="s",
        config=ProtectConfig("lsp"),
    )
    outcome = finish(steps).outcome
    assert outcome.done == 1
    (failure,) = outcome.failures
    assert failure.sample_id == "cat/ghost.png"
    assert f"all but {seen} of its pixels are transparent" in failure.reason
    assert not (tmp_path / "out" / "cat" / "ghost.png").exists()
