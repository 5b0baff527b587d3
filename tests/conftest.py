"""What all tests share: isolation from the user's FiftyOne and keys, and real images.

The environment is set while this file is imported, that is before any test module
can import FiftyOne, which reads it only once.
"""

import atexit
import importlib.util
import io
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fiftyone_reue.demo import tiles as demo_tiles
from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.perturb import registry
from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    InvertibleMethod,
    MethodInfo,
    State,
    class_index,
)
from fiftyone_reue.prf import derive
from fiftyone_reue.vault.owner_keys import load_keyring
from fiftyone_reue.vault.passphrases import LEAST_N_VARIABLE, ScryptParameters
from fiftyone_reue.vault.vault import Vault, create_folder
from tests.collecting import Collecting
from tests.mongod import Mongod, find_mongod
from tests.quickness import Quickness

REPO = Path(__file__).resolve().parent.parent
SCREENSHOTS = os.environ.get("REUE_SCREENSHOTS")
TEST_DATA = Path(os.environ.get("REUE_TEST_DATA", REPO.parent / "shared" / "data"))
TEST_CASES = Path(os.environ.get("REUE_TEST_CASES", REPO.parent / "shared" / "cases"))
# What these tests read themselves; pytest-xdist hands it on to its workers.
OWN_VARIABLES = {"REUE_SCREENSHOTS", "REUE_TEST_DATA", "REUE_TEST_CASES"}


def _isolate() -> Path:
    """Point FiftyOne at an empty folder and forget the user's keys."""
    folder = Path(tempfile.mkdtemp(prefix="reue-tests-"))
    bfloat16 = os.environ.get("REUE_BFLOAT16") or "off"
    for name in {name for name in os.environ if name.startswith("REUE_")}:
        if name not in OWN_VARIABLES:
            del os.environ[name]
    # Asked for or not, never what the processor is best at: `.ci/run` tries both.
    os.environ["REUE_BFLOAT16"] = bfloat16
    # A MongoDB that the user names (FIFTYONE_DATABASE_URI) may be the only one there
    # is; the database in it is ours alone.
    os.environ.update(
        FIFTYONE_DATABASE_DIR=str(folder / "db"),
        FIFTYONE_DATABASE_NAME=folder.name,
        FIFTYONE_PLUGINS_DIR=str(folder / "plugins"),
        FIFTYONE_DEFAULT_DATASET_DIR=str(folder / "datasets"),
        FIFTYONE_CONFIG_PATH=str(folder / "config.json"),
        FIFTYONE_APP_CONFIG_PATH=str(folder / "app_config.json"),
        FIFTYONE_DO_NOT_TRACK="true",
        FIFTYONE_SHOW_PROGRESS_BARS="false",
        # A test must choose its keyring itself, never open the desktop's.
        PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring",
        # Models come from folders; nothing is asked of the Hugging Face Hub.
        HF_HUB_OFFLINE="1",
    )
    # One thread, whatever the machine has and the user's shell says: same sums
    # everywhere, and threads that wait for each other can't starve a busy machine.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    for name in ("plugins", "datasets"):
        (folder / name).mkdir()
    # Runs after what is registered later, which stops servers that write into it.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_SESSION_FOLDER = _isolate()

# How long an example takes says more of what else a machine does than of the code.
hypothesis.settings.register_profile("reue", deadline=None)
hypothesis.settings.load_profile("reue")


class _RootIsNoPackage:
    """Keeps pytest from importing the checkout's ``__init__.py``, the plugin's entry.

    That would load FiftyOne into every run, under a name made of the folder's. (As a
    hook of this file it would only count for folders below.)
    """

    @pytest.hookimpl
    def pytest_collect_directory(
        self, path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == REPO else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_RootIsNoPackage())
    config.pluginmanager.register(Collecting())
    config.pluginmanager.register(Quickness())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start a MongoDB where tests may want one, unless the user named theirs."""
    if "fiftyone" in sys.modules:
        # It has a MongoDB since then; processes that tests start would have the other.
        raise pytest.UsageError(
            "A test's module imports fiftyone: let its tests and fixtures do that"
        )
    units = all(item.get_closest_marker("unit") for item in session.items)
    binary = find_mongod()
    named = os.environ.get("FIFTYONE_DATABASE_URI")
    if units or binary is None or named or session.config.option.collectonly:
        return
    server = Mongod(binary, _SESSION_FOLDER / "mongod")
    server.start()
    atexit.register(server.kill)
    os.environ["FIFTYONE_DATABASE_URI"] = server.uri


def pytest_unconfigure() -> None:
    """Drop the tests' database from a MongoDB that outlives the session."""
    uri = os.environ.get("FIFTYONE_DATABASE_URI")
    if uri:
        import pymongo

        with pymongo.MongoClient(uri) as client:
            client.drop_database(os.environ["FIFTYONE_DATABASE_NAME"])


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """For figures that bfloat16's 8 bits can't tell apart, or a plain network's."""
    monkeypatch.setenv("REUE_BFLOAT16", "off")


