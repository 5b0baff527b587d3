"""What a page of somebody else's can do that is open in the owner's browser.

It can send the App's server requests, of the kinds that a browser sends without
asking the server first, and the server executes them. Under a name of its own that it
has lead to this machine it can read the answers as well.
"""

import http.server
import json
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

DATASET = "attacked"
COPIES = 12
PLUGIN = "@reue/fiftyone-reue"
JOB_MS = 180_000
"""A job's worker may have to be started first."""
NO_CODE = "AAAA-BBBB-CCCC-DDDD"

SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
"""What a page may send anywhere without a preflight."""

POST = """async ([url, body, type, mode]) => {
    const options = {method: "POST", body, mode, headers: {"Content-Type": type}};
    try {
        const answer = await fetch(url, options);
        return [answer.type, answer.status, await answer.text()];
    } catch (error) {
        return ["error", 0, String(error)];
    }
}"""

SUBMIT = """([url, name, value]) => {
    const form = document.createElement("form");
    Object.assign(form, {method: "POST", action: url, enctype: "text/plain"});
    const frame = document.createElement("iframe");
    frame.name = form.target = "frame" + document.forms.length;
    const input = document.createElement("input");
    Object.assign(input, {name, value});
    form.append(input);
    document.body.append(form, frame);
    form.submit();
}"""


class Blank(http.server.BaseHTTPRequestHandler):
    """A page without anything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Nice pictures</title>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of somebody else's page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


@pytest.fixture
def foreign(browser: Any, elsewhere: str) -> Iterator[Any]:
    """Somebody else's page in the owner's browser."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(elsewhere)
    yield page
    context.close()


def asking(operator: str, **params: Any) -> dict[str, Any]:
    """The request to execute an operator."""
    return {
        "operator_uri": f"{PLUGIN}/{operator}",
        "dataset_name": DATASET,
        "params": params,
    }


def harms(folder: Path) -> list[dict[str, Any]]:
    """What a page may want, as it would ask for it."""
    loot = str(folder / "loot")
    wanted = [
        asking("restore_dataset", output_dir=loot),
        asking("restore_dataset", output_dir=loot, tier="licensed", recipient="dora"),
        asking("delete_release", release="dora_1", files=True, confirm=True),
        asking("manage_recipients", action="revoke", recipient="dora"),
        asking(
            "manage_recipients",
            action="add",
            name="mallory",
            key_out=str(folder / "mallory.key"),
        ),
        asking("protect_dataset", recipient="dora", method="lsp", output_dir=loot),
        asking("protect_dataset", recipient="dora", method="lsp", prune=True),
        asking("publish_dataset", method="lsp", output_dir=loot),
        asking("package_release", release="dora_1", output=loot),
        asking("reveal_hidden", output_dir=loot, decoys=1),
        asking("audit_release", release="dora_1", output_dir=loot),
    ]
    scheduled = [
        {**request, "request_delegation": True, "delegated": True}
        for request in wanted[:1]
    ]
    guessed = [
        {**one, "params": {**one["params"], "confirmation": NO_CODE, "permit": ""}}
        for one in wanted[:3]
    ]
    return wanted + scheduled + guessed


def answer(server: Any, path: str, request: dict[str, Any]) -> dict[str, Any]:
    """What the server says to somebody on this machine."""
    asked = urllib.request.Request(
        server.address + path, json.dumps(request).encode(), method="POST"
    )
    with urllib.request.urlopen(asked, timeout=60) as response:
        return json.load(response)


def recipients(server: Any) -> dict[str, tuple[int, str]]:
    """How many copies each has, and whether they are revoked."""
    listed = answer(
        server, "/operators/execute", asking("manage_recipients", action="list")
    )
    assert listed["error"] is None, listed["error"]
    rows = listed["result"]["recipients"]
    return {row["name"]: (row["releases"], row["state"]) for row in rows}


def copies(server: Any) -> int:
    return len(list((server.folder / "handed_out" / "dora").rglob("*.png")))


@pytest.fixture
def unharmed(server: Any, tmp_path: Path) -> Iterator[None]:
    """Looks whether anything happened; the rest of the test makes it."""
    before = recipients(server)
    yield
    time.sleep(2)
    assert recipients(server) == before
    assert before["dora"][1] == "active"
    assert "mallory" not in before
    assert copies(server) == COPIES
    assert list(tmp_path.iterdir()) == []


def test_a_page_reaches_the_server(foreign: Any, server: Any) -> None:
    """Without a code it can have a copy made in the owner's own folder: it is heard."""
    count = recipients(server)["dora"][0]
    request = asking("protect_dataset", recipient="dora", method="lsp", name="heard")
    url = f"{server.address}/operators/execute/generator"
    sent = [url, json.dumps(request), "text/plain", "no-cors"]
    assert foreign.evaluate(POST, sent)[0] == "opaque"
    end = time.monotonic() + 60
    while recipients(server)["dora"][0] == count and time.monotonic() < end:
        time.sleep(0.5)
    assert recipients(server)["dora"][0] == count + 1


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize(
    "route", ["/operators/execute", "/operators/execute/generator"]
)
def test_a_page_can_do_no_harm(
    route: str, foreign: Any, server: Any, tmp_path: Path
) -> None:
    url = server.address + route
    for number, request in enumerate(harms(tmp_path)):
        body = json.dumps(request)
        kind = SIMPLE[number % len(SIMPLE)]
        # The browser sends it and shows the page nothing of the answer.
        heard = foreign.evaluate(POST, [url, body, kind, "no-cors"])
        assert heard == ["opaque", 0, ""]
        assert foreign.evaluate(POST, [url, body, kind, "cors"])[0] == "error"
        # The browser asks the server first, which doesn't allow it.
        asked = foreign.evaluate(POST, [url, body, "application/json", "cors"])
        assert asked[0] == "error"


