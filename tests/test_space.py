"""The README's two ways onto a host: its Space configuration, and its button."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests.conftest import ROOT, Program
from tests.test_app import free_port, junk
from tests.ui.conftest import browser
from tests.visitor import shown as shown_text

__all__ = ["browser", "junk"]

README = (ROOT / "README.md").read_text("utf-8")
SPACE = {"SPACE_ID": "owner/medicalgpt", "SYSTEM": "spaces", "GRADIO_SERVER_NAME": "0.0.0.0"}  # noqa: S104
"""What a Space sets, as far as this program or Gradio reads it."""
KNOWN = {
    "title", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "pinned",
    "license", "short_description", "suggested_hardware", "models",
}  # fmt: skip
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    empty, block, rest = README.split("---\n", 2)
    assert empty == ""
    assert rest.startswith("\n# MedicalGPT\n")  # the page goes on as it did without the block
    return yaml.safe_load(block)


def test_the_space_runs_this_program_with_the_gradio_that_is_pinned(configuration) -> None:
    pins = dict(
        line.split("==") for line in (ROOT / "requirements.txt").read_text().split() if "==" in line
    )
    assert configuration["sdk"] == "gradio"
    assert configuration["sdk_version"] == pins["gradio"]
    assert (ROOT / configuration["app_file"]).is_file()
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    [least] = re.findall(r'requires-python = ">=([\d.]+)"', project)
    # A text: as a number, 3.10 would be 3.1.
    assert configuration["python_version"] == least
    render = yaml.safe_load((ROOT / "render.yaml").read_text("utf-8"))["services"][0]["envVars"]
    assert any(
        each["key"] == "PYTHON_VERSION" and each["value"].startswith(least + ".") for each in render
    )


def test_it_has_only_what_a_space_knows(configuration) -> None:
    assert set(configuration) == KNOWN
    assert {configuration["colorFrom"], configuration["colorTo"]} <= COLOURS
    assert len(configuration["short_description"]) <= 60
    assert (ROOT / "packages.txt").read_text("utf-8").split() == ["libgomp1"]


def test_the_button_asks_render_for_the_repository_it_stands_in() -> None:
    image = "https://render.com/images/deploy-to-render-button.svg"
    assert f"[![Deploy to Render]({image})](https://render.com/deploy)" in README
    assert (ROOT / "render.yaml").is_file()


@pytest.mark.browser
def test_in_a_space_the_page_answers_in_the_frame_of_hugging_face_and_in_no_other(
    program, visitor, junk: str, browser: Browser
) -> None:
    port = free_port()
    running: Program = program(
        *("app.py", "--backend", "embedded", "--port", str(port)),
        **SPACE,
        EMBEDDED_MODEL=junk,
        RATE_PER_MINUTE="1",
    )
    assert running.line("Open ") == f"Open http://localhost:{port}"  # of every interface
    address = f"http://127.0.0.1:{port}"
    # Visitors are told apart by what the last proxy says, and not by what they say themselves.
    asked: list[bool] = []
    for forwarded in ("203.0.113.7", "198.51.100.1, 203.0.113.7", "203.0.113.8"):
        one = visitor(address)
        one.http.headers["x-forwarded-for"] = forwarded
        asked.append("several questions" not in shown_text(list(one.ask("What is asthma?"))))
    assert asked == [True, False, True]
    # Browsers ask before a public page reaches this machine; a Space is no such machine.
    context = browser.new_context(permissions=["local-network-access"])
    page = context.new_page()
    outside: list[str] = []
    page.on("request", lambda each: outside.append(each.url) if address not in each.url else None)
    frame = f'<iframe src="{address}" style="width: 900px; height: 700px"></iframe>'
    for host in ("huggingface.co", "evil.example"):
        page.route(
            f"https://{host}/**", lambda each: each.fulfill(content_type="text/html", body=frame)
        )
    page.goto("https://huggingface.co/spaces/owner/medicalgpt")
    shown = page.frame_locator("iframe")
    shown.locator("#question textarea").fill("What is asthma?")
    shown.locator("#question textarea").press("Enter")
    expect(shown.locator("#chat .foot-failed")).to_be_visible()  # the file is no model
    assert {url.partition(":")[0] for url in outside[1:]} <= {"data", "blob"}
    page.goto("https://evil.example/")
    page.wait_for_timeout(500)
    expect(page.frame_locator("iframe").locator("#question")).to_have_count(0)
    context.close()
