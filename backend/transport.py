"""HTTP to one endpoint: one pool of connections, keys that stay there, sockets that can be shut.

Knows status codes, not what a question or a reply is. `requests` does the work; what is added is
that another thread can end an exchange in any state, that a body is given out as it arrives, and
that redirects are followed only as far as they are safe.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.connection
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from backend.attempts import Failure
from backend.base import BrokeContract, Interrupted, Refused, TooSlow, Unreachable
from backend.cancelled import Cancelled
from backend.policy import Policy

PIECE = 64 * 1024
POOL = 32
"""Connections kept open when idle. More are made where more people ask at once."""
RESOLVING = 0.1
"""Seconds between two looks whether an exchange was shut while its host's name is looked up."""
LAST_WORDS = 0.05
"""Seconds for the end of a body that nobody needs. Read to its end, the connection is kept."""

# Its warnings about a head that is no HTTP repeat what the endpoint sent, and name its address.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

_current = threading.local()


class Line:
    """One exchange, and the way to end it from another thread. Used for one question."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._socket: socket.socket | None = None
        self._shut = threading.Event()

    @property
    def is_shut(self) -> bool:
        return self._shut.is_set()

    def shut(self) -> None:
        """End whatever is going on; a thread that is blocked in it returns. Safe to call twice."""
        self._shut.set()
        with self._lock:
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    def pause(self, seconds: float) -> None:
        """Sleep, but not when shut: that raises `Cancelled`."""
        if self._shut.wait(seconds):
            raise Cancelled

    def hold(self, sock: socket.socket) -> None:
        """From now on `sock` is the one to shut. Raises `Cancelled` where it is too late."""
        with self._lock:
            self._drop()
            # A handle of our own to the same connection: TLS takes the first one over.
            self._handle = socket.socket(sock.family, sock.type, fileno=os.dup(sock.fileno()))
        self.watch(sock)
        if self._shut.is_set():
            raise Cancelled

    def watch(self, sock: socket.socket) -> None:
        """`sock` is the one that is read from: the same connection, inside its TLS."""
        self._socket = sock

    def timeout(self, seconds: float) -> None:
        """For each read from now on."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(seconds)

    def close(self) -> None:
        with self._lock:
            self._drop()
        self._socket = None

    def _drop(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class _Held:
    """A connection whose socket is held by the line of the thread that uses it."""

    sock: Any
    timeout: Any
    _holder: Line | None = None

    def _new_conn(self) -> socket.socket:
        connection = cast(Any, self)
        line = _line()
        try:
            addresses = _resolve(connection._dns_host, connection.port, line)
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(
                connection.host, connection, error
            ) from error
        fault: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                for option in connection.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(connection.timeout)
                line.hold(sock)
                self._holder = line
                sock.connect(address)
                return sock
            except OSError as error:
                fault = error
                sock.close()
            except BaseException:
                sock.close()
                raise
        raise urllib3.exceptions.NewConnectionError(connection, "no connection") from fault

    def request(self, *given: Any, **named: Any) -> None:
        line = _line()
        if self.sock is not None:  # one from the pool: whoever had it may not shut it any more
            if self._holder is not None:
                self._holder.close()
            line.hold(self.sock)
            self._holder = line
        cast(Any, super()).request(*given, **named)
        line.watch(cast(Any, self.sock))


class _Plain(_Held, urllib3.connection.HTTPConnection):  # pyright: ignore[reportIncompatibleMethodOverride]
    pass


class _Secure(_Held, urllib3.connection.HTTPSConnection):  # pyright: ignore[reportIncompatibleMethodOverride]
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain  # pyright: ignore[reportAssignmentType]


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure  # pyright: ignore[reportAssignmentType]


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        cast(Any, super()).init_poolmanager(*given, **named)
        pools = {"http": _PlainPool, "https": _SecurePool}
        cast(Any, self).poolmanager.pool_classes_by_scheme = pools

    def proxy_manager_for(self, *given: Any, **named: Any) -> Any:
        manager = cast(Any, super()).proxy_manager_for(*given, **named)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager


class Answer:
    """The head of an answer; its body as it comes. Close it, or read it to its end."""

    def __init__(self, response: requests.Response, line: Line) -> None:
        self._response = response
        self._raw: Any = response.raw
        self._line = line
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def media_type(self) -> str:
        """Of the Content-Type, in lower case; empty where there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives, not decoded. Raises `Failure` where it breaks off."""
        raw = self._raw
        try:
            if raw.chunked and raw.supports_chunked_reads():
                yield from raw.read_chunked(PIECE, decode_content=False)
            else:
                # `stream` and `iter_content` would wait for a whole piece.
                while piece := raw.read1(PIECE, decode_content=False):
                    yield piece
        except _READING as error:
            raise _broken(error, self._line) from None
        if self._line.is_shut:
            raise Cancelled

    def body(self, limit: int) -> bytes:
        """The whole of it. Raises `Failure` where it is longer than `limit` or breaks off."""
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > limit:
                raise Failure(BrokeContract("The endpoint sent more than a reply can be."))
        return bytes(body)

    def rest(self) -> None:
        """Read to the end what does not matter, if it is there, so that the connection is kept."""
        self._line.timeout(LAST_WORDS)
        until = time.monotonic() + 2 * LAST_WORDS
        with contextlib.suppress(Failure):
            for _ in self.pieces():
                if time.monotonic() > until:
                    break
        self.close()

    def close(self) -> None:
        self._response.close()


class Transport:
    """Exchanges with the origin of `url`. May be used from several threads."""

    def __init__(self, url: str, headers: Mapping[str, str], policy: Policy) -> None:
        self._origin = _origin(url)
        self._policy = policy
        self._session = _Session()
        # Creating a session for each question would cost a TCP and a TLS handshake each.
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=POOL))
        self._session.headers.clear()
        self._session.headers.update(
            {"User-Agent": "medicalgpt", "Accept-Encoding": "identity", **headers}
        )
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Else `.netrc` could put other credentials into our requests.
        self._session.auth = _no_other_auth
        # A proxy is for what is far away.
        self._session.trust_env = urlsplit(url).scheme == "https"

    def ask(
        self,
        line: Line,
        method: str,
        url: str,
        body: bytes | None = None,
        redirected: Callable[[], None] = lambda: None,
    ) -> Answer:
        """The answer's head, after redirects; `redirected` is called at each.

        Raises `Failure` for what happened on the way, never for a status.
        """
        answer = self._send(line, method, url, body)
        for _ in range(self._policy.redirects):
            if not 300 <= answer.status < 400:
                return answer
            answer.close()
            # A 303 says that the question was taken and where its answer will be. It is never
            # asked again, and nowhere else.
            url = self._next(answer, url)
            redirected()
            answer = self._send(line, "GET", url, None)
        answer.close()
        raise Failure(Refused("The endpoint redirects without end."))

    def close(self) -> None:
        self._session.close()

    def _next(self, answer: Answer, url: str) -> str:
        location = answer.headers.get("location", "")
        target = ""
        with contextlib.suppress(ValueError):  # such as a bracket that is never closed
            target = urljoin(url, location)
        if answer.status != 303 or not location or _origin(target) != self._origin:
            raise Failure(Refused("The endpoint redirects to where keys must not go."))
        return target

    def _send(self, line: Line, method: str, url: str, body: bytes | None) -> Answer:
        _current.line = line
        headers = {"Accept": "text/event-stream, application/json"} if body else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=(self._policy.connect, self._policy.headers),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            line.close()
            raise _unsent(error, line) from None
        answer = Answer(response, line)
        if answer.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            answer.close()
            raise Failure(BrokeContract("The endpoint packs its answers although told not to."))
        return answer


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: even when it is not to follow one, `requests` would read all of its body."""


def _line() -> Line:
    return cast(Line, _current.line)


def _no_other_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    with contextlib.suppress(ValueError):
        default = {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").lower(), parts.port or default
    return "", "", None


def _resolve(host: str, port: int, line: Line) -> list[Any]:
    """`getaddrinfo`, which nothing can interrupt, in a thread that may be left behind."""
    found: list[Any] = []
    done = threading.Event()

    def look() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            found.append(error)
        done.set()

    threading.Thread(target=look, name="resolve", daemon=True).start()
    while not done.wait(RESOLVING):
        if line.is_shut:
            raise Cancelled
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


_READING = (urllib3.exceptions.HTTPError, OSError, ValueError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that it came from, however `requests` and `urllib3` wrapped it."""
    todo, seen = [error], set[int]()
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        todo += [one for one in inner if isinstance(one, BaseException)]


