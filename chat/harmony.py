"""Harmony, gpt-oss's output format: a model's text in, in pieces of any size; typed events out.

Knows text only: no tokens, no model, no network. Reasoning and answer come apart here, once, and
are never joined again. Where other readers disagree with this one, and why, is in the table of
`tests/chat/test_harmony.py`. Format: docs/format.md of github.com/openai/harmony.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Usage
from chat.markers import HOLD_LIMIT, Deltas, Markers, Panel, Pieces

NO_USAGE = Usage()
HEADER_LIMIT = 256
"""Characters. A header longer than this has lost its `<|message|>`."""


# Headers whose special tokens were stripped: `assistantfinal`, glued to the text after it. Prose
# that mentions such a word goes on with a space, a full stop or a quotation mark.
_GLUED = r"(?=[^\s.,;:!?'\"’”`)\]_]|[\r\n])"
_SWITCH = re.compile(rf"assistant(analysis|commentary|final)(?: (to=)|{_GLUED})", re.IGNORECASE)
_OPENING = re.compile(
    rf"(?i:{_SWITCH.pattern})"
    r"|(?i:(analysis|commentary)(?: (to=)|(?=[^\W_]|[*#{“])))"
    r"|(analysis|commentary)(?=[\r\n])"
    r"|(final)(?=[A-Z])"
    r"|((?i:assistant )?to=)"
)
_WORD = re.compile(r"(?:assistant)?(analysis|commentary|final)", re.IGNORECASE)
_CHANNEL = re.compile(r"\s*([A-Za-z]*?)\s*(?:(to=\S*)|(?![A-Za-z]))\s*")


def _beginnings(*wholes: str) -> str:
    halves = {whole[:length] for whole in wholes for length in range(1, len(whole))}
    return "|".join(re.escape(half) for half in sorted(halves, key=len, reverse=True))


_SWITCHES = [f"assistant{channel} to=" for channel in ("analysis", "commentary", "final")]
_HALF_SWITCH = re.compile(rf"(?:{_beginnings(*_SWITCHES)})\Z", re.IGNORECASE)
_HALF_OPENING = re.compile(
    _beginnings(*_SWITCHES, "analysis to=", "commentary to=", "final ", "assistant to=", "to="),
    re.IGNORECASE,
)


class Mode(Enum):
    OPENING = auto()  # nothing decided yet: no marker seen, and no text but a possible header
    HEADER = auto()  # between messages, or in a message's header
    BODY = auto()  # in a message; also text without any marker
    STRIPPED = auto()  # in a message whose markers were stripped: look out for `assistantfinal`


class HarmonyReader:
    """Pieces of one reply in harmony, in; events out. Raises nothing, whatever is fed.

    No marker reaches a delta, whole or in halves, and no reasoning an `AnswerDelta`. It keeps a
    few hundred characters at most, and each character is looked at a bounded number of times.
    What a channel's text may be shown as:

    - `analysis`, and any channel we do not know: reasoning.
    - `final`, and text before or without any marker: the answer.
    - `commentary` to nobody: part of the answer, though it does not complete one.
    - anything with a recipient (`to=…`), or from a role but assistant: dropped.
    """

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._markers = Markers()
        self._deltas = Deltas()
        self._mode = Mode.OPENING
        self._held = ""  # in OPENING and STRIPPED: words that may still become a header
        self._role = ""  # in HEADER: the text before `<|channel|>`
        self._channel: str | None = None  # in HEADER: the text after it
        self._started = False  # in HEADER: whether `<|start|>` opened it
        self._panel: Panel | None = AnswerDelta  # of the message we are in; None: dropped
        self._final = True  # whether that message is the answer proper
        self._thinking = False  # inside <think>
        self._misread = False  # a `</think>` came that nothing had opened
        self._channels_seen = False
        self._answered = False
        self._returned = False

    def feed(self, piece: str | bytes) -> list[Event]:
        """The deltas that `piece` completes; bytes are UTF-8, cut anywhere."""
        self._read(self._pieces.feed(piece))
        return self._deltas.take()

    def feed_text(self, piece: bytes) -> list[Event]:
        """Text of a source that knows its tokens: no marker, whatever it spells."""
        self._text(self._pieces.feed(piece))
        return self._deltas.take()

    def feed_control(self, marker: str) -> list[Event]:
        """A control token of such a source, by its name without brackets: `channel`."""
        self._text(self._pieces.flush())
        self._marker(marker)
        return self._deltas.take()

    def finish(self, reason: EndReason | None = None, usage: Usage = NO_USAGE) -> list[Event]:
        """What was held back and is text, then exactly one `Ended`. Feed nothing after it.

        `reason` is what the source said: FINISHED for an end-of-sequence token, LENGTH for a
        spent budget, None for nothing. Then a `<|return|>` means FINISHED, and its absence
        INTERRUPTED. FINISHED becomes UNKNOWN where there was no answer to finish, and where
        reasoning was taken for one because its `<think>` was not in the text.
        """
        self._read(self._pieces.flush())
        # A cut may fall inside a marker or a header, and what is held may be half of one. Only
        # where there was no cut is it text.
        if reason is EndReason.FINISHED:
            self._text(self._markers.flush())
            self._settle()
            self._recover()
        if reason is None:
            reason = EndReason.FINISHED if self._returned else EndReason.INTERRUPTED
        if reason is EndReason.FINISHED and (self._misread or not self._answered):
            reason = EndReason.UNKNOWN
        return [*self._deltas.take(), Ended(reason, usage)]

    def _read(self, text: str) -> None:
        for part, marker in self._markers.feed(text):
            if marker:
                self._marker(marker)
            else:
                self._text(part)

    def _marker(self, marker: str) -> None:
        match marker:
            case "start" | "channel" | "end" | "call" | "return":
                self._structure(marker)
            case "message":
                self._message()
            case "think" | "/think" if self._mode is not Mode.HEADER:
                self._settle()
                self._deltas.part()
                # What came before it was reasoning that a prompt's template had opened.
                if marker == "/think" and not self._thinking and not self._channels_seen:
                    self._misread = self._answered or self._misread
                self._thinking = marker == "think"
            case _:
                self._other(marker)

    def _structure(self, marker: str) -> None:
        """A marker that ends whatever was open."""
        if self._mode is Mode.OPENING and marker in ("start", "channel"):
            self._held = ""  # a role such as `assistant`
        self._settle()
        self._recover()
        if marker == "channel":
            if not self._channels_seen:
                self._answered = False  # it speaks harmony after all: that was no answer
            self._channel, self._channels_seen = "", True
        else:
            self._role, self._channel, self._started = "", None, marker == "start"
        self._returned = self._returned or marker == "return"
        self._mode = Mode.HEADER

    def _message(self) -> None:
        if self._mode is Mode.OPENING or _WORD.fullmatch(self._held):
            # A header whose `<|channel|>` was part of the prompt, or was stripped.
            self._role, self._held, self._mode = self._held, "", Mode.HEADER
        if self._mode is Mode.HEADER:
            self._open(self._role + (self._channel or ""))
        else:
            self._other("message")

    def _other(self, marker: str) -> None:
        """A marker that has no business here. A space keeps its neighbours from forming one."""
        if self._mode is Mode.OPENING:
            if marker == "constrain" and self._held:
                self._role, self._held, self._mode = self._held, "", Mode.HEADER
            elif not self._held and not self._thinking:
                return
        self._settle()
        self._text(" ")

    def _open(self, header: str) -> None:
        """Begin the message whose header was read; `header` is where a recipient may stand."""
        channel = _CHANNEL.match(self._channel or "")
        name = channel[1].lower() if channel else ""
        role = (self._role.split() or [""])[0].lower()
        bare = role.removeprefix("assistant")
        if self._channel is None and bare in ("analysis", "commentary", "final"):
            name, role = bare, ""
        foreign = self._started and role not in ("", "assistant")
        self._begin(name, Mode.BODY, dropped=foreign or "to=" in header)

    def _begin(self, name: str, mode: Mode, *, dropped: bool = False) -> None:
        plain = name == "" and not self._channels_seen
        answer = plain or name in ("final", "commentary")
        self._panel = None if dropped else AnswerDelta if answer else ReasoningDelta
        self._final = plain or name == "final"
        self._mode = Mode.BODY if self._final and not dropped else mode
        self._thinking = self._returned = False
        self._role, self._channel, self._started = "", None, False
        self._deltas.part()

    def _recover(self) -> None:
        """The header ends without `<|message|>`: what follows the channel's name is text."""
        if self._mode is Mode.HEADER and self._channel is not None:
            channel = _CHANNEL.match(self._channel)
            header = channel[0] if channel else ""
            rest = self._channel[len(header) :]
            self._open(self._role + header)
            self._write(rest)

    def _settle(self) -> None:
        """Decide about the words held, now that no more text follows them."""
        held, self._held = self._held, ""
        if word := _WORD.fullmatch(held):
            self._begin(word[1].lower(), Mode.STRIPPED)
        elif self._mode is Mode.OPENING and held:
            self._begin("", Mode.BODY)
            self._write(held)
        elif len(held) < len("assistant"):
            self._write(held)

    def _text(self, text: str) -> None:
        if not text:
            return
        if self._mode is Mode.HEADER:
            self._header(text)
        elif self._thinking or self._mode is Mode.BODY:
            self._write(text)
        elif self._mode is Mode.OPENING:
            self._opening(text)
        else:
            self._stripped(text)

    def _header(self, text: str) -> None:
        if self._channel is None:
            if len(self._role) < HEADER_LIMIT:
                self._role = (self._role + text)[:HEADER_LIMIT]
            return
        room = HEADER_LIMIT - len(self._channel)
        self._channel += text[:room]
        if len(self._channel) == HEADER_LIMIT:
            self._recover()
            self._write(text[room:])

    def _opening(self, text: str) -> None:
        """The first text of all: a header without its markers, a role, or a plain answer."""
        text = (self._held + text).lstrip()
        self._held = ""
        if not text or _HALF_OPENING.fullmatch(text):
            self._held = text
        elif (word := _OPENING.match(text)) is None:
            self._begin("", Mode.BODY)
            self._write(text)
        elif word[7]:
            self._mode, self._role = Mode.HEADER, word[7]
        else:
            name = word[1] or word[3] or word[5] or word[6]
            self._begin(name.lower(), Mode.STRIPPED, dropped=bool(word[2] or word[4]))
            self._text(text[word.end() :])

    def _stripped(self, text: str) -> None:
        text, at = self._held + text, 0
        self._held = ""
        for switch in _SWITCH.finditer(text):
            self._write(text[at : switch.start()])
            at = switch.end()
            self._begin(switch[1].lower(), Mode.STRIPPED, dropped=bool(switch[2]))
            if self._mode is Mode.BODY:
                self._write(text[at:])
                return
        half = _HALF_SWITCH.search(text, max(at, len(text) - HOLD_LIMIT))
        end = half.start() if half else len(text)
        self._held = text[end:]
        self._write(text[at:end])

    def _write(self, text: str) -> None:
        panel = ReasoningDelta if self._thinking and self._panel else self._panel
        if panel is None:
            return
        self._deltas.write(panel, text)
        if panel is AnswerDelta and self._final and text.strip():
            self._answered = True
