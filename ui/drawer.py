"""The conversations that the browser keeps, and taking one along: two dialogs, and what opens them.

Static markup that `browser/drawer.js` fills: nothing in it comes from the server but these words.
"""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

from html import escape

import gradio as gr

from ui.words import Words


def entries(words: Words) -> None:
    """The buttons beside the settings."""
    html = (
        _button("open-conversations", words.CONVERSATIONS, ' aria-haspopup="dialog"')
        + _button("open-exporting", words.EXPORT, ' aria-haspopup="dialog"')
        + _button("temporary", words.TEMPORARY, ' aria-pressed="false"')
    )
    gr.HTML(html, elem_id="entries", padding=False)


def dialogs(words: Words) -> tuple[gr.Button, gr.Button]:
    """The dialogs, and two buttons for the script alone.

    A press of the first has the conversation shown that was chosen, of the second has the script
    given the one on the page.
    """
    gr.HTML(_conversations(words) + _exporting(words), elem_id="dialogs", padding=False)
    return (
        gr.Button("", elem_id="open-kept", visible="hidden"),
        gr.Button("", elem_id="look", visible="hidden"),
    )


def _conversations(words: Words) -> str:
    return _dialog(
        words,
        "conversations",
        words.CONVERSATIONS,
        '<label class="check"><input type="checkbox" id="keeping">'
        f"<span>{escape(words.KEEP)}</span></label>"
        f'<p class="quiet">{escape(words.KEEP_INFO)}</p>'
        '<p id="kept-state" role="status"></p>'
        f'<p class="quiet" id="kept-none">{escape(words.KEPT_NONE)}</p>'
        '<ul id="kept-list"></ul>'
        # On a phone there is no room for it beside the settings.
        f'<div class="row narrow">{_button("export-this", words.EXPORT_TITLE)}</div>'
        '<div class="row">'
        + _button("import-kept", words.IMPORT)
        + _button("export-kept", words.EXPORT_ALL)
        + _button("delete-kept", words.DELETE_ALL, ' class="danger"')
        + "</div>"
        f'<input type="file" id="import-file" accept=".json,application/json" hidden'
        f' aria-label="{escape(words.IMPORT)}">',
    )


def _exporting(words: Words) -> str:
    return _dialog(
        words,
        "exporting",
        words.EXPORT_TITLE,
        f'<p class="quiet">{escape(words.EXPORT_INFO)}</p>'
        '<label class="check"><input type="checkbox" id="export-reasoning">'
        f"<span>{escape(words.EXPORT_REASONING)}</span></label>"
        '<div class="row">'
        + _button("export-markdown", words.EXPORT_MARKDOWN, ' data-form="markdown"')
        + _button("export-json", words.EXPORT_JSON, ' data-form="json"')
        + _button("export-print", words.EXPORT_PRINT, ' data-form="print"')
        + '</div><p id="export-told" role="status"></p>',
    )


def _dialog(words: Words, name: str, title: str, inside: str) -> str:
    return (
        f'<dialog id="{name}" aria-labelledby="{name}-title"><header>'
        f'<h2 id="{name}-title">{escape(title)}</h2>'
        f'<button type="button" data-close>{escape(words.CLOSE)}</button></header>{inside}</dialog>'
    )


def _button(name: str, label: str, attributes: str = "") -> str:
    return f'<button type="button" id="{name}"{attributes}>{escape(label)}</button>'
