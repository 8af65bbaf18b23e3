"""Control tokens that people type: broken on their way into a prompt, in every dialect.

What can be a marker is told by its shape, not by a list of names: a vocabulary that we have not
seen may have it. `tests/markers.py` lists the families that are known, and their disguises.
"""

from __future__ import annotations

import re

# NFKC, which some tokenizers apply, turns the full-width forms into the plain ones and drops what
# has no width, so both are read as the tokenizer would read them.
_NIL = "\u00ad\u200b-\u200d\u2060\ufeff"
_LESS, _MORE, _BAR = "<＜﹤", ">＞﹥", "|｜"
_OPEN, _SHUT = r"\[［﹇", r"\]］﹈"
_CAPITAL, _SIGN = "A-ZＡ-Ｚ\U0001d400-\U0001d7ff", "!！a-zａ-ｚ"
_MARKER = re.compile(
    # harmony, ChatML, Llama 3, Phi, DeepSeek, Command-R: <|end|>, [|user|]
    rf"[{_LESS}{_OPEN}](?=[{_NIL}]*[{_BAR}])"
    rf"|[{_BAR}](?=[{_NIL}]*[{_MORE}{_SHUT}])"
    # Llama 2, Gemma, Qwen's tools, think: <s>, <end_of_turn>, </tool_call>, <seed:bos>
    rf"|[{_LESS}](?=[^\s{_LESS}{_MORE}]{{1,64}}[{_MORE}])"
    # Mistral, GLM: [INST], [gMASK]; BERT's [unused1], Mistral's [control_8]
    rf"|[{_OPEN}](?=[/／{_NIL}]{{0,8}}[gsｇｓ]?[{_CAPITAL}][{_CAPITAL}_＿{_NIL}]{{2,40}}[{_SHUT}])"
    rf"|[{_OPEN}](?=[^\W\d]{{5,8}}＿?\d{{1,4}}[{_SHUT}])"
    # MiniMax: ]~b], [e~[; Falcon: >>TITLE<<; OLMo: |||EMAIL_ADDRESS|||
    rf"|[{_OPEN}{_SHUT}](?=[{_SIGN}]{{0,3}}[~～][{_SIGN}]{{0,3}}[{_OPEN}{_SHUT}])"
    rf"|[{_MORE}](?=[{_CAPITAL}]{{3,20}}[{_LESS}]{{2}})"
    rf"|[{_BAR}](?=[{_BAR}]{{2}}[{_CAPITAL}])"
)


def neutralise(text: str) -> str:
    """`text` as people typed it, with a space inside everything that a model may read as a marker.

    `<|end|>` becomes `< |end| >`, `<end_of_turn>` `< end_of_turn>`, `[INST]` `[ INST]`,
    `<<SYS>>` `<< SYS>>`; full-width forms likewise. It stays readable; nothing else changes.
    For text on its way into a prompt; the page shows what was typed.
    """
    return _MARKER.sub(r"\g<0> ", text)
