"""The real App in a browser. ``REUE_SCREENSHOTS=folder`` keeps its pictures."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REUE = "from fiftyone_reue.cli import main; main()"
SERVE = Path(__file__).with_name("serve.py")
START_SECONDS = 500
PATIENCE_MS = 30_000


@dataclass(frozen=True)
class Server:
    """A running server of the App.

    Attributes:
        address: where it is.
        folder: where all of its files are.
        environment: the variables it was started with.
    """

    address: str
    folder: Path
    environment: dict[str, str]

    def code(self, operator: str) -> str:
        """What the owner gets in a terminal to confirm an operator."""
        ran = subprocess.run(
            [sys.executable, "-c", REUE, "app", "confirm", operator],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        # FiftyOne may have something to say first.
        return ran.stdout.splitlines()[-1]

    def python(self, program: str) -> None:
        """Runs a program beside the App, on its database."""
        subprocess.run(
            [sys.executable, "-c", program],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            check=True,
        )


@dataclass
class App:
    """The App in a page of the browser.

    Attributes:
        page: of playwright.
        server: what serves it.
        screenshots: the folder for pictures.
    """

    page: Any
    server: Server
    screenshots: Path

    @property
    def address(self) -> str:
        return self.server.address

    def open(self, dataset: str) -> None:
        """Go to a dataset and wait for its grid."""
        link = f"{self.address}/datasets/{dataset}"
        self.page.goto(link, wait_until="domcontentloaded")
        self.page.wait_for_selector('[data-cy="looker"]')
        # A page that opens while the server still has another dataset may follow that.
        if not self.page.url.startswith(link):
            self.page.goto(link, wait_until="domcontentloaded")
            self.page.wait_for_selector('[data-cy="looker"]')

    def panel(self, name: str, label: str) -> Any:
        """Open a panel beside the grid."""
        self.page.click('[data-cy="new-panel-btn"]')
        self.page.get_by_text(label, exact=True).first.click()
        found = self.page.locator(f'[data-cy="panel-content-{name}"]')
        found.wait_for()
        return found

    def panel_again(self, name: str, label: str) -> Any:
        """A panel after a reload, which may bring it back or not."""
        from playwright.sync_api import TimeoutError as Late

        found = self.page.locator(f'[data-cy="panel-content-{name}"]')
        with contextlib.suppress(Late):
            found.wait_for(timeout=5_000)
            return found
        return self.panel(name, label)

    def run(self, operator: str) -> Any:
        """Open an operator's form from the operator browser."""
        self.page.keyboard.press("`")
        search = self.page.get_by_placeholder("Search operations by name...")
        search.fill(operator)
        search.press("Enter")
        form = self.page.get_by_role("dialog")
        form.get_by_text(operator).first.wait_for()
        return form

    def fill(self, form: Any, label: str, text: str) -> None:
        """Type into a form's field by the field's label."""
        labelled = form.get_by_text(label, exact=True).first
        labelled.locator("xpath=following::input").first.fill(text)

    def choose(self, form: Any, label: str, value: str) -> None:
        """Choose a value of a form's dropdown by the dropdown's label."""
        labelled = form.locator(f'xpath=.//*[text()="{label}"]/following::*').locator(
            'xpath=self::*[@role="combobox"]'
        )
        labelled.first.click()
        self.page.get_by_role("option").filter(has_text=value).first.click()
        self.page.get_by_role("listbox").wait_for(state="detached")

    def count(self, wanted: int, timeout: float | None = None) -> None:
        """Wait until the grid has so many samples."""
        text = f"{wanted} sample" if wanted == 1 else f"{wanted} samples"
        self.page.get_by_text(text, exact=True).wait_for(timeout=timeout)

    def make_room(self) -> None:
        """Widen the window: beside a panel, the grid's tools lie over one another."""
        self.page.set_viewport_size({"width": 2200, "height": 950})

    def filter_by_bar(self, plot: Any, number: int, wanted: int) -> None:
        """Click a bar of a figure until the grid has so many samples.

        A click is lost if the figure is drawn anew meanwhile; one clicks again.
        """
        from playwright.sync_api import TimeoutError as Late

        for _ in range(3):
            self._press_bar(plot, number)
            with contextlib.suppress(Late):
                self.count(wanted, timeout=10_000)
                return
        self.count(wanted)

    def _press_bar(self, plot: Any, number: int) -> None:
        """Plotly wants the mouse to be there first."""
        bar = plot.locator(".bars .point path").nth(number)
        self.show(bar)
        box = bar.bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.wait_for_timeout(400)
        self.page.mouse.down()
        self.page.mouse.up()

    def show(self, found: Any) -> None:
        """Scroll to an element. One that is drawn anew meanwhile does no harm."""
        found.evaluate("element => element.scrollIntoView()")

    def drawn(self, pictures: Any, wanted: int | None = None) -> None:
        """Wait until pictures, and so many of them, are loaded and whole."""
        from playwright.sync_api import expect

        if wanted is not None:
            expect(pictures).to_have_count(wanted)
        pictures.evaluate_all("all => Promise.all(all.map(one => one.decode()))")

    def picture(self, name: str) -> None:
        """Keep a screenshot, once the grid and animations have settled."""
        self.page.wait_for_selector('[data-cy="looker"]', state="attached")
        self.page.wait_for_timeout(1200)
        self.page.screenshot(path=self.screenshots / f"{name}.png")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a test once more where the browser gave up, not where an assertion failed.

    On a busy machine a page may take longer than anybody should wait for it.
    """
    try:
        from playwright.sync_api import Error
    except ImportError:
        return  # without it, they are skipped
    again = pytest.mark.flaky(reruns=1, only_rerun=Error)
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(again)


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An App with some datasets; see ``serve.py``."""
    from fiftyone_reue.install.link import link

    folder = tmp_path_factory.mktemp("app")
    link(folder / "plugins")
    port = _free_port()
    name = f"{folder.name}-{os.getpid()}"
    environment = {
        **os.environ,
        "FIFTYONE_DATABASE_DIR": str(folder / "db"),
        "FIFTYONE_DATABASE_NAME": name,
        "FIFTYONE_PLUGINS_DIR": str(folder / "plugins"),
        "FIFTYONE_DEFAULT_DATASET_DIR": str(folder / "datasets"),
        "FIFTYONE_CONFIG_PATH": str(folder / "config.json"),
        "FIFTYONE_APP_CONFIG_PATH": str(folder / "app_config.json"),
        # Else its question about cookies lies over everything.
        "FIFTYONE_DO_NOT_TRACK": "true",
        "REUE_OWNER_KEY": "c4" * 32,
    }
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, SERVE, folder, str(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, log)
        yield Server(address, folder, environment)
    finally:
        workers = _workers_of(process)
        _stop(process)
        for worker in workers:
            worker.kill()
        _drop_database(name)
        shutil.rmtree(folder, ignore_errors=True)