@pytest.fixture(scope="session")
def fiftyone_folder() -> Path:
    """The session's folder with FiftyOne's ``db``, ``plugins`` and ``datasets``."""
    return _SESSION_FOLDER


PHOTO_NAMES = [
    "astronaut",
    "brick",
    "cat",
    "coffee",
    "flower",
    "galaxies",
    "grass",
    "gravel",
    "pagoda",
    "rocket",
]


@pytest.fixture(scope="session")
def photos() -> dict[str, NDArray[np.uint8]]:
    """Ten natural images, read-only uint8 ``(96, 128, 3)``, by name; no download."""
    result = {}
    for name in PHOTO_NAMES:
        image = demo_tiles.load_photo(name).resize((128, 96), Image.Resampling.LANCZOS)
        result[name] = np.asarray(image).copy()
        result[name].flags.writeable = False
    return result


@pytest.fixture(scope="session")
def write_folder(photos: dict[str, NDArray[np.uint8]]) -> Callable[..., Path]:
    """Write an ImageFolder: a class a photo, in it crops ``0.png``, ``1.png`` ...

    Called with the folder, and how many ``classes``, images ``each`` and pixels a
    ``side``; returns the folder. The same arguments give the same images.
    """

    def write(folder: Path, classes: int = 3, each: int = 4, side: int = 32) -> Path:
        draw = np.random.default_rng([classes, each, side])
        for name in list(photos)[:classes]:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for number in range(each):
                y, x = draw.integers(0, 96 - side + 1), draw.integers(0, 129 - side)
                crop = photos[name][y : y + side, x : x + side]
                Image.fromarray(crop).save(folder / name / f"{number}.png")
        return folder

    return write


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A vault in ``tmp_path / "vault"``, its recipients being alice and bob."""
    made = create_folder(tmp_path / "vault", plain_key_file=True)
    with made.ledger:
        for name in ("alice", "bob"):
            made.add_recipient(name)
        yield made


@pytest.fixture
def quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes new passphrases cheap to try."""
    new: Callable[..., ScryptParameters] = ScryptParameters.new
    monkeypatch.setenv(LEAST_N_VARIABLE, "2")
    monkeypatch.setattr(ScryptParameters, "new", lambda n=0: new(n=2))


