"""A mongod of the tests' own.

FiftyOne starts one by itself, or takes any that another process of the same user
started so, wherever that one keeps its data. Tests would write into the database of
whoever has FiftyOne open beside them, and whoever opens it meanwhile would have their
datasets in a folder that is deleted when the tests end. It looks for its own way of
starting one alone: this one isn't found, and who is told where it is looks for none.
"""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

START_SECONDS = 60


def find_mongod() -> str | None:
    """The program: FiftyOne's, or the machine's."""
    packaged = [Path(p) / "fiftyone" / "db" / "bin" / "mongod" for p in sys.path]
    found = next((str(path) for path in packaged if path.is_file()), None)
    return found or shutil.which("mongod")


class Mongod:
    """A server that can be killed and started again.

    Args:
        binary: of :func:`find_mongod`.
        folder: for its data, made anew.
    """

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        folder.mkdir()
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            self.port = server.getsockname()[1]

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        log = self._folder / "log"
        command = [self._binary, "--dbpath", str(self._folder), "--quiet"]
        where = ["--bind_ip", "127.0.0.1", "--port", str(self.port), "--nounixsocket"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *where], stdout=output, stderr=output
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"mongod doesn't start: {log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.wait(30)
