"""What the page does where a red flag is found: the notices above everything, the fixed replies.

Pure, but for what the rules say: an act of the visitor in, HTML and messages out. The texts stand
in `safety/`; which region's numbers are in sight, the browser decides by the visitor's own choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape

from chat.conversation import MAX_QUESTION_CHARS, Conversation, QuestionError, QuestionTooLong
from safety import red_flags
from safety.finding import Finding, Level
from safety.notices import Notice, fixed_reply, language_of, notices, word
from safety.numbers import ANY, Region, regions, said
from ui import panels
from ui.panels import Message


def look(history: list[Message], text: str) -> Finding:
    """What the whole conversation says: `history`, and `text` that is being asked.

    A long conversation outgrows what is read of it. That a fixed reply stands in it is enough then:
    what was found once holds until the conversation ends.
    """
    finding = _read(history, text)
    said = {message["metadata"]["id"] for message in history}
    if Level.CRISIS.value in said:
        return replace(finding, level=Level.CRISIS)
    if Level.EMERGENCY.value in said and finding.level is Level.NONE:
        return Finding(Level.EMERGENCY, emergency=True)
    return finding


def _read(history: list[Message], text: str) -> Finding:
    try:
        return red_flags.assess(Conversation.from_untrusted(history, text))
    except QuestionTooLong:
        # It is refused, and an emergency in it is none the less one: its two ends are read.
        ends = (text[: 2 * MAX_QUESTION_CHARS], text[-2 * MAX_QUESTION_CHARS :])
        return red_flags.read([*_asked(history), *ends])
    except QuestionError:
        return red_flags.read(_asked(history))


def _asked(history: list[Message]) -> list[str]:
    """What the visitor said before, the newest of it where it is much."""
    texts = [part["text"] for m in history if m["role"] == "user" for part in m["content"]]
    return [text[: 2 * MAX_QUESTION_CHARS] for text in texts[-6:]]


def reply(
    finding: Finding, history: list[Message], unreliable: bool, page: str
) -> list[Message] | None:
    """The conversation with a fixed reply to its last question; None where a model may be asked.

    `page` is the language of the page. In a crisis, the traces of earlier replies are taken out
    as well.
    """
    kind = finding.level.value
    again = any(message["metadata"]["id"] == kind for message in history)
    text = fixed_reply(finding, unreliable, again, page)
    if text is None:
        return None
    if finding.level is Level.CRISIS:
        history = [m for m in history if m["metadata"]["id"] != panels.ANALYSIS]
    other = word("other", language_of(finding.rules, page))
    return [*history, panels.fixed(kind, text, other)]


def banners(finding: Finding, page: str) -> tuple[str | None, str | None]:
    """The notices of an emergency and of a crisis as HTML; None for one that was not found."""
    found = {notice.level: _banner(notice) for notice in notices(finding, page)}
    return found.get(Level.EMERGENCY), found.get(Level.CRISIS)


def _banner(notice: Notice) -> str:
    # An alert is read aloud at once when it appears, and again where its numbers change. The
    # visitor may fold it to its heading; nothing closes it.
    first, *rest = (f"<p>{escape(sentence)}</p>" for sentence in notice.sentences)
    return (
        f'<div class="alarm alarm-{notice.level.value}" role="alert" aria-live="assertive"'
        f' aria-atomic="false" lang="{notice.language}"><details open>'
        f"<summary><h2>{escape(notice.heading)}</h2>{''.join(_short(notice))}</summary>"
        f"<div>{first}{''.join(_numbers(notice))}{_where(notice)}{''.join(rest)}</div>"
        "</details></div>"
    )


def _short(notice: Notice) -> Iterator[str]:
    """What a folded notice still says: whom to call first."""
    call = word("call", notice.language)
    for region in regions():
        first = notice.lines(region)[: 3 if region.code == ANY else 1]
        numbers = ", ".join(line.number for line in first)
        yield f'<span class="short"{_for(region)}>{escape(f"{call} {numbers}")}</span>'


def _numbers(notice: Notice) -> Iterator[str]:
    """A list for each region; all are hidden but one."""
    for region in regions():
        items: list[str] = []
        for line in notice.lines(region):
            urgent = notice.level is Level.CRISIS and line in region.emergency
            web = ' target="_blank" rel="noopener noreferrer"' if "." in line.number else ""
            names = [said(text, notice.language) for text in (line.name, line.note) if text]
            items.append(
                f'<li{" class=urgent" if urgent else ""}><a href="{escape(line.href)}"{web}>'
                f"<b>{escape(line.number)}</b> <span>{escape(', '.join(names))}</span></a></li>"
            )
        yield f"<ul{_for(region)}>{''.join(items)}</ul>"


def _where(notice: Notice) -> str:
    none = word("none", notice.language)
    options = "".join(
        f'<option value="{region.code}" data-zones="{" ".join(region.zones)}">'
        f"{escape(said(region.name, notice.language) or none)}</option>"
        for region in regions()
    )
    name = f"where-{notice.level.value}"
    return (
        f'<p class="where"><label for="{name}">{escape(word("where", notice.language))}</label> '
        f'<select id="{name}">{options}</select></p>'
    )


def _for(region: Region) -> str:
    hidden = "" if region.code == ANY else " hidden"
    return f' data-region="{region.code}"{hidden}'
