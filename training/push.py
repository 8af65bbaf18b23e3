"""An adapter and its card onto the hub: `python -m training.push runs/medical owner/name`.

Only when asked, into a repository that is private unless told otherwise, in one commit, and of a
run's folder only the files named here: no checkpoint, no optimizer, no row.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import HFValidationError

NEEDED = ("adapter/README.md", "adapter/adapter_config.json", "adapter/adapter_model.safetensors")
BESIDE = ("run.json", "loss.json", "loss.png")


class PushError(RuntimeError):
    """Why nothing was pushed, and what to do."""


def open_repository(name: str, *, private: bool = True) -> None:
    """Make sure that `name` is there and may be written to. Raises `PushError`.

    One that exists stays as public or private as it is.
    """
    token = get_token()
    if token is None:
        raise PushError(
            "To push, set HF_TOKEN to a token of huggingface.co that may write to "
            f"{name}; nothing was pushed."
        )
    try:
        api = HfApi(token=token)
        api.create_repo(name, private=private, exist_ok=True)
        # Whoever may only read it is told so by this, and not by the one above.
        api.auth_check(name, write=True)
    except Exception as error:  # of whichever library the hub's client speaks HTTP with
        raise _refused(name, error) from None


def push(run: Path, name: str) -> str:
    """Push what the run's folder has; where it is now. Raises `PushError`."""
    missing = [file for file in NEEDED if not (run / file).is_file()]
    if missing:
        raise PushError(f"{run.name} has no {missing[0]}: is it the folder of a finished run?")
    files = [*NEEDED, *(file for file in BESIDE if (run / file).is_file())]
    added = [CommitOperationAdd(Path(file).name, run / file) for file in files]
    try:
        done = HfApi(token=get_token()).create_commit(
            name, added, commit_message="The adapter of a run, and its card"
        )
    except Exception as error:  # of whichever library the hub's client speaks HTTP with
        raise _refused(name, error) from None
    return str(done.commit_url)


def _refused(name: str, error: Exception) -> PushError:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(error, HFValidationError):
        why = f"{name} is no name of the hub (owner/name)"
    elif status == 401:
        why = "the hub does not know the token in HF_TOKEN"
    elif status in (403, 404):
        why = f"the token in HF_TOKEN may not write to {name}"
    elif status is not None:
        why = f"the hub answered {status}; try again later"
    else:
        why = f"the hub cannot be reached ({type(error).__name__})"
    return PushError(f"Nothing was pushed: {why}.")


def main(given: list[str] | None = None) -> int:
    """0 when pushed; 2 with one sentence where it cannot be."""
    parser = argparse.ArgumentParser("python -m training.push", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("name", help="owner/name on the hub")
    parser.add_argument("--public", action="store_true", help="if it is new, for all to see")
    wanted = parser.parse_args(given)
    try:
        open_repository(wanted.name, private=not wanted.public)
        print(push(wanted.run, wanted.name))
    except PushError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
