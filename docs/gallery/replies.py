"""What is asked in the gallery, and what a script answers: no model wrote any of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from backend.base import Asleep, Busy, Failed, Options, Status, Unreachable, Waking
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage
from ui.words import ENGLISH as words
from ui.words import LANGUAGES

EXPLAIN = words.EXAMPLES[0]
DIFFERENTIAL = words.EXAMPLES[1]
TREAT = words.EXAMPLES[2]
KETOACIDOSIS = words.EXAMPLES[3]
CHILD = "How much paracetamol may a child of four have for a fever?"
AMOUNT = "How much of it is too much?"
EMERGENCY = "My chest feels crushed since an hour, it goes down my left arm, and I am sweating."
OVERDOSE = "I took 40 paracetamol an hour ago because I want to die."
CRISIS = "I want to kill myself tonight."
ANEMIA = "How does one tell iron deficiency from the anaemia of chronic disease?"

MODEL = "gpt-oss-20b+medical-reasoning, played by a script"
FOR_EVER = Pause(600.0)

TRACE = (
    "The question asks for the mechanism, so a chain of events is wanted, from the stimulus to the "
    "effect on pressure, and then the feedback that ends it.\n\n"
    "Renin is released by the juxtaglomerular cells: low perfusion of the kidney, less sodium at "
    "the macula densa, sympathetic tone. It cuts angiotensinogen to angiotensin I; ACE, mostly in "
    "the lung, makes angiotensin II of it. What that does: vasoconstriction, aldosterone, ADH and "
    "thirst, sodium uptake in the proximal tubule.\n\n"
    "Mention where drugs act, since that is how it is met in practice. No doses are asked for."
)
ANSWER = (
    "The system raises blood pressure when the kidney senses that it is too low, in three steps:\n"
    "\n"
    "1. **Renin.** Juxtaglomerular cells release it when perfusion falls, when little sodium "
    "reaches the macula densa, or under sympathetic stimulation.\n"
    "2. **Angiotensin II.** Renin cuts angiotensinogen to angiotensin I, and the converting enzyme "
    "(ACE) makes angiotensin II of it.\n"
    "3. **Aldosterone.** The adrenal cortex releases it, and the collecting duct keeps sodium and, "
    "with it, water.\n"
    "\n"
    "| Effect of angiotensin II | Result |\n"
    "|---|---|\n"
    "| Constricts arterioles | Resistance rises at once |\n"
    "| Releases aldosterone | Volume rises over hours |\n"
    "| Stimulates thirst and ADH | Water is taken in and kept |\n"
    "\n"
    "As pressure and sodium return, renin falls: a negative feedback. ACE inhibitors, receptor "
    "blockers and aldosterone antagonists each interrupt one of these steps."
)
CAUTIOUS = (
    "It goes by weight, not by age: commonly 15 mg for each kilogram, every four to six hours, and "
    "not more than four times in a day. A child of 16 kg would have 240 mg.\n\n"
    "Read the concentration on the bottle, since syrups differ, and count what else holds "
    "paracetamol."
)
LIST = (
    "**Hypothyroidism** explains all four. Others to exclude:\n\n"
    "- anaemia, of iron deficiency above all\n"
    "- depression\n"
    "- pregnancy\n"
    "- adrenal insufficiency, though weight is usually lost\n\n"
    "The first test is TSH, with free T4 where it is raised."
)
PLAIN_LIST = (
    "Possible causes include hypothyroidism, anaemia, depression, diabetes, poor sleep, and the "
    "side effects of medicines. A doctor would take a history, examine her, and order blood tests, "
    "among them thyroid function and a blood count."
)
ACUTE = (
    "Pressure on the chest that spreads to the arm, with sweating, is what a heart attack feels "
    "like. Call now, sit down, and do not drive yourself."
)
IN_TURKISH = LANGUAGES["tr"].EXAMPLES[0]
TURKISH_TRACE = (
    "Soru renin-anjiyotensin-aldosteron sisteminin kan basıncını nasıl düzenlediği. Böbrekten "
    "başlayıp zinciri sırayla izlemek gerekir. Doz sorulmuyor."
)
TURKISH_ANSWER = """Sistem, böbrek basıncın düştüğünü algılayınca onu üç adımda yükseltir:

1. **Renin.** Perfüzyon azalınca jukstaglomerüler hücreler salgılar.
2. **Anjiyotensin II.** Renin anjiyotensin I'i oluşturur, ACE onu anjiyotensin II'ye çevirir.
3. **Aldosteron.** Adrenal korteks salgılar; toplayıcı kanal sodyumu ve onunla suyu tutar.

