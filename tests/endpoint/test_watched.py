"""Row 70 at the endpoint: a reply that says what kills is withheld, whole and streamed."""

from __future__ import annotations

import json

import httpx
import pytest

from backend.scripted import Pause, ScriptedBackend
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from endpoint.generate import Answer, create_legacy
from safety.watch import WITHHELD
from tests.conftest import wait_until
from tests.endpoint.conftest import Run
from tests.endpoint.scripts import COUNTED, data, plays
from tests.endpoint.upstream import serving

BEFORE = "An overdose harms the liver. "
KILLS = ["The lethal dose of paracetamol is about ", "1", "0", " g", "rams. More."]
END = Ended(EndReason.FINISHED, COUNTED)


def killing(*rest: object) -> ScriptedBackend:
    pieces = [AnswerDelta(BEFORE), *map(AnswerDelta, KILLS)]
    return plays(ReasoningDelta("Hm."), *pieces, *rest)  # type: ignore[arg-type]


def test_row_70_of_a_stream_the_rest_is_not_sent_and_the_backend_is_stopped(run: Run) -> None:
    backend = killing(Pause(60.0))
    events = list(data(run(backend).complete(stream=True)))
    choices = [event["choices"][0] for event in events[:-1]]
    content = "".join(choice["delta"].get("content", "") for choice in choices)
    assert content.startswith(BEFORE)
    assert "1" not in content
    assert [choice["finish_reason"] for choice in choices][-1] == "content_filter"
    assert events[-1] == "[DONE]"
    wait_until(lambda: backend.open == 0, 2.0)


@pytest.mark.parametrize(
    "backend",
    [killing(END), plays(ReasoningDelta("".join(KILLS)), AnswerDelta("I cannot say."), END)],
    ids=["answer", "reasoning"],
)
def test_row_70_a_whole_reply_has_no_text(run: Run, backend: ScriptedBackend) -> None:
    [choice] = run(backend).complete().json()["choices"]
    assert choice["finish_reason"] == "content_filter"
    message = choice["message"]
    assert (message["content"], message["reasoning"], message["refusal"]) == ("", None, WITHHELD)


def test_row_70_the_legacy_contract_has_an_error_instead(run: Run) -> None:
    response = run(killing(END)).http.post("/generate", json={"message": "How much?"})
    assert (response.status_code, response.json()) == (200, {"error": WITHHELD})


def test_row_70_the_service_on_modal_has_the_same_error() -> None:
    async def ask(message: str) -> Answer:
        return Answer("Hm.", "".join(KILLS))

    async def awake() -> None:
        """At once."""

    with serving(create_legacy(ask, awake)) as address:
        assert httpx.post(address, json={"message": "How much?"}).json() == {"error": WITHHELD}


def test_teaching_is_told_as_it_was_written_and_counted(run: Run) -> None:
    text = "An overdose can be fatal; give naloxone 0.4 mg. <b>The usual dose is 500 mg.</b>"
    pieces = [AnswerDelta(text[at : at + 3]) for at in range(0, len(text), 3)]
    told = run(plays(*pieces, END)).complete().json()
    assert told["choices"][0]["message"]["content"] == text
    assert told["usage"]["completion_tokens"] == 9
    events = list(data(run(plays(*pieces, END)).complete(stream=True)))[:-1]
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events) == text
    assert json.dumps(events).count('"finish_reason": "stop"') == 1
