"""Fetch a file whose size and checksum are known, over connections that may break.

What has arrived stands in NAME.part until it is whole and its checksum is right; then
it becomes NAME. A later run goes on behind what is in NAME.part.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import IO
from urllib.parse import urlsplit

from mxio._atomic import naming
from mxio.errors import DataError, MxioError, ParameterError, system_error
from mxio.tools._command import printable, progress_bar

__all__ = ["checked_server", "fetch", "sha256_of"]

_PIECE = 1 << 16
_LEAST_RATE = 1024  # bytes a second; a connection that gives less counts as broken
_LONGEST_PAUSE = 60.0  # seconds between two rounds of tries
_FOR_NOW = {408, 425, 429, 500, 502, 503, 504}  # statuses that may pass
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
_AGENT = "mxio (data set downloader)"


class _ServerFailed(Exception):
    """What a server did wrong; the message says it.

    passing: another try may go better, after `pause` seconds. wrong: its bytes are.
    """

    def __init__(
        self,
        problem: str,
        *,
        passing: bool,
        pause: float = 0.0,
        wrong: bool = False,
    ) -> None:
        super().__init__(problem)
        self.passing = passing
        self.pause = pause
        self.wrong = wrong


def fetch(
    urls: Sequence[str],
    path: str,
    size: int,
    sha256: str,
    *,
    timeout: float,
    tries: int,
    progress: bool,
) -> int:
    """Make `path` the file of that size and checksum; the bytes that were transferred.

    urls: where it can be had, tried in turn, each up to `tries` times, with growing
    pauses between the rounds. timeout: seconds without an answer or without 1024 bytes
    a second, after which a try has failed. A right file at `path` stays; a wrong one
    stays until it can be replaced.

    When no try succeeds, raises an MxioError, naming server and reason: an OSError, and
    what has arrived is kept for the next run; DataError when the bytes were wrong. Also
    an OSError naming the file that cannot be written.
    """
    if sha256_of(path, size) == sha256:
        return 0
    name = os.path.basename(path)
    with _Part(f"{path}.part", size) as part:
        with progress_bar(progress, name, size, "B") as part.advance:
            part.advance(part.have)
            _fetch_part(urls, part, sha256, timeout, tries)
        part.publish(path)
        return part.received


def sha256_of(path: str, size: int | None = None) -> str | None:
    """The SHA-256 of a file in hex; None when there is none, or none of that size."""
    try:
        with naming(path), open(path, "rb") as file:
            if size is not None and os.fstat(file.fileno()).st_size != size:
                return None
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def checked_server(url: str) -> str:
    """The address of a folder, ending in /; ParameterError unless it is HTTP(S)."""
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:  # of a port or an IPv6 address that is none
        scheme, host = "", None
    if scheme not in ("http", "https") or not host:
        raise ParameterError(
            f"mirror must be the http or https address of a folder, got {url!r}"
        )
    return url if url.endswith("/") else f"{url}/"


class _Part:
    """What has arrived of a file, under a name of its own, with its checksum so far."""

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size
        self.received = 0
        self.have = 0
        self.advance: Callable[[int], object] = lambda count: None
        with naming(path):
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
        try:
            self._digest = self._read_again()
        except BaseException:
            self._file.close()
            raise

    def _read_again(self) -> hashlib._Hash:
        with naming(self.path):
            self._file.seek(0)
            digest = hashlib.sha256()
            while piece := self._file.read(1 << 20):
                digest.update(piece)
                self.have += len(piece)
            if self.have > self.size:
                self._file.truncate(0)
                self.have, digest = 0, hashlib.sha256()
        return digest

    def write(self, piece: bytes) -> None:
        with naming(self.path):
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) :]
        self._digest.update(piece)
        self.have += len(piece)
        self.received += len(piece)
        self.advance(len(piece))

    def restart(self) -> None:
        """Forget what has arrived."""
        self.advance(-self.have)
        with naming(self.path):
            self._file.truncate(0)
        self.have, self._digest = 0, hashlib.sha256()

    def is_whole(self) -> bool:
        return self.have == self.size

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def publish(self, path: str) -> None:
        with naming(path):
            os.fsync(self._file.fileno())
            os.replace(self.path, path)

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        if self.have == 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)


def _fetch_part(
    urls: Sequence[str], part: _Part, sha256: str, timeout: float, tries: int
) -> None:
    """Complete the part; MxioError when every try has failed."""
    left = list(urls)
    for round_number in range(tries):
        pause = min(2.0**round_number, _LONGEST_PAUSE)
        for url in list(left):
            try:
                _try_once(url, part, sha256, timeout)
                return
            except _ServerFailed as failure:
                problem, wrong = f"{url}: {printable(str(failure))}", failure.wrong
                pause = max(pause, min(failure.pause, _LONGEST_PAUSE))
                if not failure.passing:
                    left.remove(url)
        if not left:
            raise system_error(errno.EIO, f"cannot download: {problem}")
        if round_number + 1 < tries:
            _say(f"{problem}; trying again in {pause:.0f} s")
            sleep(pause)
    times = "1 try" if tries == 1 else f"{tries} tries"
    kept = f"; {part.have} bytes are kept for the next run" if part.have else ""
    sentence = f"cannot download: {problem}; gave up after {times}{kept}"
    if wrong:
        raise DataError(sentence)
    raise system_error(errno.EIO, sentence)


def _say(text: str) -> None:
    """A line on stderr, above a bar that is shown there."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def _try_once(url: str, part: _Part, sha256: str, timeout: float) -> None:
    """One connection, unless all has arrived already; _ServerFailed when it fails."""
    if not part.is_whole():
        try:
            _receive(url, part, timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error, part) from None
        except urllib.error.URLError as error:
            raise _unreachable(error.reason) from None
        except MxioError:  # the disk's, not the network's
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(error) from None  # ValueError: of a bad redirection
    if part.sha256() != sha256:
        found = part.sha256()
        part.restart()
        raise _ServerFailed(
            f"its bytes have the SHA-256 {found}, not {sha256}",
            passing=True,
            wrong=True,
        )


