"""An SFTP server on this machine, for tests: asyncssh's, in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Server:
    """A server that is running.

    Attributes:
        url: of the folder that it serves.
        folder: that folder.
        connections: how many were opened.
    """

    def __init__(self, folder: Path, port: int, loop: asyncio.AbstractEventLoop):
        self.folder, self.url = folder, f"sftp://127.0.0.1:{port}"
        self.connections = 0
        self._loop, self._open = loop, []

    def cut_off(self) -> None:
        """End all connections, as a firewall does."""

        async def end() -> None:
            for one in self._open:
                one.abort()
            self._open.clear()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)


@contextmanager
def sftp_server(folder: Path, keys: Path) -> Iterator[Server]:
    """Serve a folder to whoever holds ``keys/me``; ``keys/other`` opens nothing."""
    import asyncssh

    for name in ("me", "other"):
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(keys / name)
    public = asyncssh.read_private_key(keys / "me").export_public_key().decode()
    served: list[Server] = []

    class Connected(asyncssh.SSHServer):
        def connection_made(self, connection: Any) -> None:
            served[0].connections += 1
            served[0]._open.append(connection)

    def files(channel: Any) -> Any:
        return asyncssh.SFTPServer(channel, chroot=str(folder).encode())

    async def listen() -> Any:
        return await asyncssh.listen(
            *("127.0.0.1", 0),
            server_factory=Connected,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=asyncssh.import_authorized_keys(public),
            sftp_factory=files,
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        found = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
        served.append(Server(folder, found.get_port(), loop))
        try:
            yield served[0]
        finally:
            served[0].cut_off()
            loop.call_soon_threadsafe(found.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
