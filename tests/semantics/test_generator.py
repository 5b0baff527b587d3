import errno
import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.errors import InputError, ModelError, OutputError, ReueError
from fiftyone_reue.media import files
from fiftyone_reue.perturb.base import FitData, FitOptions
from fiftyone_reue.perturb.deep_hiding.config import DeepHidingConfig
from fiftyone_reue.perturb.deep_hiding.method import (
    VARIANTS,
    DeepHiding,
    hiding_of,
    own_scenes,
)
from fiftyone_reue.progress import Progress, finish
from fiftyone_reue.semantics import diffusion
from fiftyone_reue.semantics.generator import (
    ABOUT,
    ATTEMPTS,
    Generated,
    GeneratorConfig,
    folder_names,
    generate_scenes,
)

SMALL = GeneratorConfig(
    model="model", controlnet="controlnet", steps=2, images=3, side=64, device="cpu"
)


class Painter:
    """Stands for a model: notes what is asked for, answers with seeded noise."""

    def __init__(self):
        self.loads = 0
        self.asked = []
        self.refused = 0
        self.error = None
        self.pipeline = SimpleNamespace(safety_checker=object())

    def load(self, *names):
        self.loads += 1
        return self.pipeline

    def paint(self, pipeline, painting, seed):
        self.asked.append((painting, seed))
        if self.error:
            raise self.error
        if self.refused:
            self.refused -= 1
            return None
        noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 3))
        return Image.fromarray(noise.astype(np.uint8))


@pytest.fixture
def painter(monkeypatch):
    made = Painter()
    monkeypatch.setattr(diffusion, "load_pipeline", made.load)
    monkeypatch.setattr(diffusion, "painted", made.paint)
    return made


@pytest.fixture
def tiny(tiny_models):
    return replace(
        SMALL,
        model=str(tiny_models / "plain"),
        controlnet=str(tiny_models / "controlnet"),
        images=2,
    )


def _make(output, config=SMALL, classes=("cat", "dog")):
    return finish(generate_scenes(classes, output, config))


def _contents(folder):
    """Every file below a folder, hidden ones included, but what it was made with."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ABOUT
    }


NAMES = [f"{name}/00{number}.png" for name in ("cat", "dog") for number in range(3)]


@pytest.mark.integration
def test_nothing_heavy_is_imported_before_it_is_needed():
    script = """
import sys
for name in ("torch", "diffusers", "transformers", "skimage"):
    sys.modules[name] = None
import fiftyone_reue.cli.generate
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.unit
def test_deep_hiding_takes_as_many_images_as_are_made():
    assert GeneratorConfig().images == VARIANTS


@pytest.mark.slow
@pytest.mark.unit
def test_every_class_gets_its_images_and_progress_rises(painter, tmp_path):
    steps = list(generate_scenes(["dog", "cat", "dog"], tmp_path / "a" / "b", SMALL))
    assert steps[0] == Progress(0.0, "Loading the model")
    assert [step.label for step in steps[1:]] == NAMES
    assert [step.fraction for step in steps[1:]] == [n / 6 for n in range(1, 7)]
    assert sorted(_contents(tmp_path / "a" / "b")) == NAMES


@pytest.mark.slow
@pytest.mark.unit
def test_a_class_shares_edges_and_prompt_and_only_seeds_differ(painter, tmp_path):
    made = _make(tmp_path)
    assert made == Generated(made=6, kept=0, retried=0, checked=True)
    paintings = [painting for painting, _ in painter.asked]
    cat, dog = paintings[0], paintings[3]
    assert all(painting is cat for painting in paintings[:3])
    assert all(painting is dog for painting in paintings[3:])
    assert (cat.prompt, dog.prompt) == ("a photo of cat", "a photo of dog")
    assert (cat.condition != dog.condition).any()
    assert cat.condition.shape == (64, 64)
    assert cat.condition.any()
    seeds = {seed for _, seed in painter.asked}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.slow
@pytest.mark.unit
def test_another_seed_changes_scenes_and_noise(painter, tmp_path):
    _make(tmp_path / "one")
    _make(tmp_path / "other", replace(SMALL, seed=1))
    one, other = painter.asked[0], painter.asked[6]
    assert (one[0].condition != other[0].condition).any()
    assert one[1] != other[1]


@pytest.mark.slow
@pytest.mark.unit
@pytest.mark.parametrize("after", range(7))
def test_a_stopped_run_goes_on_to_the_same_end(after, painter, tmp_path):
    _make(tmp_path / "whole")
    whole = _contents(tmp_path / "whole")
    steps = generate_scenes(["cat", "dog"], tmp_path / "part", SMALL)
    for _ in range(after + 1):
        next(steps)
    steps.close()
    part = _contents(tmp_path / "part")
    assert sorted(part) == NAMES[:after]
    painter.asked.clear()
    made = _make(tmp_path / "part")
    assert (made.made, made.kept) == (6 - after, after)
    assert len(painter.asked) == 6 - after
    assert _contents(tmp_path / "part") == whole


