"""A hundred replies that a prompt-injected model might write: `hostile.jsonl`, one a line.

A script in them would set the global CANARY; outside.test is a host that nothing may ask. After
OWASP's XSS filter evasion sheet, the test vectors of DOMPurify and of markdown-it, and the security
notes of KaTeX and Mermaid; all written anew.
"""

from __future__ import annotations

import json
from pathlib import Path

REPLIES: list[str] = [
    json.loads(line)
    for line in Path(__file__).with_name("hostile.jsonl").read_text("utf-8").splitlines()
]
