"""What both views are framed by: masthead, notices, composer, settings, disclaimer."""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from backend.base import MIN_NEW_TOKENS, Backend, BackendInfo, Option
from ui import panels
from ui.documents import others
from ui.words import Words


def alarms() -> list[gr.HTML]:
    """Where the notices of an emergency and of a crisis stand: above everything."""
    with gr.Column(elem_id="alarms"):
        return [gr.HTML("", elem_id=each, padding=False) for each in ("emergency", "crisis")]


def masthead(words: Words, backend: Backend) -> None:
    """The name, and the state line."""
    line = panels.state(words, backend.info, backend.status())
    html = (
        f'<header><h1 class="wordmark">{words.TITLE}</h1>'
        f'<span id="state" data-state="{line["state"]}"><span class="dot" aria-hidden="true">'
        f'</span><span class="text">{escape(line["text"])}</span></span></header>'
        '<div id="announcer" class="sr-only" role="status" aria-live="polite"></div>'
    )
    gr.HTML(html, elem_id="masthead", padding=False)


def told() -> gr.HTML:
    """Between conversation and box: why a question is not taken."""
    # What the script says has a place of its own: it may not touch what Gradio renders.
    gr.HTML('<div id="told" role="alert"></div>', elem_id="lost", padding=False)
    return gr.HTML(notice(""), elem_id="notice", padding=False)


def notice(sentence: str) -> str:
    """`sentence` as it stands there."""
    return f'<div role="alert">{escape(sentence)}</div>' if sentence else ""


def composer(words: Words) -> tuple[gr.Textbox, gr.Button, gr.Button]:
    """The box, Ask and Stop."""
    with gr.Row(elem_id="composer"):
        return (
            gr.Textbox(
                label=words.PLACEHOLDER,
                placeholder=words.PLACEHOLDER,
                show_label=False,
                container=False,
                lines=1,
                max_lines=8,
                autofocus=True,
                elem_id="question",
                scale=1,
            ),
            gr.Button(words.SEND, variant="primary", elem_id="send", scale=0, min_width=72),
            gr.Button(words.STOP, elem_id="stop", scale=0, min_width=72),
        )


def controls(words: Words, info: BackendInfo) -> tuple[gr.Radio, gr.Slider, gr.Slider]:
    """Effort, length, temperature."""
    effort, length, temperature = bounds(info)
    return (
        gr.Radio(list(words.EFFORTS), label=words.EFFORT, info=words.EFFORT_INFO, **effort),
        gr.Slider(MIN_NEW_TOKENS, step=64, label=words.LENGTH, info=words.LENGTH_INFO, **length),
        gr.Slider(
            0, 1.5, step=0.1, label=words.TEMPERATURE, info=words.TEMPERATURE_INFO, **temperature
        ),
    )


def bounds(info: BackendInfo) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Of each setting, what depends on the backend: one that it does not honour is not offered."""
    defaults, honours = info.defaults.within(info), info.honours
    return (
        {"value": defaults.effort.value, "visible": Option.EFFORT in honours},
        {
            "value": defaults.max_new_tokens,
            "maximum": info.max_new_tokens,
            "visible": Option.MAX_NEW_TOKENS in honours,
        },
        {"value": defaults.temperature, "visible": Option.TEMPERATURE in honours},
    )


def disclaimer(words: Words, view: str = "") -> None:
    """What stands under everything; `view` is the address of what it stands in."""
    html = (
        f"<p>{escape(words.DISCLAIMER)} <span>"
        f'<a href="disclaimer" target="_blank" rel="noopener">'
        f"{escape(words.DISCLAIMER_LINK)}</a> · "
        f'<a href="privacy" target="_blank" rel="noopener">{escape(words.PRIVACY_LINK)}</a>'
        f"{others(words, view)}</span></p>"
    )
    gr.HTML(html, elem_id="disclaimer", padding=False)
