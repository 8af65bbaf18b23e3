"""Every sentence a visitor reads, in English; how those with figures in them are put together."""

from __future__ import annotations

from typing import ClassVar

from backend.base import (
    Asleep,
    BackendError,
    BackendInfo,
    BrokeContract,
    Busy,
    Effort,
    Failed,
    Interrupted,
    NotReady,
    Ready,
    Refused,
    Status,
    TooLong,
    TooSlow,
    Unreachable,
    Waking,
)
from backend.gpu import INSTALL, NEEDED
from backend.why import Reason, Why
from chat.conversation import AnswerTooLong, QuestionError, QuestionTooLong
from chat.events import Stage, Waiting
from ui.limits import GoingDown, NotNow, OneAtATime, TooSoon, UsedUp

Sections = tuple[tuple[str, str], ...]


class Words:
    """English, and the form of every other language: whoever speaks another overrides it all."""

    TAG = "en"
    NAME = "English"
    DIRECTION = "ltr"

    TITLE = "MedicalGPT"
    TAGLINE = "Medical reasoning, with its working shown"
    PREVIEW = "MedicalGPT: medical reasoning, with its working shown"
    PLACEHOLDER = "Ask a medical question"
    INTRO = (
        "For medical education, practice in clinical reasoning, research, and the study of "
        "decision support. The reasoning trace and the answer stand apart, so that you can check "
        "one against the other."
    )
    EXAMPLES = (
        "Explain how the renin-angiotensin-aldosterone system regulates blood pressure.",
        "A 34-year-old woman has fatigue, weight gain, cold intolerance and constipation. What is "
        "the differential diagnosis?",
        "What are the treatment options for newly diagnosed type 2 diabetes, and how does one "
        "choose?",
        "Describe the pathophysiology of diabetic ketoacidosis.",
    )

    DISCLAIMER = (
        "For education and research. Not a medical device, and not a substitute for a clinician. "
        "In an emergency, call your local emergency number."
    )
    DISCLAIMER_LINK = "What this is, and is not"
    DISCLAIMER_TITLE = "What MedicalGPT is, and is not"
    DISCLAIMER_SECTIONS = (
        (
            "Education and research only",
            "MedicalGPT is a language model that writes text about medicine. It is for learning, "
            "for practising clinical reasoning, for research, and for studying decision support. "
            "It is not a medical device. It does not diagnose, and it does not treat.",
        ),
        (
            "Not a substitute for a clinician",
            "Do not use it to decide about your own health or anybody else's. Do not start, stop "
            "or change a treatment because of what it says, and do not put off seeing a "
            "clinician. What a clinician takes from it must be checked against primary sources "
            "first.",
        ),
        (
            "It can be wrong, and sound sure",
            "The model can invent facts, doses, studies and citations. It does not know you, your "
            "history or your results, and it was trained on data that is incomplete and biased. "
            "The small model that runs without a GPU is a demonstration of the page: its medical "
            "content is often wrong.",
        ),
        (
            "The reasoning trace is working notes",
            "The reasoning panel shows what the model wrote before its answer. It is unverified, "
            "it is held to a lower standard than the answer, and it is not an explanation of how "
            "the answer really came about.",
        ),
        (
            "Emergencies",
            "If somebody may be in danger, do not type: call your local emergency number, such as "
            "112 in Europe, 911 in the United States and Canada, or 999 in the United Kingdom. "
            "Where what you write sounds like an emergency or a crisis, a notice with numbers "
            "appears, by a fixed check that can miss one, and can be wrong: it knows English "
            "best, Turkish less well, and of some other languages a crisis only. It shows the "
            "numbers of the country whose time zone your device is in; you can choose another "
            "there, and your choice is remembered in your browser only.",
        ),
        (
            "What is kept",
            "Nothing of what you write is stored on the server or written to a log. The "
            "conversation is in this page and is gone when you close or reload it, unless you ask "
            "this browser to keep it. Still, do not type names or anything else that identifies a "
            "person.",
        ),
    )
    PRIVACY_LINK = "What is kept"
    PRIVACY_TITLE = "What is kept, where, and how long"
    PRIVACY_SECTIONS = (
        (
            "On the server: nothing that was said",
            "What you write, what the model thinks and what it answers are in the server's memory "
            "while your question is answered, and gone after that. Where the connection to your "
            "page is lost, the answer waits there for two minutes, or what the owner chose "
            "instead, so that your page can fetch it, and nobody else can. None of it is written "
            "to a file, a database, a log or a statistic, and none of it is used to train "
            "anything.",
        ),
        (
            "What the model's service sees",
            "The line at the top says which model answers. Where it says remote, this page sends "
            "your question, with the conversation before it and without your address, to a "
            "service that runs the model elsewhere. What that service keeps is for its owner to "
            "say. Otherwise the model runs on this server, and your question goes no further.",
        ),
        (
            "What others see on the way",
            "As with any website, the company that hosts this page sees your network address, and "
            "when and how much is sent. It runs the machine, so that it could read what passes "
            "through it. The same is true of the company that hosts the model's service, and of "
            "Gradio's relay where the page is reached under an address that ends in gradio.live.",
        ),
        (
            "In your browser: what you ask it to keep",
            "Nothing of a conversation is kept unless you switch it on under Conversations. Then "
            "your questions and the answers, without the reasoning, with the model's name and the "
            "settings, are in this browser on this device, not encrypted, where anybody who uses "
            "the browser can read them. They are never sent for being kept, and stay until you "
            "delete them there, one or all; to switch it off only keeps the next ones from being "
            "kept. A temporary chat is not kept. From a safety notice on, nothing more of a "
            "conversation is. What you export is made in this browser and is a file of yours like "
            "any other.",
        ),
        (
            "In your browser: what the page needs",
            "While a question is answered, and while you change the language, the conversation, "
            "what you are typing and a safety notice that stands are also in this tab's own "
            "storage, so that a page that is loaded again can go on with them. They are taken out "
            "when the answer has ended, and gone when the tab is closed. So is which kept "
            "conversation the tab shows. The time zone of your device is compared in the browser, "
            "for the emergency numbers, and sent nowhere. The region whose emergency numbers you "
            "choose, and the language you choose, are remembered until you choose another. There "
            "are no cookies, and nobody else's scripts.",
        ),
        (
            "Other programs",
            "A program may ask this page's questions too, and what is said here is true of those "
            "as well. What the program keeps is for whoever runs it to say.",
        ),
        (
            "In the server's memory: how often you ask",
            "So that one visitor cannot use up what is there for all, the server knows how often "
            "each of them asked, and pressed a thumb. For that it holds these times beside a "
            "number made of your network address with a random key. Both are gone about an hour "
            "after the last of them, the key with every restart, and neither is ever written down.",
        ),
        (
            "What is counted",
            "Where there are thumbs under an answer, pressing one adds one to a count: of that "
            "thumb, and of the reason you choose from the list. Nothing else is sent with it: no "
            "text, and not which answer it is about. Each answer leaves one line in the server's "
            "log: the time, a random reference, how it ended, how long it took, how many tokens "
            "it had, and the names of the safety rules that your question met, if any. So does a "
            "question that was turned away, with why. The owner may read the sums of all these. "
            "No text and no address is among them.",
        ),
    )
    BACK = "Back to the conversation"

    COMPARE = "Compare with the base model"
    COMPARE_TAGLINE = "One question, two models"
    COMPARE_INTRO = (
        "What you ask goes to the model with its adapter and to the base model without it, with "
        "the same settings; each is asked in the form that it knows, and is told this question "
        "alone. Nothing of it is kept, and the next question takes its place."
    )
    QUESTION_ASKED = "The question"
    WITH_ADAPTER = "With the adapter"
    WITHOUT_ADAPTER = "The base model, without it"
    NEW_QUESTION = "Start over"
    ALONE = "This page has one model, so there is nothing to compare it with."
    ALONE_YET = (
        "Whether there is a base model to compare with is not known while the model is not ready: "
        "ask it a question first, then load this page again."
    )

    SEND = "Ask"
    STOP = "Stop"
    NEW = "New conversation"
    CONVERSATIONS = "Conversations"
    TEMPORARY = "Temporary chat"
    KEEP = "Keep conversations in this browser"
    KEEP_INFO = (
        "Questions and answers without the reasoning, on this device only and not encrypted. "
        "Anybody who uses this browser can read them."
    )
    KEPT_NONE = "No conversation is kept yet."
    IMPORT = "Import"
    EXPORT_ALL = "Export all"
    DELETE_ALL = "Delete all"
    CLOSE = "Close"
    EXPORT = "Export"
    EXPORT_TITLE = "Export this conversation"
    EXPORT_INFO = "The file is made in this browser; nothing is sent for it."
    EXPORT_REASONING = "With the reasoning, which is unverified working notes"
    EXPORT_MARKDOWN = "Markdown"
    EXPORT_JSON = "JSON"
    EXPORT_PRINT = "Print or PDF"
    SETTINGS = "Settings"
    EFFORT = "Reasoning effort"
    EFFORT_INFO = "How much the model thinks before it answers."
    EFFORTS = (("Low", "low"), ("Medium", "medium"), ("High", "high"))
    LENGTH = "Longest reply, in tokens"
    LENGTH_INFO = "Reasoning and answer together; a token is about three quarters of a word."
    TEMPERATURE = "Temperature"
    TEMPERATURE_INFO = "0 is the most predictable."

    UNVERIFIED = "unverified working notes"
    TRACE = "Reasoning"
    NO_TRACE = "The reasoning trace is switched off on this page."
    THINKING = "Thinking"
    REASONING = "Reasoning, unverified working notes:"
    AGAIN = "Try again"
    MORE_ROOM = "Try again with more room"
    CONTINUE = "Continue"
    WITH_EFFORT: ClassVar[dict[Effort, str]] = {
        Effort.LOW: "Try low effort",
        Effort.MEDIUM: "Try medium effort",
        Effort.HIGH: "Try high effort",
    }
    OF_EFFORT: ClassVar[dict[Effort, str]] = {
        Effort.LOW: "Low effort",
        Effort.MEDIUM: "Medium effort",
        Effort.HIGH: "High effort",
    }

    WAKE = "The model is starting up. This can take a few minutes; your question is waiting."
    SLOW = "The model took too long, so we stopped. You can try again. (ref {ref})"
    BUSY = "Many people are asking right now. Please try again in about {n} seconds."
    DOWN = (
        "The model cannot be reached right now. Your question was not answered. You can try "
        "again. (ref {ref})"
    )
    SETUP = (
        "This service is not set up correctly, so it cannot answer. The problem is on our side. "
        "(ref {ref})"
    )
    CUT = "This answer was cut off and is incomplete. Do not rely on it. (ref {ref})"
    BAD = "The model sent a reply we could not read. You can try again. (ref {ref})"
    NONE = "The model finished without giving an answer. You can try again, or ask in another way."
    LONG = "Your message is too long ({n} of {max} characters). Please shorten it."
    CTX = "Your question is longer than the model can read. Please shorten it."
    EMPTY = "Please type a question."
    RATE = "You have sent several questions in a short time. Please wait {n} seconds."
    CAP = "Today's free capacity is used up. Please come back tomorrow."
    ONE_AT_A_TIME = (
        "A question from your address is being answered already. Please wait until it is done."
    )
    LOST = "Connection lost. Your text is kept below; please send it again."
    LOST_GOING = "Connection lost. The answer goes on; this page picks it up when you are back."
    LOST_SENDING = "Connection lost. Your question is sent as soon as you are back."
    LOST_OVER = (
        "Connection lost. What stands here of the answer is incomplete: do not rely on it. You "
        "can ask again when you are back."
    )
    LOST_CUT = "The connection was lost before this answer was complete. Do not rely on it."
    ELSEWHERE = (
        "This answer goes on in another tab, where it was picked up. What stands here is "
        "incomplete: do not rely on it."
    )
    STILL_ANSWERING = (
        "An answer is still being written. Wait for it, or stop it; your text is kept."
    )
    GOING_ON = "This answer is incomplete. The model is going on with it."
    INCOMPLETE = "This answer is incomplete. Do not rely on it."
    ANSWER_LONG = (
        "This answer is incomplete, and too long for the model to go on with it. Do not rely on "
        "it. You can ask for a part of it alone."
    )
    STOPPED = "You stopped this answer, so it is incomplete. Do not rely on it."
    WITHHELD = (
        "This reply is not shown: it spoke of an amount or a way that can kill. If you think of "
        "harming yourself, or somebody is in danger, call your local emergency number now, or "
        "find a helpline at findahelpline.com."
    )
    WITHHELD_THERE = "This reply is not shown: the service that runs the model withheld it."
    CAUTION = (
        "This answer speaks of a dose, or of changing a medicine. It can be wrong, and wrong for "
        "you, for a child or in pregnancy. Ask a doctor or a pharmacist before anybody takes, "
        "changes or stops anything."
    )
    STOPPED_EARLY = "You stopped before the model answered."
    NO_ROOM_LEFT = (
        "The model used all of its room for thinking and reached no answer. Give it more room, or "
        "ask for less effort."
    )
    NOT_LOADED = (
        "The model is not ready, so your question was not answered. You can try again. (ref {ref})"
    )
    RESTARTING = "The service is restarting. Please send your question again in a minute."

    UNCOUNTED = "That could not be counted. You can try again later."
    BAD_REQUEST = "The page sent something the server could not read. Please reload the page."
    NOT_FOUND = "There is nothing at this address."
    TOO_LARGE = "That is too much to send at once. Please start a new conversation."
    BAD_CALL = (
        "The question must be a text, effort one of low, medium and high, and max_tokens and "
        "temperature numbers."
    )
    API = (
        "Ask a medical question, for education and research only. The result has fields: show the "
        "notices above everything; answer is a whole answer or empty; partial is an unfinished "
        "one."
    )
    """What a program's author reads of the page's function for programs."""

    SCRIPT: ClassVar[dict[str, str]] = {
        "thinking": "The model is thinking.",
        "answering": "The model is answering.",
        "done": "The answer is complete.",
        "ended": "The reply ended; see the note under it.",
        "compared": "Both answers are complete.",
        "returned": "The connection is back.",
        "copied": "Copied.",
        "name_conversation": "Conversation",
        "name_question": "Your question",
        "name_reply": "Reply",
        "name_foot": "About this reply",
        "copy": "Copy message",
        "copy_code": "Copy this text",
        "edit": "Edit",
        "submit": "Submit",
        "retry": "Retry",
        "scroll_down": "Scroll down",
        "reset": "Back to the default: {title}",
        "replies": "Replies to this question",
        "earlier": "Earlier reply",
        "later": "Later reply",
        "reply": "Reply {n} of {all}",
        "count": "{n} of {all}",
        "gone": "Connection lost",
        "kept_broken": "A conversation that was kept here could not be read, so it was deleted.",
        "kept_full": (
            "This browser has no room for more, so this conversation is not kept any further. "
            "Delete one that is kept."
        ),
        "not_kept": "This browser does not let the page keep anything.",
        "deleted": "Deleted from this browser.",
        "judge": "Judge this answer",
        "good": "Good answer",
        "bad": "Bad answer",
        "why": "What is wrong with it?",
        "reason_wrong": "It is wrong",
        "reason_unclear": "Hard to understand",
        "reason_unsafe": "Not safe",
        "reason_unanswered": "Not what was asked",
        "reason_long": "Too long",
        "reason_other": "Something else",
        "thanks": "Thank you. Only this choice was counted.",
        "keeping_off": (
            "This conversation is temporary: it is gone when you close or reload the page."
        ),
        "keeping_off_some": (
            "Switched off: nothing more is kept. What was kept before stays until you delete it."
        ),
        "keeping_temporary": "This conversation is temporary: it is not kept.",
        "keeping_on": "This conversation is kept in this browser.",
        "keeping_warned": "From the safety notice on, nothing more of this conversation is kept.",
        "rename": "Rename",
        "rename_this": "Rename “{title}”",
        "save": "Save",
        "cancel": "Cancel",
        "delete": "Delete",
        "delete_this": "Delete “{title}”",
        "delete_sure": "Delete “{title}” from this browser?",
        "delete_all_sure": "Really delete all {n}",
        "imported": "Conversations that were added: {n}.",
        "import_left": (
            "Parts that are not kept were left out: what follows a safety notice, and the oldest "
            "turns of a very long conversation."
        ),
        "import_broken": (
            "This file could not be read as conversations of this page. Nothing was changed."
        ),
        "import_new": "This file is from a newer version of this page. Nothing was changed.",
        "import_full": "This browser has no room for what is in this file. Nothing was changed.",
        "nothing_to_export": "There is no conversation on the page yet.",
        "begun_on": "Begun: {date}",
        "exported_on": "Exported: {date}",
        "safety_notice": "Safety notice (fixed text, not written by the model)",
        "fixed_reply": "Fixed reply (not written by the model)",
        "asked": "Question",
        "asked_on": "Question, {date}",
        "answer": "Answer",
        "answer_of": "Answer {n} of {count}",
        "how_ended": "How it ended: {ending}",
        "ended_finished": "finished",
        "ended_length": "out of room, incomplete",
        "ended_stopped": "stopped by the visitor, incomplete",
        "ended_interrupted": "cut off, incomplete",
        "ended_failed": "failed, no answer",
        "ended_withheld": "withheld",
        "ended_fixed": "no model was asked",
        "ended_unfinished": "not finished, incomplete",
        "fact_model": "Model: {value}",
        "fact_revision": "Revision: {value}",
        "fact_adapter": "Adapter: {value}",
        "fact_effort": "Reasoning effort: {value}",
        "fact_length": "Longest reply: {value} tokens",
        "fact_temperature": "Temperature: {value}",
    }

    # Parts of what is put together below.
    READY = "ready"
    ASLEEP = "may be asleep; your question wakes it"
    FAILED = "not available"
    STAGES: ClassVar[dict[Stage, str]] = {
        Stage.QUEUED: "Waiting for a free place",
        Stage.FETCHING: "Fetching the model",
        Stage.LOADING: "Loading the model",
        Stage.ADAPTING: "Applying the adapter",
        Stage.WARMING: "Warming the model up",
        Stage.CONNECTING: "Reaching the model",
        Stage.WAKING: "Waking the model",
        Stage.READING: "Reading your question",
        Stage.GENERATING: "Working",
    }
    SENDING = "Sending your question"
    NEXT = "You are next"
    PLACE = "Number {n} in the queue"
    THOUGHT = "Thought for {duration}"
    SECONDS = "{n} s"
    MINUTES = "{minutes} min {seconds:02d} s"
    PERCENT = "{n}%"
    DECIMAL = "."
    FIRST = "first token after {n} s"
    SPEED = "{n} tokens/s"
    TOKENS = "{n} tokens"
    IN_ALL = "{n} s in all"
    UNRELIABLE = (
        "{model} is a very small model for trying out this page. What it says about medicine is "
        "often wrong: do not use it."
    )
    LEFT_OUT_ONE = (
        "The model no longer reads the first question: the conversation is too long for it."
    )
    LEFT_OUT = (
        "The model no longer reads the first {n} questions: the conversation is too long for it."
    )
    READ_FROM = "The model reads this conversation from question {n} on."
    FILLED_ALL = (
        "This conversation fills all that the model can read: its oldest question leaves next."
    )
    FILLED = "This conversation fills {percent} of what the model can read."
    FILLED_ABOUT = "This conversation fills about {percent} of what the model can read."

    # Why it is this backend that answers; what the owner of the machine can do about it.
    WHY: ClassVar[dict[Reason, str]] = {
        Reason.CHOSEN: "BACKEND is {backend}.",
        Reason.ENDPOINT: "MODAL_ENDPOINT is set.",
        Reason.GPU: "torch sees a GPU with {memory} GB.",
        Reason.NO_GPU: "No endpoint is set and there is no NVIDIA GPU, so the CPU answers.",
        Reason.NO_LIBRARIES: (
            "An NVIDIA GPU is here, but not what uses it, so the small embedded model answers on "
            "the CPU. To use the GPU: {install}"
        ),
        Reason.SMALL_GPU: (
            "The GPU has {memory} GB and gpt-oss needs {needed}, so the small embedded model "
            "answers on the CPU."
        ),
        Reason.UNSEEN_GPU: (
            "torch does not see the NVIDIA GPU, so the small embedded model answers on the CPU."
        ),
    }

    def why(self, why: Why) -> str:
        """Why it is this backend that answers."""
        return self.WHY[why.reason].format(
            backend=why.backend,
            memory=f"{why.memory / 1e9:.0f}",
            needed=f"{NEEDED / 1e9:.0f}",
            install=INSTALL,
        )

    def said_by_script(self) -> dict[str, str]:
        """The sentences that the page's scripts show, have read aloud, or write into exports."""
        return {
            **self.SCRIPT,
            "lost": self.LOST,
            "lost_going": self.LOST_GOING,
            "lost_sending": self.LOST_SENDING,
            "lost_over": self.LOST_OVER,
            "uncounted": self.UNCOUNTED,
            "still_answering": self.STILL_ANSWERING,
            "unfinished": self.INCOMPLETE,
            "disclaimer": self.DISCLAIMER,
            "name_asked": self.QUESTION_ASKED,
            "name_adapted": self.WITH_ADAPTER,
            "name_plain": self.WITHOUT_ADAPTER,
            "name_reasoning": f"{self.TRACE}, {self.UNVERIFIED}",
            "reasoning": f"{self.TRACE} ({self.UNVERIFIED})",
            **{f"effort_{value}": label for label, value in self.EFFORTS},
        }

    def unreliable(self, info: BackendInfo) -> str:
        return self.UNRELIABLE.format(model=info.model)

    def alone(self, info: BackendInfo, status: Status) -> str:
        """Why there is no base model to compare with, or nothing where there is one."""
        if info.base is not None:
            return ""
        # One that cannot be reached may not have been asked yet what it has.
        return self.ALONE if isinstance(status, Ready) else self.ALONE_YET

    def state(self, info: BackendInfo, status: Status) -> str:
        """The state line: which model, and whether it would answer now."""
        match status:
            case Ready():
                now = self.READY
            case Asleep():
                now = self.ASLEEP
            case Waking(stage=stage, fraction=fraction):
                now = self.small(self.STAGES[stage]) + self._share(fraction)
            case Failed():
                now = self.FAILED
        return f"{info.model} ({info.name}) · {now}"

    def waiting(self, wait: Waiting | None, seconds: float) -> str:
        """What goes on before the first word, and for how long. `seconds` since the question."""
        if wait is None:
            return f"{self.SENDING} · {self.duration(seconds)}"
        if wait.stage is Stage.QUEUED and wait.place is not None:
            before = self.NEXT if wait.place == 1 else self.PLACE.format(n=wait.place)
            return f"{before} · {self.duration(wait.elapsed)}"
        stage = self.STAGES[wait.stage] + self._share(wait.fraction)
        return f"{stage} · {self.duration(wait.elapsed)}"

    def thinking(self, seconds: float) -> str:
        return f"{self.THINKING} · {self.duration(seconds)}"

    def thought(self, seconds: float) -> str:
        return self.THOUGHT.format(duration=self.duration(seconds))

    def duration(self, seconds: float) -> str:
        whole = int(seconds)
        if whole < 60:
            return self.SECONDS.format(n=whole)
        return self.MINUTES.format(minutes=whole // 60, seconds=whole % 60)

    def figures(
        self, first: float | None, speed: float | None, tokens: int | None, seconds: float | None
    ) -> str:
        """Time to first token, speed, length and whole time, as far as they are known."""
        parts: list[str] = []
        if first is not None:
            parts.append(self.FIRST.format(n=self.number(first)))
        if speed is not None:
            parts.append(self.SPEED.format(n=self.number(speed, 0 if speed >= 10 else 1)))
        if tokens is not None:
            parts.append(self.TOKENS.format(n=tokens))
        if first is not None and seconds is not None:
            parts.append(self.IN_ALL.format(n=self.number(seconds)))
        return " · ".join(parts)

    def error(self, error: BackendError, ref: str, partial: bool) -> str:
        """The sentence for each class of error; `partial` is whether any text had come."""
        match error:
            case TooLong():
                return self.CTX
            case Busy(retry_after=seconds):
                return self.BUSY.format(n=max(1, round(seconds or 20)))
            case _ if partial:
                return self.CUT.format(ref=ref)
            case NotReady():
                return self.NOT_LOADED.format(ref=ref)
            case Refused():
                return self.SETUP.format(ref=ref)
            case TooSlow():
                return self.SLOW.format(ref=ref)
            case BrokeContract():
                return self.BAD.format(ref=ref)
            case Unreachable() | Interrupted() | _:
                return self.DOWN.format(ref=ref)

    def cannot_ask(self, fault: QuestionError) -> str:
        """The sentence for a question that is none."""
        if isinstance(fault, QuestionTooLong):
            return self.LONG.format(n=fault.length, max=fault.limit)
        return self.ANSWER_LONG if isinstance(fault, AnswerTooLong) else self.EMPTY

    def left_out(self, questions: int) -> str:
        """Under a reply: what of the conversation the model was not given to read."""
        return self.LEFT_OUT_ONE if questions == 1 else self.LEFT_OUT.format(n=questions)

    def read_from(self, question: int) -> str:
        """Near the box: from which question on the conversation is read."""
        return self.READ_FROM.format(n=question)

    def filled(self, share: float, counted: bool) -> str:
        """Near the box: how much of what the model can read the conversation fills."""
        if share >= 1:
            return self.FILLED_ALL
        sentence = self.FILLED if counted else self.FILLED_ABOUT
        return sentence.format(percent=self.percent(share))

    def refusal(self, refusal: NotNow | Busy) -> str:
        """Why a question is not taken now."""
        match refusal:
            case TooSoon(seconds=seconds):
                return self.RATE.format(n=seconds)
            case UsedUp():
                return self.CAP
            case OneAtATime():
                return self.ONE_AT_A_TIME
            case GoingDown() | NotNow():
                return self.RESTARTING
            case Busy():
                return self.error(refusal, "", False)

    def number(self, number: float, digits: int = 1) -> str:
        return f"{number:.{digits}f}".replace(".", self.DECIMAL)

    def percent(self, share: float) -> str:
        """Of 1, in whole percent; never 100 for less than all."""
        return self.PERCENT.format(n=int(100 * share))

    def small(self, sentence: str) -> str:
        """`sentence` for the middle of another."""
        return sentence[:1].lower() + sentence[1:]

    def _share(self, fraction: float | None) -> str:
        return "" if fraction is None else f" · {self.percent(fraction)}"
