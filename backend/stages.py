"""How a reply is got out of a model: in two stages, or in one pass.

A small model seldom keeps to a format, so that the backend writes the harmony headers itself:
first the reasoning, which ends when the model ends it or its share of the budget is spent, then
the answer, for which there is always room. A model that speaks harmony needs one pass only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from backend.base import MIN_NEW_TOKENS, Effort, Options, TooLong
from backend.fitting import fit
from backend.llama import Llama, Pass, Passed, Sampling
from backend.prompt import Prompt, write_prompt
from backend.watcher import Watcher
from chat.conversation import Conversation
from chat.events import Ended, EndReason, Event, ReasoningDelta, Shortened, Usage
from chat.harmony import HarmonyReader
from chat.typed_markers import neutralise

ANALYSIS = "<|channel|>analysis<|message|>"
ANSWER = "<|channel|>final<|message|>"
FINAL = f"<|end|><|start|>assistant{ANSWER}"
STOPS = (
    "<|return|>", "<|call|>", "<|end|>", "<|start|>", "<|channel|>", "<|message|>",
    "<think>", "</think>",
)  # fmt: skip
"""In two stages any marker of the model's own ends the stage: it may open no channel."""

SHARE = {Effort.LOW: 1 / 4, Effort.MEDIUM: 1 / 2, Effort.HIGH: 2 / 3}
"""Of the token budget, what the reasoning may take at most."""
DRY = 0.8
"""For the reasoning only: of 20 it kept 2 from going round in circles. An answer may well repeat
a term of the notes, and of 20 answers none looped without it."""
FORCED = 16
"""Tokens that an answer, empty at first, must have before it may end."""
SPARE = 8
"""Tokens of the context left free, for text that tokenises to more ids than it was made of."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the backend writes around the two stages; the model reads it as text.

    `opening` begins the reasoning. `turn` parts reasoning and answer within one reply;
    `follow_up`, if there is one, asks for the answer in a turn of its own instead.
    """

    opening: str
    turn: str = ""
    follow_up: str = ""
    answer: str = ""
    """What stands before an answer without notes: one that was begun, and is gone on with."""


TRAINED = Style(opening=ANALYSIS, turn=FINAL, answer=ANSWER)
"""For an adapter of this project's recipe: harmony as literal text."""
PLAIN = Style(
    opening="Let me think about this first.",
    follow_up="Thank you. Now write the final answer, short and clear.",
)
"""For a model that never saw harmony. Read over ten questions, this gave two different readable
parts for each; asking within one turn gave fragments."""