@pytest.mark.slow
@pytest.mark.unit
def test_a_full_folder_needs_no_model(painter, tmp_path):
    _make(tmp_path)
    (step,) = generate_scenes(["cat", "dog"], tmp_path, SMALL)
    assert step.fraction == 1
    assert painter.loads == 1
    assert _make(tmp_path) == Generated(made=0, kept=6, retried=0, checked=None)


@pytest.mark.slow
@pytest.mark.unit
def test_more_images_can_be_asked_for_later(painter, tmp_path):
    _make(tmp_path, replace(SMALL, images=1))
    made = _make(tmp_path, replace(SMALL, images=3, device="auto"))
    assert (made.made, made.kept) == (4, 2)


@pytest.mark.slow
@pytest.mark.unit
def test_files_that_are_there_are_kept(painter, tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "001.png").write_bytes(b"mine")
    _make(tmp_path)
    assert _contents(tmp_path)["cat/001.png"] == b"mine"


@pytest.mark.slow
@pytest.mark.unit
def test_a_folder_begun_with_something_else_is_refused(painter, tmp_path):
    _make(tmp_path, replace(SMALL, images=1))
    before = _contents(tmp_path)
    with pytest.raises(InputError, match=r"with other seed, side; give the same"):
        _make(tmp_path, replace(SMALL, seed=1, side=128))
    with pytest.raises(InputError, match=r"with other classes; give the same"):
        _make(tmp_path, classes=("cat", "cow", "dog"))
    assert _contents(tmp_path) == before
    about = json.loads((tmp_path / ABOUT).read_text("utf-8"))
    assert about["classes"] == ["cat", "dog"]
    assert about["seed"] == 0


@pytest.mark.unit
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_account_of_a_folder_is_named(content, painter, tmp_path):
    (tmp_path / ABOUT).write_bytes(content)
    with pytest.raises(InputError, match=r"generator\.json: .*choose another output"):
        _make(tmp_path)


@pytest.mark.slow
@pytest.mark.unit
def test_a_black_image_is_drawn_from_other_seeds(painter, tmp_path):
    painter.refused = ATTEMPTS - 1
    made = _make(tmp_path)
    assert (made.made, made.retried) == (6, ATTEMPTS - 1)
    seeds = {seed for _, seed in painter.asked}
    assert len(seeds) == 6 + ATTEMPTS - 1
    assert sorted(_contents(tmp_path)) == NAMES


@pytest.mark.slow
@pytest.mark.unit
@pytest.mark.parametrize(
    ("checker", "why"), [(object(), "safety checker refuses"), (None, "overflow")]
)
def test_what_stays_black_is_given_up_and_not_written(checker, why, painter, tmp_path):
    painter.pipeline.safety_checker = checker
    steps = generate_scenes(["cat", "dog"], tmp_path, SMALL)
    next(steps)
    next(steps)
    painter.refused = ATTEMPTS
    with pytest.raises(ModelError, match=rf"cat/001\.png: .*{why}.*change the prompt"):
        next(steps)
    assert list(_contents(tmp_path)) == ["cat/000.png"]


@pytest.mark.slow
@pytest.mark.unit
def test_nothing_half_written_is_left(painter, tmp_path, monkeypatch):
    stale = tmp_path / "cat" / f".0123{files.TEMPORARY_SUFFIX}"
    stale.parent.mkdir()
    stale.write_bytes(b"half")
    steps = generate_scenes(["cat", "dog"], tmp_path, SMALL)
    next(steps)
    next(steps)
    whole = files._write_new

    def full(place, data, mode):
        whole(place, data[: len(data) // 2], mode)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_write_new", full)
    with pytest.raises(OutputError, match=r"001\.png: can't be written: the disk is"):
        next(steps)
    assert list(_contents(tmp_path)) == ["cat/000.png"]


@pytest.mark.slow
@pytest.mark.unit
def test_a_failing_model_leaves_what_was_drawn(painter, tmp_path):
    steps = generate_scenes(["cat", "dog"], tmp_path, SMALL)
    next(steps)
    next(steps)
    painter.error = ModelError("There isn't enough memory")
    with pytest.raises(ModelError):
        next(steps)
    painter.error = None
    assert _make(tmp_path).kept == 1


@pytest.mark.unit
@pytest.mark.parametrize("name", ["out", "out/cat"])
def test_a_file_where_a_folder_should_be_is_refused(name, painter, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(OutputError, match=f"{name}: a file is in the way; choose"):
        _make(tmp_path / "out")
    assert path.read_bytes() == b""


@pytest.mark.unit
def test_classes_that_share_a_folder_are_refused(painter, tmp_path):
    (tmp_path / "dog").mkdir()
    (tmp_path / "cat").symlink_to(tmp_path / "dog")
    with pytest.raises(InputError, match="are the same folder there; rename"):
        _make(tmp_path)
    assert not _contents(tmp_path)


@pytest.mark.unit
@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "a/b", "/a", "a\\b", "a\0", "a\nb", "\udcff", "é" * 128],
)
def test_a_class_that_cannot_name_a_folder_is_refused(name, painter, tmp_path):
    with pytest.raises(InputError, match=r"can't be a folder's name: .*rename") as info:
        _make(tmp_path / "out", classes=("cat", name))
    str(info.value).encode()
    assert not (tmp_path / "out").exists()


@pytest.mark.unit
def test_no_class_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match="name at least one"):
        _make(tmp_path, classes=())


