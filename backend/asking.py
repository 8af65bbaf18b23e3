"""Posting one question and reading its reply, inside every limit of time and size.

Two threads: one does nothing but wait for the network, the other is the stream's reader, which
keeps the time, parses, and gives out events. What came meanwhile is parsed together, since a
wake-up and a parse for each token cost more than the token.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

from backend.attempts import Attempts, Failure
from backend.base import TICK, BackendError, EventStream, Interrupted, Refused, TooSlow
from backend.cancelled import Cancelled
from backend.policy import Policy
from backend.statuses import failure_of
from backend.transport import LAST_WORDS, Answer, Line, Transport
from backend.wire import ReplyReader, Wire
from chat.events import AnswerDelta, Ended, Event, ReasoningDelta, Stage, Waiting

log = logging.getLogger("medicalgpt.remote")

GATHER = 0.016
"""Seconds for which text is gathered, on either thread, once some has come. The first of a reply,
and any that comes after a longer silence, is given out at once."""
WAITED = 0.0005
"""Seconds. A read that took longer had to wait, so that nothing more is there."""
JOIN_SECONDS = 1.0
"""For the thread whose socket was just shut."""
AHEAD = 256 * 1024
"""Bytes that may be read before they are parsed."""


class End:
    """The body's end."""


Came = Answer | bytes | BackendError | End


def bar(attempts: Attempts, failure: Failure, status: int) -> None:
    """Refused keys stay refused: asking again would only look like an attack."""
    if status in (401, 403) and isinstance(failure.error, Refused):
        attempts.bar(failure.error)


