"""A daemon that does what a test says, line by line, for what the real one cannot be made to do: go
away between a call and its answer, or in the middle of a line. For that alone: what a client does
with a daemon that works is tested with the real one.
"""
import base64
import json
import select
import socket
from pathlib import Path
from typing import Any

from harness import schema
from harness.waiting import SECONDS, Deadline

CREATED = "2026-01-31T12:00:00.000Z"


def record(vm: int = 3, **more: Any) -> dict:
    """As much of a VM's record as vmmctl looks at."""
    return {"id": vm, "name": "lab", "state": "running", "created": CREATED, "exit": None} | more


def ending(reason: str = "halted", code: int | None = None) -> dict:
    return {"reason": reason, "code": code, "message": "so it ended"}


class Visitor:
    """One client, from the daemon's side."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._bytes = b""

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    # Hearing.

    def _line(self, deadline: Deadline) -> bytes:
        while b"\n" not in self._bytes:
            if not select.select([self._socket], [], [], deadline.left)[0]:
                raise TimeoutError(f"no request in time; of one there is {self._bytes!r}")
            data = self._socket.recv(65536)
            assert data, "the client has gone"
            self._bytes += data
        line, self._bytes = self._bytes.split(b"\n", 1)
        return line

    def request(self, method: str, seconds: float = SECONDS) -> dict:
        """The next request, which must be of that method."""
        request = json.loads(self._line(Deadline(seconds)))
        assert request["method"] == method, request
        return request

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return not self._bytes and not select.select([self._socket], [], [], seconds)[0]

    def expect_end(self, seconds: float = SECONDS) -> None:
        """The client leaves, and says nothing before."""
        assert select.select([self._socket], [], [], Deadline(seconds).left)[0], "it stays"
        data = self._bytes + self._socket.recv(65536)
        assert not data, data

    # Saying.

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _send(self, message: dict) -> None:
        self.say(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")

    def answer(self, request: dict, result: Any) -> None:
        self._send({"id": request["id"], "result": result})

    def refuse(self, request: dict, name: str, message: str = "it is refused") -> None:
        error = {"code": schema.ERRORS[name], "message": message, "data": {"name": name}}
        schema.check_error(error)
        self._send({"id": request["id"], "error": error})

    def notify(self, method: str, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": {"subscription": 1} | params}
        schema.check_notification(message)
        self._send(message)

    def output(self, offset: int, data: bytes, vm: int = 3, **more: Any) -> None:
        text = base64.b64encode(data).decode()
        self.notify("vm.output", vm=vm, offset=offset, data=text, **more)

    def exited(self, offset: int, vm: int = 3, exit: dict | None = None) -> None:
        self.notify("vm.exited", vm=vm, offset=offset, exit=exit or ending())

    def ended(self, reason: str) -> None:
        self.notify("subscription.ended", reason=reason)

    # What clients do.

    def expect(self, method: str, result: Any, **params: Any) -> None:
        """Answers a request, which must have exactly these parameters."""
        request = self.request(method)
        assert request.get("params", {}) == params, request
        self.answer(request, result)

    def expect_attach(self, start: int, **params: Any) -> None:
        """vm.get and vm.attach of VM 3, which runs."""
        self.expect("vm.get", record(), vm=params.pop("of", 3))
        self.expect("vm.attach", {"subscription": 1, "offset": start}, vm=3, **params)


class FakeDaemon:
    """Listens on a path."""

    def __init__(self, path: Path, backlog: int = 16) -> None:
        self.path = path
        self._socket: socket.socket | None = None
        self.listen(backlog)

    def __enter__(self) -> "FakeDaemon":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_listening()

    def listen(self, backlog: int = 16) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.path.unlink(missing_ok=True)
        self._socket.bind(str(self.path))
        self._socket.listen(backlog)

    def stop_listening(self) -> None:
        """Refuses connections, as the socket of a daemon that was killed does."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def accept(self, seconds: float = SECONDS) -> Visitor:
        assert self._socket
        if not select.select([self._socket], [], [], Deadline(seconds).left)[0]:
            raise TimeoutError("no client came")
        return Visitor(self._socket.accept()[0])

    def is_left_alone(self, seconds: float) -> bool:
        """Whether no client comes for so long."""
        return not select.select([self._socket], [], [], seconds)[0]