def _receive(url: str, part: _Part, timeout: float) -> None:
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if part.have:
        headers["Range"] = f"bytes={part.have}-"
    request = urllib.request.Request(url, headers=headers)
    with _opener().open(request, timeout=timeout) as response:
        _agree(response, part)
        window_end, window_from = monotonic() + timeout, part.have
        while not part.is_whole():
            piece = response.read1(min(_PIECE, part.size - part.have))
            if not piece:
                raise _ServerFailed(
                    f"the connection ended at byte {part.have} of {part.size}",
                    passing=True,
                )
            part.write(piece)
            if monotonic() > window_end:
                if part.have - window_from < _LEAST_RATE * timeout:
                    raise _ServerFailed(
                        f"less than {_LEAST_RATE} bytes a second", passing=True
                    )
                window_end, window_from = monotonic() + timeout, part.have


def _agree(response: http.client.HTTPResponse, part: _Part) -> None:
    """Make sure that the answer begins where the part ends and is of the right size."""
    length = response.headers.get("Content-Length", "")
    if response.status == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != part.have:
            part.restart()
            raise _ServerFailed("it sent another range than asked for", passing=True)
        size = found[2]
    else:  # the range was ignored: all of it comes again
        if part.have:
            part.restart()
        size = length
    if size.isdecimal() and size.lstrip("0") != str(part.size):
        raise _ServerFailed(
            f"it has a file of {size[:20]} bytes, not of {part.size}", passing=False
        )


def _refusal(error: urllib.error.HTTPError, part: _Part) -> _ServerFailed:
    if error.code == 416:
        part.restart()
    wait = error.headers.get("Retry-After", "")
    return _ServerFailed(
        f"{error.code} {error.reason}",
        passing=error.code in _FOR_NOW or error.code == 416,
        pause=float(wait) if wait.isdecimal() else 0.0,
    )


def _unreachable(reason: object) -> _ServerFailed:
    if isinstance(reason, OSError):
        text = reason.strerror or str(reason) or type(reason).__name__
    else:
        text = str(reason) or type(reason).__name__
    untrusted = isinstance(reason, ssl.SSLCertVerificationError)
    return _ServerFailed(text, passing=not untrusted)


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS, proxies and redirections; no local files, no FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _Redirections,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Does not read what comes with a redirection: it may have no end."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        fp.close()
        return super().redirect_request(req, fp, code, msg, headers, newurl)