@pytest.fixture
def memory_keyring() -> Iterator[dict[tuple[str, str], str]]:
    """A keyring that forgets when the test ends: keys by service and account."""
    keyring = load_keyring()
    from keyring.backend import KeyringBackend

    stored: dict[tuple[str, str], str] = {}

    class Memory(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            return stored.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            stored[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del stored[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield stored
    keyring.set_keyring(before)


class ToyInvertible(InvertibleMethod):
    """Moves half of an image by the other half; finds nearly all of it again."""

    info = MethodInfo(
        "toy", "Toy", "", needs_fit=False, uses_gpu=False, cost="", variety="sample"
    )

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        yield 1.0
        arrays = {"amplitude": np.array(options.amplitude)}
        return State(self.info.name, data.classes, arrays)

    def secret(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> bytes:
        made = derive(sample_key, "toy", str(class_index(state, label)))
        return bytes([int(state.arrays["amplitude"])]) + made

    def amplitude(self, secret: bytes) -> int | None:
        return secret[0]

    def move(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        moved = image.astype(np.int16)
        half = image.shape[1] // 2
        moved[:, half:] += self._steps(secret, moved[:, :half], moved[:, half:].shape)
        moved[:, :half] += self._steps(secret, moved[:, half:], moved[:, :half].shape)
        return moved

    def undo(self, secret: bytes, moved: np.ndarray) -> np.ndarray:
        if len(secret) != 33:
            raise DamagedRecordError("The toy's secret can't be read")
        found = moved.copy()
        half = moved.shape[1] // 2
        found[:, :half] -= self._steps(secret, found[:, half:], found[:, :half].shape)
        found[:, half:] -= self._steps(secret, found[:, :half], found[:, half:].shape)
        return found + (moved % 97 == 5)  # wrong here

    def _steps(self, secret: bytes, others: np.ndarray, shape: tuple) -> np.ndarray:
        """By so much one half is moved, now and then further than the amplitude."""
        largest = secret[0] + 3
        seed = int.from_bytes(secret[1:9], "big")
        keyed = np.random.default_rng(seed).integers(0, 256, shape, np.int16)
        mixed = keyed[:, : others.shape[1]] + others[:, : shape[1]] ** 2 // 64
        steps = np.zeros(shape, np.int16)
        steps[:, : mixed.shape[1]] = mixed % (2 * largest + 1) - largest
        return steps


class ToyLost(ToyInvertible):
    """Makes all samples higher by one, and finds nothing of the image again."""

    info = MethodInfo(
        "toy_lost",
        "Toy",
        "",
        needs_fit=False,
        uses_gpu=False,
        cost="",
        variety="sample",
    )

    def move(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        return image.astype(np.int16) + 1

    def undo(self, secret: bytes, moved: np.ndarray) -> np.ndarray:
        return np.zeros_like(moved)


class ToyWild(ToyLost):
    """Drowns an image in noise."""

    info = MethodInfo(
        "toy_wild",
        "Toy",
        "",
        needs_fit=False,
        uses_gpu=False,
        cost="",
        variety="sample",
    )

    def amplitude(self, secret: bytes) -> int | None:
        return None

    def move(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        draw = np.random.default_rng(int.from_bytes(secret[1:9], "big"))
        return image + draw.integers(-80, 81, (*image.shape[:2], 1), np.int16)


@pytest.fixture(scope="module")
def toys() -> Iterator[dict[str, InvertibleMethod]]:
    """Invertible methods, in the registry as well, by the way back that suits them:
    "undo", "offset" and "samples"."""
    made = {"undo": ToyInvertible(), "offset": ToyLost(), "samples": ToyWild()}
    with pytest.MonkeyPatch.context() as patch:
        for method in made.values():
            patch.setitem(registry._METHODS, method.info.name, type(method))
        yield made


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real datasets; the test is skipped where it is missing."""
    if not TEST_DATA.is_dir():
        pytest.skip(f"no real datasets in {TEST_DATA} (set REUE_TEST_DATA)")
    return TEST_DATA


@pytest.fixture(scope="session")
def cases_folder() -> Path:
    """The folder of awkward files; the test is skipped where it is missing."""
    if not TEST_CASES.is_dir():
        pytest.skip(f"no awkward files in {TEST_CASES} (set REUE_TEST_CASES)")
    return TEST_CASES


@pytest.fixture(scope="session")
def cifar10(data_folder: Path) -> Callable[[int, int], dict[str, np.ndarray]]:
    """Load the first ``n_train`` and ``n_test`` images of CIFAR-10, in random order.

    Returns ``x_train``, ``x_test`` (uint8 NHWC RGB), ``y_train``, ``y_test`` and
    ``classes``.
    """
    reader = _existing(data_folder / "cifar10.py")
    spec = importlib.util.spec_from_file_location("cifar10_reader", reader)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda n_train, n_test: module.load(data_folder, n_train, n_test)


@pytest.fixture(scope="session")
def kodak(data_folder: Path) -> Callable[[int], list[NDArray[np.uint8]]]:
    """Load the first ``count`` of the 24 Kodak photographs, uint8 HWC RGB."""
    archive = _existing(data_folder / "photos.zip")

    def load(count: int) -> list[NDArray[np.uint8]]:
        files = _members(archive, "photos/kodak/", ".png", count)
        return [
            np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files
        ]

    return load


@pytest.fixture(scope="session")
def imagenette_files(data_folder: Path) -> Callable[[int], list[bytes]]:
    """Read the first ``count`` training files of Imagenette: 224x224 JPEG."""
    archive = _existing(data_folder / "imagenette224.zip")
    return lambda count: _members(archive, "imagenette224/train/", ".JPEG", count)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser for tests of the App."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path is not None:
            return path
    pytest.skip("no chromium here (`make test` installs it)")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """The browser, for one file of tests.

    A process can't start playwright twice, and asyncio takes its loop for a running
    one while it is open: two files that kept theirs would be in each other's way.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright here")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    # A stranger's name that leads to this machine, as its owner may arrange.
    arguments.append("--host-resolver-rules=MAP rebound.test 127.0.0.1")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures of the App go: the folder ``REUE_SCREENSHOTS``, or away."""
    folder = Path(SCREENSHOTS).absolute() if SCREENSHOTS else tmp_path / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _existing(path: Path) -> Path:
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


def _members(archive: Path, folder: str, suffix: str, count: int) -> list[bytes]:
    with zipfile.ZipFile(archive) as file:
        names = [
            name
            for name in sorted(file.namelist())
            if name.startswith(folder) and name.endswith(suffix)
        ]
        assert len(names) >= count
        return [file.read(name) for name in names[:count]]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright's event loop stays in this thread, and FiftyOne
    would only schedule in it what other tests want to execute at once."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)