_FAILED: pytest.StashKey[bool] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Note whether a test failed, for :func:`app`."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
def app(
    server: Server,
    browser: Any,
    screenshots: Path,
    request: pytest.FixtureRequest,
) -> Iterator[App]:
    """The App in a fresh page."""
    from playwright.sync_api import expect

    context = browser.new_context(viewport={"width": 1500, "height": 950})
    # Its pop-up about the paid edition would lie over everything.
    context.add_init_script(
        "localStorage.setItem('fiftyone-enterprise-tooltip-seen', 'true')"
    )
    context.route(lambda url: "fonts.g" in url, lambda route: route.abort())
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page = context.new_page()
    yield App(page, server, screenshots)
    if request.node.stash.get(_FAILED, False):
        page.screenshot(path=screenshots / f"failed_{request.node.name}.png")
    context.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the App didn't start:\n{log.read_text()[-4000:]}")


def _workers_of(process: subprocess.Popen) -> list[Any]:
    """The workers that the App started, which would outlive it."""
    import psutil

    below = psutil.Process(process.pid).children(recursive=True)
    # One that ended is still listed, until the App starts another process.
    running = [one for one in below if one.status() != psutil.STATUS_ZOMBIE]
    return [
        one for one in running if "fiftyone_reue.samples.worker" in str(one.cmdline())
    ]


def _stop(process: subprocess.Popen) -> None:
    """End the server; a mongod that FiftyOne started stops with its last client."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _drop_database(name: str) -> None:
    uri = os.environ.get("FIFTYONE_DATABASE_URI")
    if uri:
        import pymongo

        with pymongo.MongoClient(uri) as client:
            client.drop_database(name)