class Asking:
    """One question. `seen` is called at each sign of life, `ended` at the exchange's end."""

    def __init__(
        self,
        wire: Wire,
        transport: Transport,
        attempts: Attempts,
        policy: Policy,
        body: bytes,
        seen: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._wire = wire
        self._transport = transport
        self._attempts = attempts
        self._policy = policy
        self._body = body
        self._seen = seen
        self._ended = ended
        self._line = Line()
        self._came: queue.SimpleQueue[Came] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ask-endpoint", daemon=True)
        self._reader: ReplyReader | None = None
        self._events: list[Event] = []
        self._over = False
        self._parsed = 0  # bytes
        self._chars = 0
        self._began = self._hop = self._byte = time.monotonic()
        """When it was asked, when last sent or told to wait, and when the last byte came."""
        self._head: float | None = None
        self._data: float | None = None
        self._text: float | None = None
        self._sent_on = self._paused = False

    def events(self) -> EventStream:
        """To be read once. Closing it ends the exchange, and waits for that."""
        self._thread.start()
        error: BackendError | None = None
        try:
            yield self._waiting()
            told = time.monotonic()
            while not self._over:
                came = self._next()
                try:
                    for each in came:
                        self._take(each)
                    # After what came: it may have lain there while this process was suspended.
                    if not self._over:
                        self._check(time.monotonic())
                except BackendError as raised:
                    error = raised
                events, self._events = self._events, []
                yield from events
                told = time.monotonic() if events else told
                if error is not None:
                    raise error
                if not self._over and time.monotonic() - told >= TICK:
                    yield self._waiting()
                    told = time.monotonic()
                if self._text is not None and not self._over:
                    time.sleep(GATHER)
        finally:
            self.stop()
            self._thread.join(JOIN_SECONDS)

    def stop(self) -> None:
        """End it. May be called from any thread."""
        self._line.shut()

    # What the stream's reader does.

    def _next(self) -> list[Came]:
        """All that came since the last time, neighbouring pieces joined. Waits for a tick."""
        came: list[Came] = []
        pieces: list[bytes] = []
        with contextlib.suppress(queue.Empty):
            each = self._came.get(timeout=TICK)
            while True:
                if isinstance(each, bytes):
                    pieces.append(each)
                else:
                    came += [b"".join(pieces), each] if pieces else [each]
                    pieces = []
                each = self._came.get_nowait()
        return [*came, b"".join(pieces)] if pieces else came

    def _take(self, came: Came) -> None:
        if self._over:
            return
        reader = self._reader
        if isinstance(came, Answer):
            self._head = self._byte = time.monotonic()
            self._reader = self._wire.reader(came.media_type, self._tell)
        elif isinstance(came, bytes):
            assert reader is not None
            self._byte = time.monotonic()
            self._parsed += len(came)
            if reader.feed(came):
                self._data = self._byte
            if reader.done:
                self._thread.join(LAST_WORDS)  # what follows is nothing, or too late
                self._finish(reader)
        elif isinstance(came, End):
            assert reader is not None
            self._finish(reader)
        elif reader is None:
            raise came
        else:
            reader.cut(came)

    def _finish(self, reader: ReplyReader) -> None:
        self._seen()
        reader.finish()

    def _tell(self, event: Event) -> None:
        if isinstance(event, ReasoningDelta | AnswerDelta):
            self._text = self._byte
            self._chars += len(event.text)
            if self._chars > self._policy.reply_bytes:
                raise Interrupted("The endpoint's reply has no end.")
        self._over = isinstance(event, Ended)
        self._events.append(event)

    def _waiting(self) -> Waiting:
        now = time.monotonic()
        if self._head is None:
            if self._paused:
                return Waiting(Stage.QUEUED, now - self._hop)
            slow = self._sent_on or now - self._began > self._policy.starting_up
            return Waiting(Stage.WAKING if slow else Stage.CONNECTING, now - self._began)
        if self._text is None:
            return Waiting(Stage.READING, now - self._head)
        return Waiting(Stage.GENERATING, now - self._text)

    def _check(self, now: float) -> None:
        """Raises where a limit of time is passed."""
        policy, head = self._policy, self._head
        if head is None:
            if now - self._began > policy.question or (
                not self._paused and now - self._hop > policy.headers
            ):
                raise TooSlow("The endpoint did not answer in time.")
        elif now - head > policy.reply:
            raise TooSlow("The endpoint's reply took too long.")
        elif now - (self._data or head) > policy.data_idle:
            raise TooSlow("The endpoint's reply made no progress.")
        elif self._data is not None and now - self._byte > policy.idle:
            raise Interrupted("The endpoint's reply stalled.")

    # What the other thread does.

    def _run(self) -> None:
        try:
            answer = self._attempts.run(self._post, self._pause)
            with contextlib.closing(answer):
                self._came.put(answer)
                self._pump(answer)
            self._came.put(End())
        except Failure as failure:
            self._came.put(failure.error)
        except BackendError as error:
            self._came.put(error)
        except Cancelled:
            self._came.put(Interrupted("It was stopped."))
        except Exception as error:
            # The class alone: an exception's text may hold what was said.
            log.error("a question failed inside: %s", type(error).__name__)
            self._came.put(Interrupted("An error of our own."))
        finally:
            self._line.close()
            self._ended()

    def _post(self) -> Answer:
        self._hop, self._paused = time.monotonic(), False
        try:
            answer = self._transport.ask(
                self._line, "POST", self._wire.url, self._body, self._redirected
            )
            if answer.status != 200:
                failure = failure_of(answer)
                bar(self._attempts, failure, answer.status)
                raise failure
        except Failure as failure:
            if self._sent_on:
                failure.retries = 0  # a redirect says that the question was taken
            raise
        self._attempts.succeeded()
        self._seen()
        return answer

    def _redirected(self) -> None:
        self._hop, self._sent_on = time.monotonic(), True

    def _pause(self, seconds: float) -> None:
        self._hop, self._paused = time.monotonic(), True
        self._line.pause(seconds)

    def _pump(self, answer: Answer) -> None:
        read, began = 0, time.monotonic()
        for piece in answer.pieces():
            self._came.put(piece)
            read += len(piece)
            if read > self._policy.wire_bytes:
                raise Interrupted("The endpoint sent more than a reply can be.")
            while read - self._parsed > AHEAD:
                self._line.pause(GATHER)
            now = time.monotonic()
            if now - began > WAITED and self._text is not None:
                self._line.pause(GATHER)
                now = time.monotonic()
            began = now
