"""What may come in, and what every answer carries. Raw bytes over real sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from backend.scripted import ScriptedBackend
from chat.conversation import MAX_QUESTION_CHARS
from tests.conftest import Serve, serving
from tests.serve_scripted import Pattern, script
from tests.visitor import Visitor, shown
from ui.guard import MAX_BODY
from ui.words import ENGLISH as words

CLOSED = [  # (method, path): what Gradio or FastAPI answers by itself
    ("GET", "/monitoring"),
    ("GET", "/monitoring/summary"),
    ("GET", "/monitoring/0123456789"),
    ("GET", "/gradio_api/runs"),
    ("GET", "/gradio_api/run-history/records"),
    ("POST", "/gradio_api/run-history/connect"),
    ("POST", "/gradio_api/upload"),
    ("GET", "/gradio_api/upload_progress?upload_id=1"),
    ("GET", "/gradio_api/file=/etc/passwd"),
    ("GET", "/gradio_api/file=https://example.org/"),
    ("GET", "/gradio_api/file/etc/passwd"),
    ("GET", "/gradio_api/proxy=https://example.hf.space/"),
    ("GET", "/pwa_icon"),
    ("GET", "/pwa_icon/9000"),
    ("GET", "/pwa_icon/-1"),
    ("POST", "/gradio_api/call/answer"),
    ("POST", "/gradio_api/call/v2/answer"),
    ("GET", "/gradio_api/call/answer/1"),
    ("POST", "/gradio_api/run/answer"),
    ("POST", "/gradio_api/api/answer"),
    ("POST", "/gradio_api/component_server"),
    ("POST", "/gradio_api/process_recording"),
    ("GET", "/gradio_api/dev/reload"),
    ("GET", "/gradio_api/deep_link?session_hash=1"),
    ("GET", "/gradio_api/custom_component/x/client/y/z"),
    ("GET", "/gradio_api/queue/status"),
    ("GET", "/gradio_api/openapi.json"),
    ("GET", "/gradio_api/vibe-code"),
    ("POST", "/gradio_api/vibe-edit"),
    ("POST", "/gradio_api/stream/1"),
    ("GET", "/gradio_api/token"),
    ("POST", "/login"),
    ("GET", "/logout"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/redoc"),
    ("GET", "/healthz/"),
    ("GET", "/gradio_api/heartbeat/" + "a" * 65),
]

CLIMBING = [
    "/assets/../index.html",
    "/assets/../../../blocks.py",
    "/static/../../../app.py",
    "/assets/..%2f..%2fblocks.py",
    "/assets/%2e%2e/%2e%2e/blocks.py",
    "/assets/..%5c..%5cblocks.py",
    "/assets/%252e%252e%252fblocks.py",
    "/static//etc/passwd",
    "//etc/passwd",
    "/assets/.hidden",
    "/assets/a%00b",
    "/static/img/logo.svg/../../../../blocks.py",
    "/assets/....//....//blocks.py",
    "/gradio_api/../monitoring/summary",
    "/./monitoring",
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(ScriptedBackend(script("slow", Pattern(rate=0)))) as running:
        yield running


def raw(address: str, request: bytes) -> tuple[int, bytes]:
    """Status and the rest of the answer to exactly these bytes, which no client tidied."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), 10.0) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head + body