class Writing:
    """One reply being generated. `run` is called once, from a thread of its own."""

    def __init__(
        self,
        llama: Llama,
        slot: int,
        context: int,
        emit: Callable[[Event], None],
        watcher: Watcher,
    ) -> None:
        self._llama = llama
        self._slot = slot
        self._context = context
        self._emit = emit
        self._watcher = watcher
        self._reader = HarmonyReader()
        self._prompt_tokens = 0
        self._tokens = 0
        self._reasoning_tokens = 0
        self._reasoning: list[str] = []

    def two_stages(self, conversation: Conversation, options: Options, style: Style) -> None:
        """Emit the reply and its `Ended`. Raises `TooLong`, `Interrupted`, `Cancelled`."""
        llama = self._llama
        opening = llama.tokenise(style.opening, special=False)
        turn = llama.tokenise(style.turn, special=False)

        def write(asked: Conversation) -> Prompt:
            prompt = write_prompt(llama, asked, follow_up=style.follow_up)
            return Prompt(prompt.head + opening, prompt.bridge or turn)

        prompt = self._fitted(conversation, options, write)
        head, bridge = prompt.head, prompt.bridge
        budget = self._budget(options, len(head), len(bridge))
        sampling = _held(options)
        self._feed(ANALYSIS)
        first = Pass(
            head, self._slot, int(budget * SHARE[options.effort]), STOPS,
            replace(sampling, dry=DRY), reuse=options.seed is None, adapted=not options.base,
        )  # fmt: skip
        notes, passed = self._stage(first)
        self._reasoning_tokens = passed.tokens
        self._feed(FINAL)
        prompt_so_far = head + llama.tokenise(notes, special=False) + bridge
        second = replace(
            first,
            prompt=prompt_so_far,
            max_tokens=budget - passed.tokens,
            sampling=sampling,
            reuse=True,
        )
        text, passed = self._stage(second)
        if not text.strip() and not passed.ran_out:
            passed = self._insist(second, budget)
        self._end(EndReason.LENGTH if passed.ran_out else EndReason.FINISHED)

    def one_pass(self, conversation: Conversation, options: Options) -> None:
        """The same, for a model that writes harmony's headers itself."""
        effort = options.effort.value
        prompt = self._fitted(
            conversation, options, lambda asked: write_prompt(self._llama, asked, effort=effort)
        )
        budget = self._budget(options, len(prompt.head), 0)
        wanted = Pass(
            prompt.head, self._slot, budget, STOPS[:1], _free(options),
            reuse=options.seed is None, adapted=not options.base,
        )  # fmt: skip
        _, passed = self._stage(wanted)
        # One pass counts its tokens together, so that the reasoning's are counted afterwards.
        self._reasoning_tokens = len(self._llama.tokenise("".join(self._reasoning), special=False))
        self._end(EndReason.LENGTH if passed.ran_out else EndReason.FINISHED)

    def go_on(self, conversation: Conversation, options: Options, style: Style | None) -> None:
        """Emit what is new of an answer that was begun, and its `Ended`; `style` None for a model
        that speaks harmony. Its reasoning is not told again."""
        llama = self._llama
        header = llama.tokenise(style.answer if style else ANSWER, special=style is None)
        begun = header + llama.tokenise(neutralise(conversation.begun), special=False)
        effort = "" if style else options.effort.value

        def write(asked: Conversation) -> Prompt:
            return Prompt(write_prompt(llama, asked, effort=effort).head + begun, [])

        prompt = self._fitted(conversation, options, write)
        budget = self._budget(options, len(prompt.head), 0)
        sampling = _held(options) if style else _free(options)
        self._feed(ANSWER)
        wanted = Pass(
            prompt.head, self._slot, budget, STOPS if style else STOPS[:1], sampling,
            reuse=options.seed is None, adapted=not options.base,
        )  # fmt: skip
        text, passed = self._stage(wanted, begun=True)
        if text.strip() or passed.ran_out:
            self._end(EndReason.LENGTH if passed.ran_out else EndReason.FINISHED)
        else:  # it had been at its end
            self._emit(Ended(EndReason.FINISHED, self._usage))

    def interrupt(self) -> None:
        """End a reply that was cancelled from this side."""
        self._end(EndReason.INTERRUPTED)

    def _fitted(
        self, conversation: Conversation, options: Options, write: Callable[[Conversation], Prompt]
    ) -> Prompt:
        """The prompt, of as much of the conversation as leaves a reply its room."""
        written: dict[Conversation, Prompt] = {}

        def fits(asked: Conversation) -> bool:
            prompt = written[asked] = write(asked)
            return self._room(len(prompt.head), len(prompt.bridge)) >= options.max_new_tokens

        asked = fit(conversation, fits) if options.shorten else conversation
        if asked.left_out:
            self._emit(Shortened(asked.left_out))
        return written.get(asked) or write(asked)

    def _room(self, prompt: int, bridge: int) -> int:
        return self._context - prompt - bridge - SPARE

    def _budget(self, options: Options, prompt: int, bridge: int) -> int:
        self._prompt_tokens = prompt
        budget = min(options.max_new_tokens, self._room(prompt, bridge))
        if budget < MIN_NEW_TOKENS:
            raise TooLong(f"{prompt} tokens leave no room to answer in {self._context}.")
        return budget

    def _insist(self, second: Pass, budget: int) -> Passed:
        """The answer was empty: forbid its end for a few tokens, then go on as usual."""
        forced = min(FORCED, budget - self._tokens)
        if forced <= 0:
            return Passed(0, ran_out=True)
        text, passed = self._stage(replace(second, max_tokens=forced, endless=True))
        room = budget - self._tokens
        if not passed.ran_out or room <= 0:
            return passed
        prompt = second.prompt + self._llama.tokenise(text, special=False)
        return self._stage(replace(second, prompt=prompt, max_tokens=room))[1]

    def _stage(self, wanted: Pass, *, begun: bool = False) -> tuple[str, Passed]:
        """The text of one pass, given on as it comes; without the blanks before it, unless a text
        was `begun` that it goes on with."""
        pieces: list[str] = []

        def take(piece: str) -> None:
            nonlocal begun
            pieces.append(piece)
            shown = piece if begun else piece.lstrip()
            begun = begun or bool(shown)
            self._feed(shown)

        passed = self._llama.run(wanted, take, self._watcher)
        self._tokens += passed.tokens
        return "".join(pieces), passed

    def _feed(self, text: str) -> None:
        for event in self._reader.feed(text):
            if isinstance(event, ReasoningDelta):
                self._reasoning.append(event.text)
            self._emit(event)

    def _end(self, reason: EndReason) -> None:
        for event in self._reader.finish(reason, self._usage):
            self._emit(event)

    @property
    def _usage(self) -> Usage:
        return Usage(self._prompt_tokens, self._tokens, self._reasoning_tokens)


def _held(options: Options) -> Sampling:
    """For a small model: it says less nonsense when held short."""
    return Sampling(
        options.temperature, options.top_p, options.seed,
        top_k=40, min_p=0.05, repeat_penalty=1.15,
    )  # fmt: skip


def _free(options: Options) -> Sampling:
    """For gpt-oss, which is meant to be sampled as it is."""
    return Sampling(options.temperature, options.top_p, options.seed)
