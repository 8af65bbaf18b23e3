"""A conversation as token ids, in the model's own chat template.

What people said is tokenised apart from the template, without special tokens, after its markers
were neutralised: nothing typed can become a control token, whatever the model's vocabulary.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from backend.llama import Llama
from chat.conversation import SYSTEM_PROMPT, Conversation
from chat.typed_markers import neutralise

# Some templates open the model's thoughts themselves. Where the answer is to begin, they must be
# closed again, or the answer would be more of them.
_OPENED = re.compile(r"<think>\s*\Z")
CLOSED = "\n</think>\n\n"


@dataclass(frozen=True, slots=True)
class Prompt:
    """`head` ends where the model's reply begins.

    `bridge` is what stands between the end of the model's notes and its answer, where the answer
    is asked for in a turn of its own; else empty.
    """

    head: list[int]
    bridge: list[int]


def write_prompt(
    llama: Llama, conversation: Conversation, *, follow_up: str = "", effort: str = ""
) -> Prompt:
    """The prompt that asks the conversation's question.

    `follow_up` is a user's turn of our own, between notes and answer; `effort` is gpt-oss's.
    """
    texts = [SYSTEM_PROMPT, *(neutralise(turn.text) for turn in conversation.turns)]
    roles = ["system", *(turn.role.value for turn in conversation.turns)]
    if follow_up:
        roles += ["assistant", "user"]
        texts += ["", follow_up]
    # The template sees a word nobody can type in each text's place.
    nonce = secrets.token_hex(8)
    messages = [
        {"role": role, "content": f"text{index}x{nonce}"} for index, role in enumerate(roles)
    ]
    rendered = llama.render(messages, **({"reasoning_effort": effort} if effort else {}))
    if _OPENED.search(rendered):
        rendered = rendered.rstrip() + CLOSED
    parts = re.split(rf"text(\d+)x{nonce}", rendered)
    notes = len(texts) - 2 if follow_up else None
    ids, head = llama.tokenise(parts[0], special=True, first=True), None
    for index, template in zip(parts[1::2], parts[2::2], strict=True):
        if int(index) == notes:
            head, ids = ids, []
        elif texts[int(index)]:
            ids += llama.tokenise(texts[int(index)], special=False)
        ids += llama.tokenise(template, special=True)
    return Prompt(ids, []) if head is None else Prompt(head, ids)
