"""What `modal deploy` says to Modal, heard on a socket of this machine.

A gRPC server with all of Modal's calls, as the pinned client's own protocol lists them. It records
each request and answers with an empty reply that has made-up ids in it: enough for a deployment,
and for a call of a function, which returns 0. It runs nothing.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, cast

from grpclib.const import Handler
from grpclib.server import Server
from modal_proto import api_grpc, api_pb2

PREFIXES = {
    "app_id": "ap",
    "bound_function_id": "fu",
    "class_id": "cs",
    "environment_id": "en",
    "function_call_id": "fc",
    "function_id": "fu",
    "image_id": "im",
    "mount_id": "mo",
    "secret_id": "st",
    "volume_id": "vo",
}
"""Of the ids that the client checks."""


class ModalService:
    """`asked[name]` has the requests of that call, such as `FunctionCreate`."""

    def __init__(self) -> None:
        self.asked: dict[str, list[Any]] = defaultdict(list)
        self.address = ""
        self.returned: int | None = None
        """The exit code of who deployed to it."""

    def __mapping__(self) -> dict[str, Handler]:
        listed = api_grpc.ModalClientBase.__mapping__(cast("Any", _Names()))
        return {path: self._handler(path, handler) for path, handler in listed.items()}

    def _handler(self, path: str, listed: Handler) -> Handler:
        name = path.rpartition("/")[2]

        async def answer(stream: Any) -> None:
            request = await stream.recv_message()
            self.asked[name].append(request)
            await stream.send_message(self._reply(name, listed.reply_type, request))

        return listed._replace(func=answer)

    def _reply(self, name: str, kind: Any, request: Any) -> Any:
        reply = kind()
        asked_for = request.function if name == "FunctionCreate" else request
        named = (
            getattr(asked_for, "deployment_name", "")
            or getattr(asked_for, "function_name", "")
            or str(len(self.asked[name]))
        )
        for field in kind.DESCRIPTOR.fields:
            prefix = PREFIXES.get(field.name)
            if prefix and field.type == field.TYPE_STRING:
                setattr(reply, field.name, f"{prefix}-{named}")
        match name:
            case "ImageGetOrCreate":
                reply.result.status = api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
            case "FunctionCreate":
                reply.function_data.ranked_functions.add().function.CopyFrom(request.function)
                reply.handle_metadata.function_name = named
            case "MountPutFile":
                reply.exists = True
            case "AppGetLogs":
                reply.app_done = True
            case "FunctionMap":
                reply.pipelined_inputs.add(input_id="in-1")
            case "FunctionGetOutputs":
                output = reply.outputs.add(data_format=api_pb2.DATA_FORMAT_PICKLE)
                output.result.status = api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
                output.result.data = pickle.dumps(0)
            case _:
                pass
        return reply


class _Names:
    """Stands where the generated class looks its methods up."""

    def __getattr__(self, name: str) -> Any:
        return None


@contextmanager
def listening() -> Generator[ModalService]:
    """The service on a free port."""
    service = ModalService()
    started: Future[Callable[[], None]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        server = Server([service])
        with socket.create_server(("127.0.0.1", 0)) as listener:
            service.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            await server.start(sock=listener)
            started.set_result(lambda: loop.call_soon_threadsafe(over.set) and None)
            await over.wait()
            server.close()
            await server.wait_closed()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    stop = started.result(10.0)
    try:
        yield service
    finally:
        stop()
        thread.join(10.0)
