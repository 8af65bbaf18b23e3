"""The rows of the acceptance matrix that are the local backend's, and the tests that hold them.

These need torch, so they run in an environment of their own; the report points at them.
"""

from __future__ import annotations

LOCAL: dict[str, tuple[str, ...]] = {
    "57, a user's text is every special token": (
        "test_local_tokens::test_no_name_of_any_control_token_becomes_one",
        "test_local_tokens::test_whatever_is_said_now_or_before_the_control_tokens_are_those_of_the_form",
        "test_local_tokens::test_all_of_them_in_one_question_stay_readable_text",
    ),
    "87, memory runs out": (
        "test_local::test_memory_that_runs_out_is_freed_and_the_next_question_is_answered",
        "test_local_refusals::test_a_gpu_with_too_little_free_memory_is_told_before_loading",
    ),
    "87, logits that are no numbers": (
        "test_local::test_logits_that_are_not_numbers_are_no_answer",
        "test_local_refusals::test_a_model_that_is_not_whole_or_not_safe_is_refused",
    ),
    "87, missing weights, and `.bin` only": (
        "test_local_refusals::test_a_model_that_is_not_whole_or_not_safe_is_refused",
        "test_local_refusals::test_an_adapter_that_does_not_fit_is_refused",
    ),
    "87, a wrong revision": (
        "test_local_refusals::test_the_hub_s_model_is_fetched_at_its_revision_and_no_other_is_taken",
    ),
    "87, the thread that generates raises": (
        "test_local::test_whatever_the_thread_raises_reaches_the_reader_without_its_words",
    ),
    "87, Stop": ("test_local::test_a_stop_is_noticed_within_one_token_and_ends_the_thread",),
}
"""By row: tests in this folder, as `file::test`."""


def pointers() -> str:
    """Markdown, a row a line."""
    lines = [
        f"| {row} | {', '.join(f'`{test}`' for test in tests)} |" for row, tests in LOCAL.items()
    ]
    return "\n".join(["| row | tests |", "|---|---|", *lines])
