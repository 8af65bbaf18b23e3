"""A run's snapshot in, the messages of its turn out. Pure: knows nothing of Gradio's events.

A turn is up to three messages after the question: the reasoning panel, the answer, and a foot
with how it ended and its figures. Each is marked in its metadata, so that of all that a browser
sends back only a finished answer can reach a model again (`chat.conversation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import NotRequired, TypedDict, cast

from backend.base import BackendInfo, Option, Options, Status, TooLong
from chat.conversation import ANSWER
from chat.events import EndReason, Stage
from chat.reply import Phase
from safety.links import translated, without_marks
from safety.markdown import inert
from ui.choices import OTHER, Choice, again, choices, go_on
from ui.provenance import Provenance
from ui.run import Snapshot
from ui.terms import Terms, filled
from ui.words import Words

QUESTION = "question"
ANALYSIS = "analysis"
PARTIAL = "partial"
FOOT = "foot"
GOING = "going"
"""The foot of an answer that is about to be gone on with. Its kind of foot stands under every reply
that is still being written."""
ELSEWHERE = "elsewhere"
"""The kind of a foot under a reply that goes on in another tab."""

MAX_MESSAGES = 400
"""More than this many are not worth showing again; a turn has up to four."""

FILLED = 0.6
"""Share of what a model can read, from which on the page tells how much a conversation fills."""


ALONE = Terms(Options())
"""For a reply that nothing follows."""


class Part(TypedDict):
    """A typed part: Gradio strips the indentation of plain strings."""

    type: str
    text: str


class Mark(TypedDict):
    """`title` makes a message a folding panel; `status` says whether it is open and running."""

    id: str
    title: NotRequired[str]
    log: NotRequired[str]
    status: NotRequired[str]


class Message(TypedDict):
    role: str
    content: list[Part]
    metadata: Mark
    options: NotRequired[list[Choice]]


def question(text: str) -> Message:
    """The user's message, as typed."""
    return _message("user", inert(text), {"id": QUESTION})


def refused(words: Words, sentence: str, retry: bool = False, begun: bool = False) -> Message:
    """The foot under a question that was never asked of the model, or under an answer that was
    `begun` and not gone on with."""
    lines = [_note("cut", words.INCOMPLETE)] if begun else []
    lines.append(_note("failed", sentence))
    offered = go_on(words) if begun else again(words)
    return _foot_of("failed", lines, [offered] if retry or begun else [])


def going_on(sentence: str) -> Message:
    """The foot of an answer that is about to be gone on with: until it is, it is cut off."""
    foot = _foot_of("going", [_note("cut", sentence)], [])
    foot["metadata"] = {"id": GOING}
    return foot


def fixed(kind: str, text: str, other: str) -> Message:
    """A reply that no model wrote, and the way on: `other` names the choice of something else.

    Its mark is `kind` and not an answer's, so that no model is ever shown it as its own.
    """
    said = _message("assistant", text, {"id": kind})
    said["options"] = [{"value": OTHER, "label": other}]
    return said


def cut(
    words: Words, messages: list[Message], sentence: str, info: BackendInfo, kind: str = "cut"
) -> list[Message]:
    """`messages`, with `sentence` under their last reply: it was not finished, and will not be.

    Where the last reply has its last foot they stay as they are.
    """
    asked = [at for at, message in enumerate(messages) if message["role"] == "user"][-1:]
    last = history(messages[asked[0] + 1 :]) if asked else []
    feet = [each for each in last if each["metadata"]["id"] in (FOOT, GOING)]
    under = "".join(foot["content"][0]["text"] for foot in feet)
    if not asked or under.count('"foot foot-') > under.count(f'"foot foot-{GOING}"'):
        return messages
    said = [each for each in last if each not in feet and each["content"][0]["text"].strip()]
    for message in said:
        if message["metadata"]["id"] == ANSWER:
            message["metadata"]["id"] = PARTIAL
    begun = any(message["metadata"]["id"] == PARTIAL for message in said)
    lines = [_note(kind, sentence), *([_caution(words)] if _caution(words) in under else [])]
    if begun and info.unreliable:
        lines.append(_caveat(words, info))
    offered = [go_on(words)] if begun and info.continues else []
    foot = _foot_of(kind, lines, [] if kind == ELSEWHERE else [*offered, again(words)])
    return [*messages[: asked[0] + 1], *said, foot]