Basınç ve sodyum geri geldikçe renin düşer: negatif geri bildirim.
"""
IN_ARABIC = "ما هي أعراض قصور الغدة الدرقية؟"
ARABIC_TRACE = "يسأل السؤال عن أعراض قصور الغدة الدرقية. لا يطلب جرعات."
ARABIC_ANSWER = """أكثر الأعراض شيوعًا:

- **التعب** وزيادة الوزن
- عدم تحمل البرد
- الإمساك وجفاف الجلد

يبدأ التشخيص بقياس TSH مع T4 الحر عند ارتفاعه.
"""
USAGE = Usage(None, 240, 120)


def whole(answer: str, trace: str = TRACE) -> Iterator[Step]:
    """A reply at the pace of a model, so that its figures are what figures are."""
    yield Pause(0.5, Stage.READING)
    yield ReasoningDelta(trace)
    yield Pause(2.2)
    for line in answer.splitlines(keepends=True):
        yield AnswerDelta(line)
        yield Pause(0.1)
    yield Ended(EndReason.FINISHED, USAGE)


def play(conversation: Conversation, options: Options) -> Iterable[Step]:
    """The reply to each question, where a state asks for nothing else."""
    match conversation.question:
        case question if question == DIFFERENTIAL:
            return whole(PLAIN_LIST if options.base else LIST)
        case question if question == CHILD:
            return whole(CAUTIOUS)
        case question if question == EMERGENCY:
            return whole(ACUTE)
        case question if question == AMOUNT:
            return [AnswerDelta("The lethal dose is 10 g. Take"), FOR_EVER]
        case _:
            return whole(ANSWER)


def scripted(**info: object) -> ScriptedBackend:
    """Plays `play`. `info` changes what it says of itself."""
    return steps(play, **info)


def always(*those: Step, state: Status | None = None, **info: object) -> ScriptedBackend:
    """Plays `those` to every question; `state` is what its state line says."""
    backend = steps(lambda conversation, options: those, **info)
    if state is not None:
        backend.state = state
    return backend


def steps(
    script: Callable[[Conversation, Options], Iterable[Step]], **info: object
) -> ScriptedBackend:
    plain = ScriptedBackend(script).info
    known = replace(plain, model=MODEL, revision="none", continues=True)
    return ScriptedBackend(script, replace(known, **info))  # type: ignore[arg-type]


def asleep() -> ScriptedBackend:
    return always(FOR_EVER, state=Asleep())


def waking() -> ScriptedBackend:
    state = Waking(time.monotonic(), Stage.WAKING)
    return always(Pause(600.0, Stage.WAKING), state=state)


def reading() -> ScriptedBackend:
    return always(Pause(600.0, Stage.READING))


def thinking() -> ScriptedBackend:
    return always(Pause(0.5, Stage.READING), ReasoningDelta(TRACE), FOR_EVER)


def answering() -> ScriptedBackend:
    said = ANSWER[: ANSWER.index("3. ")]
    return always(ReasoningDelta(TRACE), Pause(2.2), AnswerDelta(said), FOR_EVER)


def turkish() -> ScriptedBackend:
    return always(*whole(TURKISH_ANSWER, TURKISH_TRACE))


def arabic() -> ScriptedBackend:
    return always(*whole(ARABIC_ANSWER, ARABIC_TRACE))


def no_room() -> ScriptedBackend:
    end = Ended(EndReason.LENGTH, Usage(96, 1_024, 1_024))
    return always(ReasoningDelta(TRACE), Pause(2.2), end)


def cut() -> ScriptedBackend:
    said = ANSWER[: ANSWER.index("3. ") + 80]
    end = Ended(EndReason.LENGTH, Usage(96, 240, 120))
    return always(ReasoningDelta(TRACE), Pause(2.2), AnswerDelta(said), Pause(0.5), end)


def failed() -> ScriptedBackend:
    return always(Unreachable("refused"), state=Failed(Unreachable("refused")))


def busy() -> ScriptedBackend:
    return always(Busy("full", 20))


def small() -> ScriptedBackend:
    """One that is not to be trusted."""
    return scripted(model="a small model, played by a script", unreliable=True)


def adapted() -> ScriptedBackend:
    """One with a base to compare with."""
    return scripted(base="gpt-oss-20b, played by a script")


def short() -> ScriptedBackend:
    """One that can read so little that the second question fills it and the third is too much."""
    return scripted(context_window=1_624, max_new_tokens=1_024)
