"""A server of files that fails in the way that a link asks for, and files for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builders import cube_of, nm_tags, write_tif
from emit_cases import write_emit
from new_sensor_cases import WYVERN, write_wyvern, wyvern_item

#: Serves ranges of files, and logs each request. The first part of a path is what goes wrong.
SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

seen = {}

class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, is_head):
        way, _, name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        path = Path("files") / name
        signed = "signed " * ("Authorization" in self.headers)
        with open("log.txt", "a") as log:
            log.write(f"{self.command} {self.path} {signed}{self.headers.get('Range', '')}\\n")
        if way.isdigit():
            return self.plain(int(way))
        if way == "to":  # the rest is an address, or the path of one on this host
            self.send_response(302)
            self.send_header("Location", self.path[len("/to/"):])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if not path.is_file():
            return self.plain(404)
        whole = path.read_bytes()
        first, last = 0, len(whole) - 1
        wanted = self.headers.get("Range")
        if wanted:
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
        part = whole[first : last + 1]
        asks = 0 if wanted == "bytes=0-0" else 1  # of whoever looks where a link leads
        count = seen[self.path, self.command] = seen.get((self.path, self.command), 0) + asks
        if way == "slow":
            time.sleep(0.3)
        if way == "flaky" and count == 1 and not is_head:
            return self.plain(503)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(whole)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if is_head:
            return
        if way == "cut" or (way == "cutonce" and count == 1):
            self.wfile.write(part[: len(part) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(part)

    def plain(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self):
        self.answer(True)

    def do_GET(self):
        self.answer(False)

server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def running(server: str, folder: Path) -> Iterator[str]:
    """Run the code of a server in a folder, in a process of its own: rasterio waits for answers without letting other threads run.

    Args:
        server: The code, which prints the port.
        folder: Its working directory.

    Yields:
        The address of the server.
    """
    with subprocess.Popen(
        [sys.executable, "-c", server],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


class Served:
    """A running server.

    Attributes:
        url: Its address.
        folder: Folder of its files.
    """

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.folder, self._log = url, home / "files", home / "log.txt"

    def requests(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def bytes_asked(self) -> int:
        total = 0
        for line in self.requests():
            _, _, wanted = line.rpartition("bytes=")
            first, _, last = wanted.partition("-")
            total += int(last) - int(first) + 1 if first.isdigit() and last.isdigit() else 0
        return total


def scene(path: Path) -> Path:
    return write_tif(path, cube_of(3), band_tags=nm_tags([450.0, 550.0, 660.0]))


WRITERS: dict[str, Callable[[Path], Path]] = {"a.tif": scene, "a.nc": write_emit}


def write_item(served: Served, **changes: Any) -> Path:
    write_wyvern(served.folder)
    item = wyvern_item()
    for asset in item["assets"].values():
        asset["href"] = "./" + asset["href"].rsplit("/", 1)[-1]
    item["assets"] |= changes
    (served.folder / f"{WYVERN}.json").unlink()
    path = served.folder / "item.json"
    path.write_text(json.dumps(item))
    return path
