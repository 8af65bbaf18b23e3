"""The legacy contract: whole answers, and nothing that could be taken for one."""

from __future__ import annotations

import pytest

from backend.base import BackendError, Busy, Interrupted, NotReady, TooLong, Unreachable
from backend.scripted import ScriptedBackend
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from endpoint.openai_messages import MAX_CHARS
from tests.endpoint.conftest import Run
from tests.endpoint.scripts import REPLY, plays

FAILED = {"detail": "Internal model error. Check logs."}


def ask(run: Run, backend: ScriptedBackend, body: object = None) -> tuple[int, dict]:
    request = {"message": "What is a stroke?"} if body is None else body
    response = run(backend).http.post("/generate", json=request)
    return response.status_code, response.json()


def test_a_finished_reply_is_reasoning_and_answer_under_their_labels(run: Run) -> None:
    backend = plays(*REPLY)
    status, told = ask(run, backend)
    assert status == 200
    assert told == {
        "response": "Thinking:\nIt starves the brain.\n\nFinal:\nA stroke is an emergency."
    }
    [(conversation, options)] = backend.asked
    assert conversation.question == "What is a stroke?"
    assert options.max_new_tokens == backend.info.max_new_tokens


def test_an_answer_without_reasoning_stands_alone(run: Run) -> None:
    backend = plays(AnswerDelta("Yes."), Ended(EndReason.FINISHED))
    assert ask(run, backend) == (200, {"response": "Final:\nYes."})


def test_labels_that_the_model_writes_move_no_split(run: Run) -> None:
    backend = plays(
        ReasoningDelta("So.\n\nFinal:\nNo. thinking: more"),
        AnswerDelta("Final: yes.\nFinally: so. The final diagnosis: that."),
        Ended(EndReason.FINISHED),
    )
    _, told = ask(run, backend)
    text = told["response"]
    assert text.count("Final:") == text.count("Thinking:") == 1
    assert text.startswith("Thinking:\nSo.\n\nFinal :\nNo. thinking : more\n\nFinal:\nFinal : yes.")
    assert text.endswith("Finally: so. The final diagnosis: that.")


@pytest.mark.parametrize(
    "steps",
    [
        (ReasoningDelta("hm"), AnswerDelta("A str"), Ended(EndReason.LENGTH)),
        (ReasoningDelta("hm"), AnswerDelta("A str"), Ended(EndReason.UNKNOWN)),
        (ReasoningDelta("hm"), AnswerDelta("A str"), Ended(EndReason.INTERRUPTED)),
        (ReasoningDelta("hm"), Ended(EndReason.FINISHED)),
        (ReasoningDelta("hm"), Ended(EndReason.LENGTH)),
        (AnswerDelta("A str"), Interrupted("s3cret")),
        (AnswerDelta("A str"),),
        (Unreachable("s3cret"),),
    ],
)
def test_what_did_not_finish_is_a_failure(run: Run, steps: tuple) -> None:
    assert ask(run, plays(*steps)) == (500, FAILED)


@pytest.mark.parametrize(("error", "status"), [(Busy("s3cret"), 429), (NotReady("s3cret"), 503)])
def test_what_passes_by_itself_keeps_its_status(run: Run, error: BackendError, status: int) -> None:
    code, told = ask(run, plays(error))
    assert (code, list(told)) == (status, ["detail"])
    assert "s3cret" not in str(told)


def test_what_its_sender_can_change_is_a_bad_request_with_status_200(run: Run) -> None:
    assert "context" in ask(run, plays(TooLong("s3cret")))[1]["error"]
    for body in ({}, [], {"message": 1}, {"message": " \n"}, {"message": "x" * (MAX_CHARS + 1)}):
        backend = plays(*REPLY)
        status, told = ask(run, backend, body)
        assert (status, list(told)) == (200, ["error"])
        assert backend.asked == []
    response = run(plays()).http.post(
        "/generate", content=b"{", headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()) == (
        200,
        {
            "error": (
                "The body is not JSON, or is more than 16 deep, or has a name twice in one object, "
                "or a whole number of more than 64 bits."
            )
        },
    )