def _unsent(error: Exception, line: Line) -> Failure | Cancelled:
    """What it means that no head of an answer came."""
    if line.is_shut:
        return Cancelled()
    chain = list(_chain(error))

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((each for each in chain if isinstance(each, kinds)), None)

    name = among(socket.gaierror)
    if isinstance(name, socket.gaierror):
        again = 2 if name.args[:1] == (socket.EAI_AGAIN,) else 0
        return Failure(Unreachable("The endpoint's name is not known."), again, down=True)
    if among(ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return Failure(Unreachable("The endpoint hung up before it was asked."), 2, down=True)
    if among(ssl.SSLError):
        return Failure(Refused("The endpoint's certificate, or its TLS, cannot be trusted."))
    if among(urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
        return Failure(Unreachable("There is no connection to the endpoint."), 2, down=True)
    if among(urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return Failure(TooSlow("The endpoint did not answer in time."), down=True)
    if among(ConnectionError):
        # The question was written: a machine may be at work on it already.
        return Failure(Unreachable("The endpoint hung up before it answered."), 1, down=True)
    return Failure(BrokeContract("The endpoint's answer is not HTTP."), down=True)


def _broken(error: Exception, line: Line) -> Failure | Cancelled:
    """What it means that a body broke off."""
    if line.is_shut:
        return Cancelled()
    return Failure(Interrupted("The endpoint's answer broke off."), down=True)
