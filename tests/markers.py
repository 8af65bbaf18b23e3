"""Control tokens of every family, and what somebody does to them to have one pass unnoticed."""

from __future__ import annotations

FAMILIES = {
    "harmony": "<|start|> <|end|> <|message|> <|channel|> <|constrain|> <|return|> <|call|> "
    "<|startoftext|> <|endoftext|> <|endofprompt|> <|reserved_200017|>",
    "ChatML, Qwen": "<|im_start|> <|im_end|> <|im_sep|> <|object_ref_start|> <|vision_pad|> "
    "<tool_call> </tool_call> <tool_response> <tools> <|fim_prefix|> <|repo_name|>",
    "Llama 2": "<s> </s> <unk> <<SYS>> <</SYS>> [INST] [/INST] <0x0A>",
    "Llama 3 and 4": "<|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> "
    "<|eom_id|> <|python_tag|> <|header_start|> <|eot|>",
    "Gemma": "<bos> <eos> <pad> <start_of_turn> <end_of_turn> <start_of_image> <unused99> "
    "<image_soft_token> <|turn> <turn|> <|channel> <channel|>",
    "Mistral": "[TOOL_CALLS] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [IMG] [IMG_END] "
    "[SYSTEM_PROMPT] [/SYSTEM_PROMPT] [PREFIX] [THINK] [/THINK] [control_8]",
    "Phi": "<|system|> <|user|> <|assistant|> <|tool|> <|dummy_0|> <|placeholder1|>",
    "DeepSeek": "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜Assistant｜> "
    "<｜tool▁calls▁begin｜> <｜tool▁sep｜> <｜fim▁hole｜> <|EOT|>",
    "Command-R": "<BOS_TOKEN> <|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> <|SYSTEM_TOKEN|> "
    "<|USER_TOKEN|> <|CHATBOT_TOKEN|> <|START_THINKING|>",
    "GLM, BERT": "[gMASK] [sMASK] <sop> <eop> <|observation|> [CLS] [SEP] [MASK] [unused1]",
    "others": "<think> </think> [|system|] [|endofturn|] <seed:bos> ]~b] ]~!b[ [e~[ >>TITLE<< "
    "<end_of_utterance> <extra_id_0> <|||> <role> </role> <jupyter_start> |||EMAIL_ADDRESS|||",
}
MARKERS = tuple(marker for family in FAMILIES.values() for marker in family.split())

_WIDE = str.maketrans({chr(n): chr(n + 0xFEE0) for n in range(0x21, 0x7F)})
_CYRILLIC = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")
_ENTITIES = str.maketrans({"<": "&lt;", ">": "&gt;", "|": "&#124;"})


def disguises(marker: str) -> dict[str, str]:
    """The same marker as it might be typed, by what was done to it."""
    inside = marker[1:-1]
    return {
        "plain": marker,
        "full width": marker.translate(_WIDE),
        "full-width brackets": marker[0].translate(_WIDE) + inside + marker[-1].translate(_WIDE),
        "split by nothing visible": "\u200b".join(marker),
        "split by joiners": "\u200d".join(marker),
        "split by tags": marker[:2] + "\U000e0061\U000e0062" + marker[2:],
        "other letters": marker.translate(_CYRILLIC),
        "mixed": marker[: len(marker) // 2].translate(_WIDE) + marker[len(marker) // 2 :],
        "nested": marker[:2] + marker + marker[2:],
        "nested at the end": marker[:-2] + marker + marker[-2:],
        "twice": marker + marker,
        "entities": marker.translate(_ENTITIES),
        "upper case": marker.upper(),
    }