@pytest.mark.usefixtures("unharmed")
def test_a_form_can_do_no_harm(foreign: Any, server: Any, tmp_path: Path) -> None:
    """A form that the page sends needs no script, and shows the answer to nobody."""
    url = f"{server.address}/operators/execute"
    for request in harms(tmp_path)[2:5]:
        body = json.dumps({**request, "x": "="})
        name, value = body.rsplit("=", 1)
        with foreign.expect_response(url) as answered:
            foreign.evaluate(SUBMIT, [url, name, value])
        assert answered.value.status == 500


@pytest.mark.usefixtures("unharmed")
def test_a_page_that_reads_every_answer_can_do_no_harm(
    browser: Any, server: Any, tmp_path: Path
) -> None:
    """A page whose name leads to this machine is one with the App, for the browser."""
    address = server.address.replace("127.0.0.1", "rebound.test")
    context = browser.new_context()
    page = context.new_page()
    # Once the name leads here, the page's script runs in a frame with an answer of the
    # server's: the frame has the page's origin.
    page.goto(f"{address}/plugins")
    waiting = server.code("restore_dataset")
    shown = []
    for request in harms(tmp_path):
        body = json.dumps(request)
        for route in (
            "/operators/resolve-type",
            "/operators/resolve-execution-options",
            "/operators/execute",
            "/operators/execute/generator",
        ):
            sent = [address + route, body, "application/json", "cors"]
            kind, _, text = page.evaluate(POST, sent)
            assert kind == "basic", text
            shown.append(text)
            if "/execute" in route and "execution-options" not in route:
                # An audit of so few images is refused before it asks for a code.
                refused = "confirm" in text or "Path: few" in text
                assert refused or not text, text
    context.close()
    # It read everything, but a code that the owner has ready is nowhere.
    everything = "\n".join(shown)
    assert "reue app confirm restore_dataset" in everything
    assert waiting not in everything
    assert waiting.replace("-", "") not in everything


def test_the_server_hands_out_what_its_user_can_read(
    foreign: Any, browser: Any, server: Any
) -> None:
    """Why keys shouldn't be such files: who can read answers reads them."""
    path = f"/media?filepath={server.folder / 'dora.key'}"
    read = "async url => fetch(url).then(a => a.text()).catch(() => null)"
    assert foreign.evaluate(read, server.address + path) is None
    address = server.address.replace("127.0.0.1", "rebound.test")
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/plugins")
    assert page.evaluate(read, address + path).startswith("-----BEGIN REUE RECIPIENT")
    context.close()


def test_the_owner_restores_with_a_code(app: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    app.open(DATASET)
    form = app.run("Restore a protected dataset")
    app.fill(form, "Output folder", str(tmp_path / "originals"))
    submit = form.get_by_role("button", name="Restore", exact=True)
    expect(submit).to_be_disabled()
    app.fill(form, "Confirmation code", NO_CODE)
    app.picture("restore_form")
    submit.click()
    wrong = "The confirmation code is wrong or too old"
    app.page.get_by_text(wrong).first.wait_for()
    app.picture("restore_refused")
    assert not (tmp_path / "originals").exists()

    app.open(DATASET)
    form = app.run("Restore a protected dataset")
    app.fill(form, "Output folder", str(tmp_path / "originals"))
    code = app.server.code("restore_dataset")
    app.fill(form, "Confirmation code", code)
    form.get_by_role("button", name="Restore", exact=True).click()
    done = app.page.get_by_text(f"Restored {COPIES} originals exactly").first
    done.wait_for(timeout=JOB_MS)
    assert len(list((tmp_path / "originals").rglob("*.png"))) == COPIES
    app.picture("restore_done")
    kept = app.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert code not in kept


def test_the_owner_deletes_with_a_code(app: Any) -> None:
    app.open(DATASET)
    form = app.run("Delete a release")
    app.choose(form, "Release", "heard")
    app.fill(form, "Confirmation code", app.server.code("delete_release"))
    form.get_by_role("button", name="Delete", exact=True).click()
    # It begins after a minute.
    status = app.page.locator('[data-cy="panel-content-protection_status"]')
    status.get_by_text(re.compile("heard: begins in")).wait_for(timeout=JOB_MS)
    status.get_by_role("button", name="Undo").wait_for()
    app.picture("delete_undo")
    app.page.get_by_text("Deleted release heard").first.wait_for(timeout=JOB_MS)
