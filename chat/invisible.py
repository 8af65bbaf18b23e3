"""Characters that nobody sees: taken out of what people type, and kept where a script needs them.

Text that no reader sees can still be read by a model: instructions were smuggled into prompts as
tag characters (U+E0000 and on) and as rows of variation selectors after one emoji. What is taken
out here changes how a text is shaped at most, never which letters it has.
"""

from __future__ import annotations

import re

_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")

# The flags of England, Scotland and Wales: the only tag sequences that Unicode recommends.
_REGIONS = "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in region)
    for region in ("gbeng", "gbsct", "gbwls")
)
_NEVER = re.compile(
    f"(\U0001f3f4(?:{_REGIONS})\U000e007f)"
    "|["
    "\x00-\x08\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and newline
    "\u00ad\u034f\u17b4\u17b5"  # soft hyphen, grapheme joiner, Khmer's unwritten vowels
    "\u200b\u2060-\u206f\ufeff"  # of no width: space, word joiner, operators, order of bytes
    "\u202a-\u202e"  # bidirectional overrides, by which a text reads as another (U+2066 on too)
    "\ufe00-\ufe0d\U000e0000-\U000e0fff"  # tags; selectors that choose between shapes
    "\ufff0-\ufffb\ufffe\uffff"  # interlinear annotation, and what is no character
    "\U0001d173-\U0001d17a"  # beams and slurs of music
    "]+"
)

_EMOJI = "\u203c-\u3299\U0001f000-\U0001fbff"
# The scripts whose letters change shape beside each other, and emoji.
_JOINING = (
    "\u0590-\u061b\u061d-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe0e\ufe0f\ufe70-\ufefc"
    f"\U00010a00-\U00011fff\U0001e900-\U0001e95f{_EMOJI}\U000e007f"
)
_MISPLACED = re.compile(
    f"(?<![{_JOINING}])[\u200c\u200d]"  # joiner and non-joiner
    f"|(?<![\xa9\xae{_EMOJI}0-9#*])[\ufe0e\ufe0f]"  # as text, as emoji
    "|(?<=[0-9#*])[\ufe0e\ufe0f](?!\u20e3)"  # a digit is an emoji on a key only
    "|(?<![\u1820-\u18af])[\u180b-\u180f]"  # Mongolian's selectors and its separator
    "|(?<=[\u061c\u200e\u200f])[\u061c\u200e\u200f]"  # direction marks, more than one
)
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_DIRECTION = re.compile("[\u061c\u200e\u200f]")


def clean(text: str) -> str:
    """`text` without the characters that nobody sees, and with one kind of newline.

    Kept, one at a time: joiners and direction marks where the script beside them has a use for
    them (Persian, Arabic, the Indic scripts), and what holds an emoji together. Lone surrogates
    become U+FFFD, so that the result is valid in UTF-8. Linear in the length of `text`.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _NEVER.sub(r"\1", _BREAKS.sub("\n", text))
    if text.isascii():
        return text
    text = _MISPLACED.sub("", text)
    return text if _RIGHT_TO_LEFT.search(text) else _DIRECTION.sub("", text)