def turn(
    words: Words,
    snapshot: Snapshot,
    now: float,
    info: BackendInfo,
    show_reasoning: str = "open",
    terms: Terms = ALONE,
) -> list[Message]:
    """What stands under the question at `now`, a reading of the reply's own clock in seconds.

    `show_reasoning` is one of `settings.REASONING`.
    """
    reply, screened = snapshot.reply, snapshot.screened
    messages: list[Message] = []
    if reply.reasoning or not (reply.phase is Phase.ENDED or reply.begun):
        messages.append(_reasoning(words, snapshot, now, show_reasoning))
    if screened.answer:
        answer = translated(screened.answer, words.TAG)
        messages.append(_message("assistant", answer, {"id": _answer_mark(snapshot)}))
    if reply.phase is Phase.ENDED:
        messages.append(_foot(words, snapshot, info, terms))
    elif lines := _going(words, snapshot, now):
        messages.append(_foot_of(GOING, lines, []))
    return messages


def ending(words: Words, snapshot: Snapshot) -> str:
    """The sentence for how an ended reply ended; empty where the answer is whole."""
    return _ending(words, snapshot)[1]


def state(words: Words, info: BackendInfo, status: Status) -> dict[str, str]:
    """The state line for the page: a kind for its looks, and its sentence."""
    return {"state": type(status).__name__.lower(), "text": words.state(info, status)}


def history(untrusted: object) -> list[Message]:
    """What a browser says was shown, rebuilt from its text alone.

    Only this page's kinds of message survive, without their choices; files, components and
    other roles do not. Like the text itself, it is still untrusted.
    """
    messages = cast("list[object]", untrusted) if isinstance(untrusted, list) else []
    kept = [_rebuilt(message) for message in messages[-MAX_MESSAGES:]]
    return [message for message in kept if message is not None]


def said(messages: list[Message]) -> list[Message]:
    """`messages` as they were typed and written, without what disarms and marks them."""
    return [
        {
            **message,
            "content": [
                {"type": part["type"], "text": without_marks(part["text"])}
                for part in message["content"]
            ],
        }
        for message in messages
    ]


def _rebuilt(message: object) -> Message | None:
    fields = _fields(message)
    role, mark = fields.get("role"), _fields(fields.get("metadata"))
    if role not in ("user", "assistant"):
        return None
    parts: list[Part] = []
    content = fields.get("content")
    for part in cast("list[object]", content) if isinstance(content, list) else []:
        text = _fields(part).get("text")
        if isinstance(text, str):
            parts.append({"type": "text", "text": text})
    rebuilt: Mark = {"id": str(mark.get("id") or QUESTION)}
    if mark.get("title"):
        rebuilt["title"] = str(mark["title"])
        rebuilt["log"] = str(mark.get("log") or "")
        rebuilt["status"] = "done"
    return {"role": str(role), "content": parts, "metadata": rebuilt} if parts else None


def _fields(value: object) -> Mapping[object, object]:
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {}


def _answer_mark(snapshot: Snapshot) -> str:
    return ANSWER if snapshot.reply.complete and snapshot.error is None else PARTIAL


def _reasoning(words: Words, snapshot: Snapshot, now: float, show: str) -> Message:
    reply = snapshot.reply
    # Gradio opens what is pending, and leaves what is done as the visitor has it.
    mark: Mark = {"id": ANALYSIS, "title": "", "status": "done" if show == "folded" else "pending"}
    seconds = reply.thought_for(now)
    match reply.phase:
        case Phase.WAITING:
            mark["title"] = words.waiting(reply.waiting, now - reply.started)
        case Phase.THINKING:
            mark["title"], mark["log"] = words.thinking(seconds or 0.0), words.UNVERIFIED
        case Phase.ANSWERING | Phase.ENDED:
            mark["title"], mark["log"] = words.thought(seconds or 0.0), words.UNVERIFIED
            mark["status"] = "done"
    text = translated(snapshot.screened.reasoning, words.TAG)
    if show == "off":
        text = words.NO_TRACE if reply.reasoning else ""
    if reply.phase is Phase.WAITING and reply.waiting and reply.waiting.stage is Stage.WAKING:
        text, mark["status"] = words.WAKE, "pending"
    return _message("assistant", text, mark)


def _going(words: Words, snapshot: Snapshot, now: float) -> list[str]:
    """What there is to say of a reply while it is written."""
    reply, lines = snapshot.reply, list[str]()
    if reply.begun and reply.phase is Phase.WAITING:
        lines.append(_line("figures", words.waiting(reply.waiting, now - reply.started)))
    if reply.left_out:
        lines.append(_line("left-out", words.left_out(reply.left_out)))
    if snapshot.screened.caution:
        lines.append(_caution(words))
    return lines


