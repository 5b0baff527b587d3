import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from fiftyone_reue.perturb.rue import matched_filter
from fiftyone_reue.releases.config import ProtectConfig

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "benchmarks"
KEY = bytes(range(32))


@pytest.fixture
def benchmark(monkeypatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    import photographs

    yield photographs
    ours = [name for name in sys.modules if name.startswith("photograph")]
    for name in (*ours, "jpeg_victims", "data", "quality"):
        sys.modules.pop(name, None)


@pytest.fixture
def atoms(benchmark) -> ModuleType:
    return sys.modules["photograph_atoms"]


@pytest.fixture
def stealing(benchmark) -> ModuleType:
    return sys.modules["photograph_thieves"]


@pytest.fixture
def victims(benchmark) -> ModuleType:
    return sys.modules["photograph_victims"]


@pytest.fixture
def images(benchmark) -> ModuleType:
    return sys.modules["photograph_images"]


def ramps(count: int, side: int) -> np.ndarray:
    """Smooth images, none of whose samples a change of 8 would cut off."""
    slope = np.linspace(60, 180, side)[:, None, None]
    image = np.broadcast_to(slope, (side, side, 3)).astype(np.uint8)
    return np.repeat(image[None], count, axis=0)


def test_every_block_has_an_atom_of_its_class_with_a_sign_of_its_own(atoms):
    pattern = atoms.pattern(np.array([4]), 32, 8, KEY)
    blocks = pattern.reshape(4, 8, 4, 8).transpose(0, 2, 1, 3).reshape(16, 8, 8)
    signs = blocks[:, 0, 0] // (8 * atoms.atom_signs()[4, 0, 0])
    assert np.array_equal(blocks, 8 * signs[:, None, None] * atoms.atom_signs()[4])
    assert set(signs) == {-1, 1}


def test_atoms_differ_and_no_two_classes_share_more_than_one(atoms):
    signs = atoms.atom_signs().reshape(20, -1).astype(int)
    assert (np.abs(signs @ signs.T) - 64 * np.eye(20, dtype=int)).max() < 64
    assert len(set(atoms.class_atoms(10, 1, KEY)[:, 0])) == 10
    pools = [set(pool) for pool in atoms.class_atoms(10, 3, KEY)]
    shared = [len(a & b) for a in pools for b in pools if a is not b]
    assert {len(pool) for pool in pools} == {3}
    assert max(shared) == 1


def test_matched_filters_take_atoms_off_what_is_smooth(atoms):
    clean = ramps(3, 64)
    labels = np.arange(3)
    one = atoms.perturbed(clean, labels, 1, 8, KEY)
    assert np.abs(one.astype(int) - clean).min() == 8
    assert np.array_equal(atoms.without_atoms(one, 8, by_block=False), clean)
    pool = atoms.perturbed(clean, labels, 3, 8, KEY)
    assert np.array_equal(atoms.without_atoms(pool, 8, by_block=True), clean)


def test_the_matched_filter_takes_stripes_off_what_is_smooth(benchmark, images):
    clean = ramps(10, 64)
    given = images.Photographs(
        clean, np.arange(10), clean, np.arange(10), tuple("abcdefghij")
    )
    striped = images.made("rue_gratings", given, 8)
    assert np.abs(striped.astype(int) - clean).min() == 8
    without = sys.modules["photograph_stripes"].without_stripes
    assert np.array_equal(without(striped, 10, 8), clean)


def test_the_mark_has_the_share_that_releases_give_it(images):
    assert ProtectConfig(epsilon=8).mark_amplitude == images.MARK_AMPLITUDE
    clean = ramps(2, 64)
    given = images.Photographs(clean, np.arange(2), clean, np.arange(2), ("a", "b"))
    change = images.made("rue_marked", given, 8).astype(int) - clean
    assert np.abs(change).max() == 8
    assert np.abs(images.licensed(clean, 2).astype(int) - clean).max() == 2


def textures(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Noise of every scale, away from both rails."""
    draw = np.random.default_rng(seed)
    total = np.full((count, side, side, 3), 128.0)
    for cell in (1, 2, 4, 8, 16):
        coarse = draw.normal(0, 7, (count, side // cell, side // cell, 1))
        total += coarse.repeat(cell, 1).repeat(cell, 2)
    return total.clip(20, 235).astype(np.uint8)


def error(images, wanted) -> float:
    return float((images.astype(float) - wanted).std())


@pytest.mark.slow
def test_the_matched_filter_takes_most_of_the_bands_off(benchmark, images):
    clean, labels = textures(40, 64), np.arange(40) % 4
    given = images.Photographs(clean, labels, clean, labels, tuple("abcd"))
    changed = images.made("rue", given, 8)
    assert 3 < error(changed, clean) < 8
    thief = matched_filter.learned(torch.from_numpy(textures(176, 64, 1)), 4, 8)
    found = thief.without(torch.from_numpy(changed), torch.from_numpy(labels))
    assert error(found.numpy(), clean) < 0.6 * error(changed, clean)


def test_a_thiefs_pairs_have_other_keys(benchmark, images):
    clean, labels = textures(4, 64), np.zeros(4, np.int64)
    given = images.Photographs(clean, labels, clean, labels, ("a", "b"))
    names = [images.pairs_name("rue", copy) for copy in (0, 1)]
    names.append(images.pairs_name("rue", 0, known=True))
    made = {images.made(name, given, 8).tobytes() for name in names}
    assert len(made) == 3


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["rue_jpeg", "rue_gratings_jpeg"])
def test_thieves_are_handed_a_jpeg_release_as_it_is_decoded(benchmark, images, subject):
    clean, labels = textures(4, 64), np.arange(4) % 2
    given = images.Photographs(clean, labels, clean, labels, ("a", "b"))
    originals = images.made("originals_jpeg", given, 8).astype(int)
    assert 0 < np.abs(originals - clean).mean() < 8
    release = images.made(subject, given, 8)
    change = np.abs(release - originals)
    assert change.max() <= 8
    assert change.mean() > 1
    names = [images.pairs_name(subject, copy) for copy in (0, 1)]
    names.append(images.pairs_name(subject, 0, known=True))
    copies = [images.made(name, given, 8) for name in names]
    assert len({one.tobytes() for one in (release, *copies)}) == 4


@pytest.mark.slow
def test_thieves_fit_a_jpeg_release_to_the_size_they_train_at(benchmark, tmp_path):
    import jpeg_victims

    archive = tmp_path / "photographs.zip"
    with zipfile.ZipFile(archive, "w") as files:
        for place, texture in enumerate(textures(8, 64)):
            file = io.BytesIO()
            Image.fromarray(texture).save(file, "JPEG")
            part = "train" if place < 4 else "val"
            name = f"set/{part}/{'ab'[place % 2]}/{place}.JPEG"
            files.writestr(name, file.getvalue())
    given = [
        *("--imagenette", str(archive), "--side", "32", "--epochs", "2"),
        *("--batch", "4", "--uses", "reduced,middle,jpeg_50"),
        *("--cache", str(tmp_path / "cache"), "--out", str(tmp_path)),
    ]
    done = CliRunner().invoke(jpeg_victims.main, given)
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "jpeg_victims.json").read_text())
    assert len(figures["cells"]) == 6
    text = (tmp_path / "jpeg_victims.md").read_text()
    assert "| | reduced | the middle | reduced, JPEG-50 |" in text
    data = jpeg_victims.read_files(archive, None)
    kept = tmp_path / "cache"
    clean, copies = (
        jpeg_victims.copies_of(name, data, 8, kept, "cpu").astype(int)
        for name in ("originals", "rue")
    )
    assert np.abs(copies - clean).mean() > 1
    assert np.abs(copies - clean).max() <= 8
    # Nothing is measured twice.
    again = CliRunner().invoke(jpeg_victims.main, given)
    assert again.exit_code == 0, again.output
    assert json.loads((tmp_path / "jpeg_victims.json").read_text()) == figures


def test_the_middle_is_as_it_is_and_reduced_pixels_are_means(benchmark):
    import jpeg_victims

    images = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    assert np.array_equal(jpeg_victims.middle(images, 4), images[:, 2:6, 2:6])
    means = images.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    assert np.abs(jpeg_victims.reduced(images, 4) - means).max() <= 0.5


@pytest.mark.slow
def test_a_denoiser_learns_from_pairs(benchmark, monkeypatch):
    denoising = sys.modules["photograph_denoiser"]
    monkeypatch.setattr(denoising, "BATCH", 2)
    monkeypatch.setattr(denoising, "WARM_UP", 5)
    clean = torch.from_numpy(ramps(4, 16))
    lines = 8 * (-1) ** torch.arange(16)[:, None, None]
    copies = (clean + lines).to(torch.uint8)[None]
    network = denoising.trained(clean, copies, 60)
    left = denoising.denoised(network, copies[0])
    assert error(left.numpy(), clean.numpy()) < 6


def test_spectra_become_alike_and_plain_pictures_stay(benchmark):
    spectra = sys.modules["photograph_spectra"]
    fine, coarse = textures(20, 32), textures(20, 32, 1)
    coarse = coarse[:, ::2, ::2].repeat(2, 1).repeat(2, 2)
    both = torch.from_numpy(np.concatenate([fine, coarse]))
    labels = torch.arange(40) // 20
    after = spectra.with_class_spectra(both, labels).numpy()

    def rough(part) -> float:
        return float(np.abs(np.diff(part.astype(float), axis=1)).mean())

    before = rough(both[:20].numpy()) / rough(both[20:].numpy())
    assert before > 1.3
    between = rough(after[:20]) / rough(after[20:])
    assert between < (1 + before) / 2
    assert spectra.with_class_spectra(both, None) is both
    alike = spectra.with_mean_spectra(both)(both, None).numpy()
    assert rough(alike[:20]) / rough(alike[20:]) < before


@pytest.mark.slow
def test_the_learning_rate_is_that_of_the_package(victims):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], 0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.05, total_steps=80, pct_start=0.3
    )
    rates = []
    for _ in range(80):
        rates.append(cycle.get_last_lr()[0])
        optimiser.step()
        if len(rates) < 80:
            cycle.step()
    np.testing.assert_allclose(victims.one_cycle(80, 0.05), rates, rtol=1e-6)


def test_draws_pass_over_all_images_and_follow_from_the_seed(stealing):
    drawn = stealing.draws("shift", 6, 10, 30, 64, seed=1)
    for three in (drawn.order[:3], drawn.order[3:]):
        assert sorted(three.flatten().tolist()) == list(range(30))
    assert drawn.down.abs().max() <= 8
    assert drawn.rich is None
    again = stealing.draws("shift", 6, 10, 30, 64, seed=1)
    other = stealing.draws("shift", 6, 10, 30, 64, seed=2)
    assert torch.equal(again.order, drawn.order)
    assert not torch.equal(other.order, drawn.order)


@pytest.mark.parametrize("kind", ["crop", "jitter", "randaugment"])
def test_augmentations_change_images_and_stay_in_range(stealing, victims, kind):
    drawn = stealing.draws(kind, 2, 8, 16, 32, seed=0)
    x = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    changed = victims.enriched(x, **{n: t[0] for n, t in drawn.rich.items()})
    assert changed.shape == x.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    assert (changed - x).abs().amax((1, 2, 3)).gt(0.02).sum() >= 4


def test_no_change_drawn_is_no_change(stealing, victims):
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    same = victims.enriched(
        x,
        affine=torch.eye(2, 3).expand(4, 2, 3),
        matrix=torch.eye(3).expand(4, 3, 3),
        contrast=torch.ones(4),
        levels=torch.full((4,), 255.0),
        threshold=torch.full((4,), 2.0),
    )
    torch.testing.assert_close(same, x, atol=1e-5, rtol=0)


def test_filters_leave_what_is_flat(stealing):
    flat = torch.full((2, 32, 32, 3), 90, dtype=torch.uint8)
    for thief in stealing.thieves(8, 10).values():
        if thief.tensors:
            assert torch.equal(stealing.on_device(flat, thief.tensors), flat), thief


def test_a_blur_weakens_stripes(stealing):
    rows = 8.0 * torch.tensor([1.0, -1.0]).repeat_interleave(2).repeat(16)
    x = (100 + rows)[None, None, :, None].repeat(1, 3, 1, 64)
    inner = slice(16, -16)
    blurred = stealing.blurred(2.0, x)[..., inner, inner]
    assert (blurred - 100).abs().max() < 1


def test_the_thief_asks_as_serves_originals(benchmark):
    cells = [
        {"subject": subject, "thief": thief, "seed": 0, "accuracy": share}
        for subject, thief, share in (
            ("originals", "blur_2", 0.5),
            ("originals", "blur_2+test", 0.6),
            ("rue", "blur_2", 0.4),
            ("rue", "blur_2+test", 0.2),
        )
    ]
    assert benchmark.asked(cells, "blur_2") == "blur_2+test"
    assert benchmark.asked(cells[:1], "blur_2") == "blur_2"


def test_what_is_shown_of_the_seeds(benchmark):
    shown = benchmark.shown_share
    assert [shown(a) for a in ([], [0.5])] == ["", "50.0"]
    assert shown([0.5, 0.6]) == "55.0 ± 7.1 (2)"
    assert shown([0.5, 0.6, 0.7]) == "60.0 ± 10.0"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    path = tmp_path / "imagenette.zip"
    with zipfile.ZipFile(path, "w") as files:
        for part, kind in np.ndindex(2, 2):
            for number in range(10):
                samples = draw.integers(0, 256, (40, 32, 3), np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(samples).save(buffer, "JPEG")
                folder = f"{('train', 'val')[part]}/class_{kind}"
                files.writestr(f"set/{folder}/{number}.JPEG", buffer.getvalue())
    return path


@pytest.mark.slow
def test_a_try_is_measured_into_tables_and_not_twice(
    benchmark, archive: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(benchmark, "_plan", _few(benchmark._plan))
    words = [
        *("--imagenette", str(archive), "--quick", "--sides", "32"),
        *("--subjects", "originals,shuffled_labels,candidate_atoms"),
        *("--thieves", "none,grayscale,crop,atom_image,adversarial"),
        *("--device", "cpu"),
        *("--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")),
    ]
    result = CliRunner().invoke(benchmark.main, words)
    assert result.exit_code == 0, result.output
    (figure,) = json.loads((tmp_path / "out/photographs_quick.json").read_text())
    found = {(cell["subject"], cell["thief"]) for cell in figure["cells"]}
    plain = ("none", "grayscale", "crop", "atom_image", "adversarial")
    thieves = (*plain, "grayscale+test", "adversarial+test")
    rows = ("originals", "candidate_atoms")
    expected = {(row, thief) for row in rows for thief in thieves}
    assert found == expected | {("shuffled_labels", "none")}
    assert figure["quality"]["candidate_atoms"]["largest"] == 8
    page = tmp_path / "out/photographs_quick.md"
    table = page.read_text()
    assert "| `candidate_atoms` |" in table
    monkeypatch.setattr(benchmark, "Victims", None)
    again = CliRunner().invoke(benchmark.main, words)
    assert again.exit_code == 0, again.output
    page.unlink()
    only = CliRunner().invoke(
        benchmark.main, ["--tables", "--quick", "--out", str(tmp_path / "out")]
    )
    assert only.exit_code == 0, only.output
    assert page.read_text() == table


def _few(plan_of):
    """The try's plan with batches that a dozen images suffice for."""
    from dataclasses import replace

    def made(*given):
        plan = plan_of(*given)
        return replace(plan, schedule=replace(plan.schedule, batch=4, epochs=1))

    return made


def test_a_name_that_does_not_exist_is_refused(benchmark, archive: Path):
    words = ["--imagenette", str(archive), "--thieves", "jpg"]
    result = CliRunner().invoke(benchmark.main, words)
    assert result.exit_code == 1
    assert "There is no 'jpg'" in str(result.exception)