@pytest.mark.unit
@given(st.text(st.characters(exclude_categories=())))
@example("con..")
@example("\u3000x")
def test_a_class_that_is_accepted_becomes_one_folder(tmp_path_factory, name):
    try:
        names = folder_names([name])
    except InputError:
        return
    home = tmp_path_factory.mktemp("names")
    (home / name).mkdir()
    assert [entry.name for entry in home.iterdir()] == names == [name]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prompt": "a photo of {class}"}, "put {label} where the class belongs"),
        ({"side": 0}, "multiple of 64 up to 1024"),
        ({"side": 500}, "multiple of 64 up to 1024"),
        ({"side": 2048}, "multiple of 64 up to 1024"),
        ({"images": 0}, "give 1 to 999"),
        ({"images": 1000}, "give 1 to 999"),
        ({"steps": 0}, "at least 1 step"),
        ({"seed": -1}, "seed that isn't negative"),
        ({"guidance": -1.0}, "scale of at least 0"),
        ({"conditioning": float("nan")}, "scale of at least 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(change, why, painter, tmp_path):
    with pytest.raises(InputError, match=why):
        _make(tmp_path / "out", replace(SMALL, **change))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.integration
def test_a_tiny_model_draws_the_same_again(tiny, tmp_path):
    made = _make(tmp_path / "one", tiny)
    assert made == Generated(made=4, kept=0, retried=0, checked=False)
    one = _contents(tmp_path / "one")
    assert sorted(one) == [name for name in NAMES if "002" not in name]
    assert len(set(one.values())) == 4
    for path in (tmp_path / "one").glob("*/*.png"):
        image = Image.open(path)
        assert (image.mode, image.size) == ("RGB", (64, 64))
        assert np.asarray(image).std() > 5
    _make(tmp_path / "again", tiny)
    assert _contents(tmp_path / "again") == one
    _make(tmp_path / "other", replace(tiny, seed=1))
    other = _contents(tmp_path / "other")
    assert not set(one.values()) & set(other.values())


@pytest.mark.slow
@pytest.mark.integration
def test_a_tiny_model_goes_on_where_it_was_stopped(tiny, tmp_path):
    _make(tmp_path / "whole", tiny)
    steps = generate_scenes(["cat", "dog"], tmp_path / "part", tiny)
    for _ in range(3):
        next(steps)
    steps.close()
    assert len(_contents(tmp_path / "part")) == 2
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "part").rglob("*.png")}
    made = _make(tmp_path / "part", tiny)
    assert (made.made, made.kept) == (2, 2)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert _contents(tmp_path / "part") == _contents(tmp_path / "whole")


@pytest.mark.integration
def test_deep_hiding_hides_what_was_drawn(tiny, tmp_path):
    _make(tmp_path, tiny)
    scenes = own_scenes(tmp_path, ["cat", "dog"])
    assert scenes.shape == (2, VARIANTS, 64, 64)
    assert (scenes[:, 0] != scenes[:, 1]).any(axis=(1, 2)).all()
    none = np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, np.int64)
    data = FitData(*none, ("cat", "dog"))
    method = DeepHiding(DeepHidingConfig(scenes=tmp_path))
    state = finish(method.fit(data, FitOptions(8, seed=0, key=bytes(range(32)))))
    secret = method.secret(state, np.zeros((64, 64, 3), np.uint8), "dog", bytes(32))
    assert (hiding_of(secret).scene == scenes[1, 0]).all()


@pytest.mark.integration
@pytest.mark.parametrize("model", ["lenient", "strict"])
def test_a_safety_checker_is_obeyed(model, tiny_models, tiny, tmp_path):
    config = replace(tiny, model=str(tiny_models / model))
    if model == "lenient":
        assert _make(tmp_path, config).checked is True
        assert len(_contents(tmp_path)) == 4
    else:
        with pytest.raises(ModelError, match=r"cat/000\.png: .*safety checker"):
            _make(tmp_path, config)
        assert not _contents(tmp_path)


@pytest.mark.integration
def test_a_model_that_is_not_there_leaves_no_images(tiny, tmp_path):
    with pytest.raises(ReueError, match="name a local folder by --model"):
        _make(tmp_path, replace(tiny, model="someone/model"))
    assert not _contents(tmp_path)
    assert _make(tmp_path, tiny).made == 4  # no trace of the first attempt
