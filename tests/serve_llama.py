"""Runs llama.cpp's own HTTP server, as `xllamacpp` brings it: none of the wire is ours.

    python -m tests.serve_llama MODEL.gguf PORT [KEY]

One answer at a time, over 1,024 tokens of context. Prints `Listening` when it answers.
"""

from __future__ import annotations

import sys
import threading

import xllamacpp


def main(model: str, port: str, *keys: str) -> None:
    asked = xllamacpp.CommonParams()
    asked.model.path = model
    asked.hostnames = ["127.0.0.1"]
    asked.port = int(port)
    asked.api_keys = list(keys)
    asked.n_ctx = 1_024
    asked.n_parallel = 1
    asked.cpuparams.n_threads = 2
    asked.verbosity = -1
    server = xllamacpp.Server(asked)
    print("Listening on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
