"""Text to the token ids of a harmony model; its ids in, events out.

A control token reaches the reader as one, and a text that spells a control token as text: which
it is, is known here by the id, and nowhere later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat.events import EndReason, Event, Usage
from chat.harmony import HarmonyReader

ENDS = ("<|return|>", "<|call|>", "<|endoftext|>")
"""`<|call|>` asks for a tool, and there is none."""


class Vocabulary:
    """A byte-level `tokenizers.Tokenizer`: ids for text, and what each id stands for.

    It is what `chat/encoding.py` asks of a tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True  # nothing in a text is a control token
        self._controls = {
            int(number): str(token.content).strip("<|>")
            for number, token in tokenizer.get_added_tokens_decoder().items()
            if token.special
        }
        self._bytes = {character: byte for byte, character in _byte_characters().items()}
        found = (tokenizer.token_to_id(name) for name in ENDS)
        self.ends = frozenset(number for number in found if number in self._controls)

    def __call__(
        self, text: str, *, add_special_tokens: bool, split_special_tokens: bool
    ) -> Mapping[str, list[int]]:
        """Always without control tokens, so that the two options must say so."""
        assert split_special_tokens
        assert not add_special_tokens
        return {"input_ids": self._tokenizer.encode(text, add_special_tokens=False).ids}

    def convert_tokens_to_ids(self, tokens: str) -> int | None:
        """None for a token that it does not have."""
        return self._tokenizer.token_to_id(tokens)

    def control(self, token: int) -> str | None:
        """A control token's name without brackets; None for an id that is text."""
        return self._controls.get(token)

    def text(self, token: int) -> bytes:
        """UTF-8, which may begin or end inside a character; empty for an id without meaning."""
        characters: str = self._tokenizer.id_to_token(token) or ""
        return bytes(self._bytes[each] for each in characters if each in self._bytes)


class TokenReader:
    """One reply. Raises nothing, whatever is fed."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._reader = HarmonyReader()
        self._header: bytes | None = None
        self._thinking = False
        self.tokens = 0
        """Fed until now, control tokens included."""
        self.reasoning_tokens = 0

    def feed(self, token: int) -> list[Event]:
        self.tokens += 1
        control = self._vocabulary.control(token)
        if control is not None:
            self._follow(control)
            return self._reader.feed_control(control)
        text = self._vocabulary.text(token)
        if self._header is not None:
            self._header += text
        self.reasoning_tokens += self._thinking
        return self._reader.feed_text(text)

    def finish(self, reason: EndReason, prompt_tokens: int) -> list[Event]:
        usage = Usage(prompt_tokens, self.tokens, self.reasoning_tokens)
        return self._reader.finish(reason, usage)

    def _follow(self, control: str) -> None:
        """Which channel is open, for the count of the reasoning's tokens."""
        if control == "message":
            self._thinking = self._header is not None and self._header.startswith(b"analysis")
            self._header = None
        elif control in ("start", "end", "channel", "return", "call"):
            self._thinking = False
            self._header = b"" if control == "channel" else None


def _byte_characters() -> dict[int, str]:
    """The printable character that byte-level tokenizers write for each byte (GPT-2's table)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in plain]
    table = {byte: chr(byte) for byte in plain}
    return table | {byte: chr(0x100 + number) for number, byte in enumerate(others)}