def _foot(words: Words, snapshot: Snapshot, info: BackendInfo, terms: Terms) -> Message:
    reply = snapshot.reply
    kind, sentence = _ending(words, snapshot)
    lines: list[str] = []
    if sentence:
        lines.append(_note(kind, sentence))
    if reply.left_out:
        lines.append(_line("left-out", words.left_out(reply.left_out)))
    if snapshot.screened.caution:
        lines.append(_caution(words))
    if reply.answer and info.unreliable:
        lines.append(_caveat(words, info))
    if not terms.alone and Option.EFFORT in info.honours:
        lines.append(_line("effort", words.OF_EFFORT[terms.options.effort]))
    tokens = reply.usage.completion_tokens
    seconds = None if reply.ended_at is None else reply.ended_at - reply.started
    figures = words.figures(reply.time_to_first_token, reply.tokens_per_second, tokens, seconds)
    lines.append(_line("figures", figures))
    if kind == "finished":
        lines.append('<div class="feedback"></div>')  # filled by `feedback.js`, where it is there
    if sentence := _filled(words, snapshot, info, terms):
        lines.append(_line("filled", sentence))
    noted = ""
    if terms.asked is not None:
        made = Provenance(terms.options, terms.asked)
        noted = made.attributes(info, _ended(kind, reply.end))
    return _foot_of(kind, lines, choices(words, snapshot, info, terms), noted)


def _filled(words: Words, snapshot: Snapshot, info: BackendInfo, terms: Terms) -> str:
    """How much of what the model can read the conversation fills, where that is worth saying."""
    taken = filled(snapshot.reply, info, terms)
    if snapshot.reply.left_out:
        return words.read_from(snapshot.reply.left_out + 1)
    if taken is None or taken.share < FILLED:
        return ""
    return words.filled(taken.share, taken.counted)


def _line(name: str, sentence: str) -> str:
    return f'<div class="{name}">{escape(sentence)}</div>'


def _ended(kind: str, end: EndReason | None) -> str:
    """How it ended, as a word for programs: what looks the same may have ended differently."""
    if kind == "cut":
        return (EndReason.LENGTH if end is EndReason.LENGTH else EndReason.INTERRUPTED).value
    return EndReason.LENGTH.value if kind == "room" else kind


def _note(kind: str, sentence: str) -> str:
    return f'<div class="note note-{kind}" role="note">{escape(sentence)}</div>'


def _caveat(words: Words, info: BackendInfo) -> str:
    return f'<div class="caveat">{escape(words.unreliable(info))}</div>'


def _caution(words: Words) -> str:
    return f'<div class="caution" role="note">{escape(words.CAUTION)}</div>'


def _foot_of(kind: str, lines: list[str], choices: list[Choice], noted: str = "") -> Message:
    # Built from our own words and the model's name: nothing that anybody wrote is in it.
    foot: Message = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": f'<div class="foot foot-{kind}"{noted}>{"".join(lines)}</div>'}
        ],
        "metadata": {"id": FOOT},
    }
    if choices:
        foot["options"] = choices
    return foot


def _ending(words: Words, snapshot: Snapshot) -> tuple[str, str]:
    """How the reply ended: a kind for its looks, and the sentence."""
    reply, error, ref = snapshot.reply, snapshot.error, snapshot.ref
    begun = bool(reply.answer or reply.reasoning)
    if error is not None:
        if reply.begun:  # whatever went wrong, the answer is still the one that was cut off
            too_long = isinstance(error, TooLong)
            return "cut", words.ANSWER_LONG if too_long else words.CUT.format(ref=ref)
        return "cut" if begun else "failed", words.error(error, ref, partial=begun)
    match reply.end:
        case EndReason.WITHHELD:
            ours = snapshot.screened.withheld is not None
            return "withheld", words.WITHHELD if ours else words.WITHHELD_THERE
        case EndReason.FINISHED if reply.answer.strip():
            return "finished", ""
        case EndReason.FINISHED | EndReason.UNKNOWN if not reply.answer.strip():
            return "failed", words.NONE
        case EndReason.LENGTH if not reply.answer.strip():
            return "room", words.NO_ROOM_LEFT
        case EndReason.LENGTH:
            return "cut", words.CUT.format(ref=ref)
        case EndReason.STOPPED:
            return "stopped", words.STOPPED if reply.answer else words.STOPPED_EARLY
        case _ if begun:
            return "cut", words.CUT.format(ref=ref)
        case _:
            return "failed", words.DOWN.format(ref=ref)


def _message(role: str, text: str, mark: Mark) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}], "metadata": mark}