def get(address: str, path: str) -> tuple[int, bytes]:
    return raw(address, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_an_address_that_the_page_does_not_need_does_not_exist(
    address: str, method: str, path: str
) -> None:
    answer = httpx.request(method, address + path, json={} if method == "POST" else None)
    assert answer.status_code == 404
    assert answer.json() == {"detail": words.NOT_FOUND}


@pytest.mark.parametrize("path", CLIMBING)
def test_no_path_leaves_its_folder(address: str, path: str) -> None:
    status, answer = get(address, path)
    assert status == 404
    assert words.NOT_FOUND.encode() in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_an_address_takes_its_own_methods_only(address: str, method: str) -> None:
    answer = httpx.request(method, f"{address}/config")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    ["/", "/healthz", "/disclaimer", "/theme.css", "/nothing", "/gradio_api/queue/join"],
)
def test_every_answer_carries_the_security_headers(address: str, path: str) -> None:
    headers = httpx.get(address + path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers


def test_only_the_origins_the_owner_named_may_frame_the_page(serve: Serve) -> None:
    address = serve(
        ScriptedBackend(script("slow", Pattern(rate=0))),
        embed_origins=("https://example.org", "https://clinic.example"),
    )
    headers = httpx.get(address).headers
    ancestors = headers["content-security-policy"].partition("frame-ancestors ")[2]
    assert ancestors == "'self' https://example.org https://clinic.example"
    assert "x-frame-options" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_no_other_origin_may_read_an_answer(address: str, origin: str) -> None:
    for answer in (
        httpx.get(f"{address}/config", headers={"origin": origin}),
        httpx.options(
            f"{address}/gradio_api/queue/join",
            headers={"origin": origin, "access-control-request-method": "POST"},
        ),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:1"},
    ],
)
def test_another_site_s_page_cannot_ask(address: str, visitor, headers: dict[str, str]) -> None:
    one: Visitor = visitor(address)
    asked = one.question("What is a stroke?")
    answer = httpx.post(f"{address}/gradio_api/queue/join", json=asked, headers=headers)
    assert answer.status_code == 403


def test_our_own_page_can_ask_behind_a_proxy_that_ends_https(address: str, visitor) -> None:
    one: Visitor = visitor(address)
    one.http.headers.update({"host": "med.example", "origin": "https://med.example"})
    assert "word59" in shown(list(one.ask("What is a stroke?")))


def test_https_is_believed_and_a_forged_host_is_not(address: str) -> None:
    headers = {
        "host": "med.example",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
        "x-gradio-server": "https://evil.example",
        "forwarded": "host=evil.example",
    }
    answer = httpx.get(f"{address}/config", headers=headers)
    assert answer.json()["root"] == "https://med.example"
    assert "evil" not in answer.text
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("host", ["a b", "x/../y", "<script>", 'x"y', "a" * 300])
def test_a_host_that_is_none_is_refused(address: str, host: str) -> None:
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    status, answer = raw(address, request.encode())
    assert status == 400
    assert host.encode() not in answer


def test_a_query_string_cannot_ask_gradio_for_a_saved_state(address: str) -> None:
    page = httpx.get(f"{address}/config", params={"deep_link": "abc"}).json()
    assert page.get("deep_link_state") in (None, "none")


def test_a_body_over_the_limit_is_refused_whole_or_in_chunks(address: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(5 * 16):
            yield b"x" * 65_536

    for content in (b"x" * 5_000_000, chunks()):
        try:
            answer = httpx.post(f"{address}/gradio_api/queue/join", content=content)
        except httpx.WriteError:
            continue  # closed while it was still being sent, which is as good
        assert answer.status_code == 413
        assert answer.json() == {"detail": words.TOO_LARGE}


def test_a_body_that_says_it_is_too_long_is_not_waited_for(address: str) -> None:
    head = "POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"
    status, _ = raw(address, head.encode())
    assert status == 413


def test_a_long_conversation_fits(address: str, visitor) -> None:
    one: Visitor = visitor(address)
    body = one.question("What is a stroke?")
    longest = {"role": "assistant", "metadata": {"id": "answer"}, "options": None}
    longest["content"] = [{"type": "text", "text": "胸" * 11_500}]
    question = {"role": "user", "metadata": {"id": "question"}, "options": None}
    question["content"] = [{"type": "text", "text": "x" * MAX_QUESTION_CHARS}]
    body["data"][0] = [question, longest] * 40 + body["data"][0]
    size = len(json.dumps(body, ensure_ascii=False).encode())
    assert MAX_BODY * 0.7 < size < MAX_BODY
    content = json.dumps(body, ensure_ascii=False).encode()
    join = one.http.post(
        "/gradio_api/queue/join", content=content, headers={"content-type": "application/json"}
    )
    assert join.status_code == 200
    assert "word59" in shown(list(one.updates()))


def test_files_named_by_their_content_are_kept_and_nothing_else_is(address: str) -> None:
    page = httpx.get(address).text
    script_path = page.partition('crossorigin src=".')[2].partition('"')[0]
    assert "immutable" in httpx.get(address + script_path).headers["cache-control"]
    for path in ("/", "/config", "/state", "/assets/nothing.js"):
        assert httpx.get(address + path).headers["cache-control"] == "no-store"
