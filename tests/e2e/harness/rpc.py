"""A raw client of the wire: JSON-RPC 2.0, a line each, over a Unix stream socket."""
import array
import base64
import json
import os
import select
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import schema
from harness.waiting import SECONDS, Deadline

CHUNK = 64 * 1024


class Closed(Exception):
    """The daemon closed the connection."""


class RpcError(Exception):
    """A request was refused."""

    def __init__(self, error: dict) -> None:
        super().__init__(f"{error['data']['name']}: {error['message']}")
        self.error = error


def wrong_parameter(parameter: str, value: Any) -> dict:
    """The data of an error about a parameter. A value of null is not told."""
    data = {"name": "invalid-params", "parameter": parameter, "value": value}
    return data if value is not None else {"name": "invalid-params", "parameter": parameter}


def as_data(content: bytes) -> dict:
    """Bytes as parameters have them, in the line itself: an image, input."""
    return {"data": base64.b64encode(content).decode()}


class Connection:
    """One connection. What comes in is kept in its order until somebody takes it."""

    def __init__(self, path: Path | str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.socket.settimeout(Deadline().left)
        self.socket.connect(str(path))
        self._bytes = bytearray()
        self._scanned = 0  # bytes before have no LF
        self._kept: list[Any] = []
        self._last_id = 0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    # Sending.

    def send_bytes(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """All of data; fds go with its first byte."""
        if fds:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
            sent = self.socket.sendmsg([data], [rights])
            data = data[sent:]
        self.socket.sendall(data)

    def send(self, value: Any, fds: Sequence[int] = ()) -> None:
        self.send_bytes(json.dumps(value).encode() + b"\n", fds)

    def request(self, method: str, params: Any = None, fds: Sequence[int] = ()) -> int:
        """Sends a request and returns its id."""
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message, fds)
        return self._last_id

    # Receiving.

    def read_line(self, deadline: Deadline) -> bytes:
        """The next line as it came, without LF. Raises Closed, TimeoutError."""
        while True:
            end = self._bytes.find(b"\n", self._scanned)
            if end >= 0:
                line = bytes(self._bytes[:end])
                del self._bytes[: end + 1]
                self._scanned = 0
                return line
            self._scanned = len(self._bytes)
            if not select.select([self.socket], [], [], deadline.left)[0]:
                raise TimeoutError(f"no line in time; of one there is {bytes(self._bytes[:200])!r}")
            try:
                data = self.socket.recv(CHUNK)
            except ConnectionResetError as error:
                raise Closed from error
            if not data:
                assert not self._bytes, f"closed inside a line: {bytes(self._bytes[:200])!r}"
                raise Closed
            self._bytes += data

    def _read_message(self, deadline: Deadline) -> Any:
        message = json.loads(self.read_line(deadline))
        if isinstance(message, dict) and "method" in message:
            schema.check_notification(message)
        return message

    def take(self, wanted: Callable[[Any], bool], deadline: Deadline) -> Any:
        """The first message that is wanted; the others are kept."""
        for index, message in enumerate(self._kept):
            if wanted(message):
                return self._kept.pop(index)
        while True:
            message = self._read_message(deadline)
            if wanted(message):
                return message
            self._kept.append(message)

    def kept(self) -> list[Any]:
        """What came in and nobody took."""
        return list(self._kept)

    def receive(self, seconds: float = SECONDS) -> Any:
        """The next message, whatever it is."""
        return self.take(lambda message: True, Deadline(seconds))

    def answer(self, number: int, seconds: float = SECONDS) -> dict:
        """The answer to a request, result or error."""

        def answers(message: Any) -> bool:
            return isinstance(message, dict) and "method" not in message and message["id"] == number

        return self.take(answers, Deadline(seconds))

    def notification(self, method: str, seconds: float = SECONDS) -> dict:
        """The params of the next notification of that name."""

        def notifies(message: Any) -> bool:
            return isinstance(message, dict) and message.get("method") == method

        return self.take(notifies, Deadline(seconds))["params"]

    def expect_end(self, seconds: float = SECONDS) -> None:
        """The daemon closes the connection and says nothing more."""
        assert not self._kept, self._kept
        try:
            line = self.read_line(Deadline(seconds))
        except Closed:
            return
        raise AssertionError(f"the connection should have been closed; it said {line!r}")

    # Calls.

    def result(self, method: str, number: int, seconds: float = SECONDS) -> Any:
        """The result of a request that was sent; it must not be refused."""
        message = self.answer(number, seconds)
        assert message["jsonrpc"] == "2.0" and len(message) == 3, message
        if "error" in message:
            schema.check_error(message["error"])
            raise RpcError(message["error"])
        schema.check_result(method, message["result"])
        return message["result"]

    def call(
        self, method: str, params: Any = None, fds: Sequence[int] = (), seconds: float = SECONDS
    ) -> Any:
        return self.result(method, self.request(method, params, fds), seconds)

    def refused(self, method: str, params: Any = None, fds: Sequence[int] = ()) -> dict:
        """The error of a request that must be refused."""
        try:
            result = self.call(method, params, fds)
        except RpcError as refusal:
            return refusal.error
        raise AssertionError(f"{method} should have been refused; it answered {result}")

    def ping(self) -> None:
        """Whether the daemon still serves this connection, and in order so far."""
        self.call("daemon.info")

    # VMs.

    def start(self, image: bytes | Path, **params: Any) -> int:
        """Starts a VM, of a file as a descriptor, of bytes as data; its id."""
        if isinstance(image, bytes):
            params["image"] = as_data(image)
            return self.call("vm.start", params)["id"]
        params["image"] = {"fd": True, "name": image.name}
        fd = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self.call("vm.start", params, [fd])["id"]
        finally:
            os.close(fd)

    def get(self, vm: int | str) -> dict:
        return self.call("vm.get", {"vm": vm})

    def wait(self, vm: int | str, seconds: float = SECONDS) -> dict:
        """The record of a VM once it has ended."""
        return self.call("vm.wait", {"vm": vm}, seconds=seconds)

    def stop(self, vm: int | str, **params: Any) -> dict:
        return self.call("vm.stop", {"vm": vm} | params)

    def attach(self, vm: int | str, **params: Any) -> "Stream":
        return Stream(self, vm, params)

    def run(self, image: bytes | Path, **params: Any) -> dict:
        """Starts a VM and waits for its end; its record, with all its output as 'data'."""
        vm = self.start(image, **params)
        stream = self.attach(vm).read_to_end()
        assert not stream.gaps, stream.gaps
        return self.get(vm) | {"data": bytes(stream.data)}

    def stats_of(self, record: dict) -> dict:
        return self.call("vm.stats", {"vm": record["id"]})

    def input(self, vm: int | str, data: bytes, **params: Any) -> dict:
        return self.call("vm.input", {"vm": vm} | as_data(data) | params)

    def give(self, vm: int | str, data: bytes, **params: Any) -> None:
        """Input, all of it taken at once."""
        assert self.input(vm, data, **params)["accepted"] == len(data)

    def output(self, vm: int | str) -> bytes:
        """All that the ring holds of a VM's output, by vm.output."""
        data, position = bytearray(), 0
        while True:
            chunk = self.call("vm.output", {"vm": vm, "from": position})
            data += base64.b64decode(chunk["data"])
            if chunk["next"] == position:
                return bytes(data)
            position = chunk["next"]


class Stream:
    """A VM's output as a reader sees it; checks that every byte is there or told as lost."""

    def __init__(self, connection: Connection, vm: int | str, params: dict) -> None:
        attached = connection.call("vm.attach", {"vm": vm} | params)
        self._connection = connection
        self.subscription = attached["subscription"]
        self.start = self.position = attached["offset"]
        self.data = bytearray()
        self.gaps: list[tuple[int, int]] = []  # where, how many
        self.exit: dict | None = None  # how the VM ended

    @property
    def lost(self) -> int:
        return sum(count for _, count in self.gaps)

    def _is_ours(self, message: Any) -> bool:
        return (
            isinstance(message, dict)
            and "method" in message
            and message["params"]["subscription"] == self.subscription
        )

    def _read_one(self, deadline: Deadline) -> None:
        message = self._connection.take(self._is_ours, deadline)
        params = message["params"]
        if message["method"] == "vm.output":
            lost = params.get("lost", 0)
            if lost:
                self.gaps.append((self.position, lost))
            assert params["offset"] == self.position + lost, (self.position, params["offset"], lost)
            data = base64.b64decode(params["data"], validate=True)
            self.data += data
            self.position = params["offset"] + len(data)
        else:
            assert message["method"] == "vm.exited", message
            assert params["offset"] == self.position, (self.position, params["offset"])
            self.exit = params["exit"]

    def read_until(self, condition: Callable[[], bool], seconds: float = SECONDS) -> "Stream":
        deadline = Deadline(seconds)
        while not condition():
            assert not self.exit, f"the VM ended before, after {bytes(self.data[-80:])!r}"
            self._read_one(deadline)
        return self

    def read_to_end(self, seconds: float = SECONDS) -> "Stream":
        deadline = Deadline(seconds)
        while not self.exit:
            self._read_one(deadline)
        return self
