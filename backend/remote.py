"""An endpoint over HTTP: the model on Modal, or any server that speaks one of the two contracts.

A question is asked in three steps: find out whether the endpoint is awake (`wake`), post it once
(`attempts`, `transport`), and read the reply as it comes (`openai_wire`, `legacy_wire`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial

from backend.asking import Asking, bar
from backend.attempts import Attempts, Failure
from backend.base import (
    BackendInfo,
    EventStream,
    Interrupted,
    NotReady,
    Options,
    Refused,
    Status,
    TooLong,
    TooSlow,
    Unreachable,
    versioned,
)
from backend.fitting import fit
from backend.legacy_wire import LegacyWire
from backend.openai_wire import OpenAIWire
from backend.policy import Policy
from backend.statuses import ASLEEP
from backend.transport import Answer, Line, Transport
from backend.wake import Sleeping, Wake
from backend.wire import Wire
from chat.conversation import Conversation
from chat.estimate import prompt_tokens
from chat.events import AnswerDelta, ReasoningDelta, Shortened
from settings import Settings, SettingsError

DEFAULTS = Options(max_new_tokens=2_048, temperature=1.0)
"""As OpenAI recommends for gpt-oss: temperature 1, top_p 1."""
CONTEXT_WINDOW = 8_192
"""Tokens, for an endpoint that does not tell."""
MAX_NEW_TOKENS = 8_192
MAX_NAME = 80
UNNAMED = "the endpoint's model"


class RemoteBackend:
    """Asks one endpoint. Contacts nobody before the first question, or `wake`."""

    def __init__(self, settings: Settings, policy: Policy | None = None) -> None:
        self._policy = policy = policy or Policy()
        self._settings = settings
        self._wire = _wire(settings, policy)
        self._transport = Transport(self._wire.url, _keys(settings), policy)
        self._attempts = Attempts(policy)
        self._wake = Wake(self._look, self._attempts, policy)
        self._lock = threading.Lock()
        self._asked: set[Asking] = set()
        self._closed = False

    @classmethod
    def from_settings(cls, settings: Settings) -> RemoteBackend:
        return cls(settings)

    @property
    def info(self) -> BackendInfo:
        """The model's name and context are the endpoint's own, once it has told them."""
        context = self._wire.context_window or CONTEXT_WINDOW
        most = min(MAX_NEW_TOKENS, context // 2)  # the rest is for the question
        revision = self._settings.adapter_revision or ""
        return BackendInfo(
            name="remote",
            model=shown_name(self._wire.model or "") or UNNAMED,
            revision=revision,
            adapter=versioned(self._settings.adapter_id, revision) if revision else "",
            context_window=context,
            max_new_tokens=most,
            honours=self._wire.honours,
            defaults=Options(
                max_new_tokens=min(DEFAULTS.max_new_tokens, most),
                temperature=DEFAULTS.temperature,
            ),
            unreliable=self._wire.unreliable,
            base=shown_name(self._wire.base_model or "") or None,
            window_known=self._wire.context_window is not None,
        )

    def status(self) -> Status:
        return self._wake.status

    def wake(self) -> None:
        self._wake.begin()

    def stream(self, conversation: Conversation, options: Options) -> EventStream:
        """Raises every kind of `BackendError`."""
        if conversation.begun:
            raise Refused("No contract of an endpoint goes on with an answer that was begun.")
        probing = self._attempts.admit()
        try:
            if not self._wake.awake:
                yield from self._wake.wait()
            yield from self._asked_shorter(conversation, options.within(self.info))
        except Unreachable as error:
            self._wake.lost(error)
            raise
        except (Interrupted, Refused, TooSlow):
            self._wake.lost(None)  # it answers, in its way: the next question looks first
            raise
        finally:
            if probing:
                self._attempts.probed()

    def _asked_shorter(self, conversation: Conversation, options: Options) -> EventStream:
        """The reply. An endpoint that finds the conversation too long is asked again with half of
        it, and so on: it has refused, so that no question is answered twice."""
        info = self.info
        room = info.room(options) if info.window_known else None
        while True:
            if options.shorten and room is not None:
                conversation = fit(conversation, partial(self._wire.fits, room=room))
            if conversation.left_out:
                yield Shortened(conversation.left_out)
            begun = False
            try:
                body = self._wire.question(conversation, options)
                with closing(self._asking(body).events()) as events:
                    for event in events:
                        begun = begun or isinstance(event, ReasoningDelta | AnswerDelta)
                        yield event
                return
            except TooLong:
                shorter = conversation.shorter()
                if begun or not options.shorten or shorter is None:
                    raise
            room, conversation = prompt_tokens(conversation) // 2, shorter

    def close(self) -> None:
        """Ends every stream with `Interrupted`, or `NotReady` where none had begun."""
        with self._lock:
            self._closed = True
            asking = list(self._asked)
        self._wake.close()
        for each in asking:
            each.stop()
        self._transport.close()

    def _asking(self, body: bytes) -> Asking:
        def ended() -> None:
            with self._lock:
                self._asked.discard(asking)

        asking = Asking(
            self._wire, self._transport, self._attempts, self._policy, body, self._wake.seen, ended
        )
        with self._lock:
            if self._closed:
                raise NotReady("The backend was closed.")
            self._asked.add(asking)
        return asking

    def _look(self, line: Line, sent_on: Callable[[], None]) -> bool:
        status = 0

        def get(url: str) -> Answer:
            nonlocal status
            answer = self._transport.ask(line, "GET", url, redirected=sent_on)
            status = answer.status
            if status in ASLEEP:
                answer.close()
                raise Sleeping
            return answer

        try:
            self._wire.look(get)
        except Sleeping:
            return False
        except Failure as failure:
            bar(self._attempts, failure, status)
            raise
        return True


def shown_name(model: str) -> str:
    """The name of a served model as a visitor may read it: some servers name a file's path."""
    name = "".join(c for c in model if c.isprintable()).replace("\\", "/")
    if name.startswith("/") or name.count("/") > 1:
        name = name.rpartition("/")[2]
    return name[:MAX_NAME]


def _wire(settings: Settings, policy: Policy) -> Wire:
    url = settings.modal_endpoint
    if url is None:
        raise SettingsError("BACKEND is remote, so set MODAL_ENDPOINT to the endpoint's https URL.")
    contract = settings.endpoint_contract or ("openai" if url.endswith("/v1") else "legacy")
    if contract == "legacy":
        return LegacyWire(url)
    base = url if url.endswith("/v1") else f"{url}/v1"
    return OpenAIWire(base, settings.modal_model, policy.event_bytes)


def _keys(settings: Settings) -> dict[str, str]:
    """The headers that open the endpoint, for its own origin alone."""
    keys: dict[str, str] = {}
    if settings.modal_key is not None and settings.modal_secret is not None:
        keys["Modal-Key"] = settings.modal_key.reveal()
        keys["Modal-Secret"] = settings.modal_secret.reveal()
    if settings.endpoint_api_key is not None:
        keys["Authorization"] = f"Bearer {settings.endpoint_api_key.reveal()}"
    return keys
