"""A web server on this machine whose faults can be chosen, for tests of downloads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler", bytes], None]


@dataclass
class FileServer:
    """Where it is, and what it was asked: (name, value of Range) in order."""

    url: str
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def count(self, name: str) -> int:
        return Counter(asked for asked, _ in self.requests)[name]


class Handler(BaseHTTPRequestHandler):
    """Gives the bytes of a name, by the answers laid down for it."""

    protocol_version = "HTTP/1.1"
    files: Mapping[str, bytes]
    answers: Mapping[str, list[Answer]]
    served: FileServer

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.served.requests.append((name, self.headers.get("Range")))
        if name not in self.files:
            self.send_error(404)
            return
        planned = self.answers.get(name, [])
        answer = planned.pop(0) if planned else whole
        try:
            answer(self, self.files[name])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def begin(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


def whole(handler: Handler, content: bytes) -> None:
    """All of it, or the range that was asked for."""
    asked = handler.headers.get("Range")
    if asked is None:
        handler.begin(200, len(content))
        handler.wfile.write(content)
        return
    first = int(asked.removeprefix("bytes=").removesuffix("-"))
    if first >= len(content):
        handler.begin(416, 0, Content_Range=f"bytes */{len(content)}")
        return
    place = f"bytes {first}-{len(content) - 1}/{len(content)}"
    handler.begin(206, len(content) - first, Content_Range=place)
    handler.wfile.write(content[first:])


def without_ranges(handler: Handler, content: bytes) -> None:
    """All of it, whatever range was asked for."""
    handler.begin(200, len(content))
    handler.wfile.write(content)


def truncated(handler: Handler, content: bytes) -> None:
    """The connection breaks in the middle of what was asked for."""
    asked = handler.headers.get("Range")
    first = 0 if asked is None else int(asked[len("bytes=") : -1])
    rest = content[first:]
    if first:
        place = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.begin(206, len(rest), Content_Range=place)
    else:
        handler.begin(200, len(rest))
    handler.wfile.write(rest[: len(rest) // 2])
    handler.close_connection = True


def status(code: int, **headers: str) -> Answer:
    """An answer without content."""
    return lambda handler, content: handler.begin(code, 0, **headers)


def content_of(other: bytes) -> Answer:
    """Other bytes than those of the file."""
    return lambda handler, content: whole(handler, other)


def wrong_range(handler: Handler, content: bytes) -> None:
    """A range that begins elsewhere."""
    place = f"bytes 0-{len(content) - 1}/{len(content)}"
    handler.begin(206, len(content), Content_Range=place)
    handler.wfile.write(content)


def silent_after(size: int, seconds: float) -> Answer:
    """Some bytes, then nothing for a while."""

    def answer(handler: Handler, content: bytes) -> None:
        handler.begin(200, len(content))
        handler.wfile.write(content[:size])
        handler.wfile.flush()
        time.sleep(seconds)
        handler.close_connection = True

    return answer


def dripping(size: int, seconds: float) -> Answer:
    """So many bytes at a time, with a pause before each."""

    def answer(handler: Handler, content: bytes) -> None:
        asked = handler.headers.get("Range")
        first = 0 if asked is None else int(asked[len("bytes=") : -1])
        place = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.begin(206 if first else 200, len(content) - first, Content_Range=place)
        for begin in range(first, len(content), size):
            time.sleep(seconds)
            handler.wfile.write(content[begin : begin + size])
            handler.wfile.flush()

    return answer


def moved_to(url: str) -> Answer:
    """A redirection."""
    return lambda handler, content: handler.begin(302, 0, Location=url)


def moved_without_end(url: str, seconds: float) -> Answer:
    """A redirection with a page beside it that does not come."""

    def answer(handler: Handler, content: bytes) -> None:
        handler.begin(302, 1 << 40, Location=url)
        handler.wfile.flush()
        time.sleep(seconds)
        handler.close_connection = True

    return answer


def with_header(name: str, value: str) -> Answer:
    """The content under a header of one's own, and no length."""

    def answer(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True

    return answer


@contextmanager
def serve(
    files: Mapping[str, bytes], answers: Mapping[str, Sequence[Answer]] | None = None
) -> Iterator[FileServer]:
    """Serve files by name; `answers` are given one after the other, then the file."""
    served = FileServer("")
    planned = {name: list(given) for name, given in (answers or {}).items()}
    body = {"files": files, "answers": planned, "served": served}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), body))
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}/data"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
