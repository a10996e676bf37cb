"""Threads of the mix: clients that come back, and check all they are shown."""
import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guests import Expected
from harness.images import HALT, SPIN, TABLES, stream_bytes, stream_of
from harness.rpc import Closed, Connection, RpcError, Stream
from harness.settings import GUESTS
from harness.users import connect_as
from harness.waiting import Deadline

PATIENCE = 120  # seconds: on a busy machine, guests are the last to get a CPU


class Stopped(Exception):
    """The task is to end."""


class SoakConnection(Connection):
    """A daemon that is killed may have been in the middle of a line."""

    def read_line(self, deadline: Deadline) -> bytes:
        try:
            return super().read_line(deadline)
        except AssertionError as cut:
            raise Closed from cut


# What a client sees of a daemon that is away. Permission: its socket is not open to others yet.
AWAY = (Closed, ConnectionError, FileNotFoundError, PermissionError)


@dataclass
class Place:
    """Where the daemons are, one after the other, and what befalls them."""

    socket: Path
    workers_die: bool = False  # VMs may be lost
    workers_stop: bool = False  # requests may be answered with worker-silent


class Task(threading.Thread):
    """A thread with an end, whose failure is somebody's."""

    def __init__(self, place: Place, name: str, uid: int = 0) -> None:
        super().__init__(name=name, daemon=True)
        self.place = place
        self.uid = uid
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.returns = 0  # how often it came back to a daemon
        self.steps = 0  # what it did grows

    def work(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        try:
            self.work()
        except Stopped:
            pass
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = failure

    def stop(self) -> None:
        self.stopping.set()
        self.join(PATIENCE)
        assert not self.is_alive(), f"{self.name} does not end"
        self.check()

    def check(self) -> None:
        if self.failure:
            raise AssertionError(f"{self.name}: {self.failure!r}") from self.failure

    def connect(self) -> SoakConnection:
        """Waits for a daemon."""
        deadline = Deadline(PATIENCE)
        while not self.stopping.is_set():
            try:
                return connect_as(self.uid, self.place.socket, SoakConnection)
            except AWAY:
                assert not deadline.passed, "no daemon comes"
                time.sleep(0.02)
        raise Stopped

    def keep_on(self, deed: Callable[[Connection], Any], until: Callable[[], bool]) -> None:
        """Does it with a daemon, and the next one when that goes away."""
        while not self.stopping.is_set() and not until():
            with self.connect() as connection:
                try:
                    deed(connection)
                except AWAY:
                    self.returns += 1


class Reader(Task):
    """Follows a VM's output: each byte is the one that it must be, or told as lost."""

    def __init__(self, place: Place, vm: int, expected: Expected) -> None:
        super().__init__(place, f"reader of VM {vm}")
        self.vm = vm
        self.expected = expected
        self.position = self.lost = 0
        self.exit: dict | None = None

    def take(self, message: dict) -> None:
        params = message["params"]
        if message["method"] == "vm.exited":
            assert params["offset"] == self.position, (params, self.position)
            self.exit = params["exit"]
            return
        lost = params.get("lost", 0)
        data = base64.b64decode(params["data"], validate=True)
        assert params["offset"] == self.position + lost, (params["offset"], self.position, lost)
        assert data == self.expected(params["offset"], len(data)), f"at {params['offset']}"
        self.lost += lost
        self.position = params["offset"] + len(data)
        self.steps += 1

    def follow(self, connection: Connection) -> None:
        params = {"vm": self.vm, "from": self.position}
        answer = connection.call("vm.attach", params, seconds=PATIENCE)
        assert answer["offset"] == self.position, (answer, self.position)
        while not self.stopping.is_set() and not self.exit:
            try:
                self.take(connection.receive(0.5))
            except TimeoutError:
                pass

    def work(self) -> None:
        self.keep_on(self.follow, lambda: self.exit is not None)


class Talker(Task):
    """
    Sends lines to a guest that echoes them. A line that was accepted comes back, once and in its
    turn. One that was not answered may have been accepted, or not: it comes in its turn, or never.
    """

    def __init__(self, place: Place, vm: int, pause: float) -> None:
        super().__init__(place, f"talker with VM {vm}")
        self.vm = vm
        self.pause = pause
        self.echo = bytearray()  # all that came back
        self.settled = 0  # bytes of it that were checked
        self.uncertain: list[bytes] = []
        self.owed: bytes | None = None  # a line that was accepted
        self.came = self.went = 0  # of the uncertain ones
        self.said = 0
        self.exit: dict | None = None

    def read_one(self, connection: Connection) -> None:
        try:
            message = connection.take(lambda message: "method" in message, Deadline(0.5))
        except TimeoutError:
            return
        params = message["params"]
        assert params["offset"] == len(self.echo) and "lost" not in params, params
        if message["method"] == "vm.exited":
            self.exit = params["exit"]
        else:
            self.echo += base64.b64decode(params["data"], validate=True)

    def settle(self) -> None:
        """What came back since the last line ends with the one that is owed."""
        rest = bytes(self.echo[self.settled : len(self.echo) - len(self.owed)])
        for line in self.uncertain:
            if rest.startswith(line):
                rest = rest[len(line) :]
                self.came += 1
            else:
                self.went += 1
        assert not rest, f"nobody sent {rest!r}, or twice, or before"
        self.uncertain.clear()
        self.settled = len(self.echo)
        self.owed = None
        self.steps += 1

    def wait_for_owed(self, connection: Connection) -> None:
        deadline = Deadline(PATIENCE)
        while not self.echo[self.settled :].endswith(self.owed):
            assert not deadline.passed, (self.owed, self.echo[self.settled :])
            if self.stopping.is_set():
                raise Stopped
            if self.exit:
                return
            self.read_one(connection)
        self.settle()

    def say(self, connection: Connection, line: bytes) -> None:
        params = {"vm": self.vm, "data": base64.b64encode(line).decode(), "wait": True}
        self.uncertain.append(line)  # until there is an answer
        accepted = connection.call("vm.input", params, seconds=PATIENCE)["accepted"]
        assert accepted == len(line), accepted
        self.owed = self.uncertain.pop()

    def talk(self, connection: Connection) -> None:
        params = {"vm": self.vm, "from": len(self.echo)}
        assert connection.call("vm.attach", params, seconds=PATIENCE)["offset"] == len(self.echo)
        while not self.stopping.is_set() and not self.exit:
            if not self.owed:
                self.said += 1
                try:
                    self.say(connection, b"%d of VM %d\n" % (self.said, self.vm))
                except RpcError as refusal:
                    assert refusal.error["data"]["name"] == "wrong-state", refusal
                    self.read_to_end(connection)
                    return
            self.wait_for_owed(connection)
            self.stopping.wait(self.pause)

    def read_to_end(self, connection: Connection) -> None:
        """The VM has ended: of what it was sent last, a part may have come back."""
        deadline = Deadline(PATIENCE)
        while not self.exit and not self.stopping.is_set():
            assert not deadline.passed, "its end is not told"
            self.read_one(connection)

    def work(self) -> None:
        self.keep_on(self.talk, lambda: self.exit is not None)


@dataclass
class Errand:
    """A VM that is soon over: how it is started, what it prints, how it ends."""

    image: bytes | Path | str  # as data, by descriptor, by path
    output: bytes
    reason: str
    params: dict = field(default_factory=dict)
    stop: bool = False


ERRANDS = [
    Errand(HALT, b"", "halted"),
    Errand(GUESTS / "hello.bin", b"Hello, KVM!\n", "halted"),
    Errand("multiplication.bin", TABLES, "halted"),
    Errand(stream_of(5000), stream_bytes(0, 5000), "halted", {"ring": 8192}),
    Errand(SPIN, b"", "killed", stop=True),
    Errand(GUESTS / "exitcode.bin", b"", "guest-exit"),
    Errand(SPIN, b"", "timeout", {"timeout_ms": 30}),
    Errand("echo.bin", b"", "stopped", stop=True),
]


class Runner(Task):
    """Starts VMs that are soon over, one at a time, reads what they print, and removes them."""

    def __init__(self, place: Place, name: str, uid: int = 0) -> None:
        super().__init__(place, name, uid)
        self.name_of_vm = ""
        self.vm: int | None = None  # whose start was answered
        self.removing = False  # that was asked, and not answered
        self.lost = self.silent = 0
        self.highest = 0  # id

    def start_one(self, connection: Connection, errand: Errand) -> None:
        params = errand.params | {"name": self.name_of_vm}
        if isinstance(errand.image, str):
            params["image"] = {"path": errand.image}
            number = connection.request("vm.start", params)
        elif isinstance(errand.image, bytes):
            params["image"] = {"data": base64.b64encode(errand.image).decode()}
            number = connection.request("vm.start", params)
        else:
            params["image"] = {"fd": True, "name": errand.image.name}
            with errand.image.open("rb") as image:
                number = connection.request("vm.start", params, [image.fileno()])
        self.vm = connection.result("vm.start", number, PATIENCE)["id"]
        assert self.vm > self.highest, f"id {self.vm} after {self.highest}"
        self.highest = self.vm

    def finish(self, connection: Connection, errand: Errand) -> None:
        if errand.stop:
            connection.call(
                "vm.stop", {"vm": self.vm, "force": errand.reason == "killed"}, seconds=PATIENCE
            )
        stream = Stream(connection, self.vm, {"from": 0}).read_to_end(PATIENCE)
        assert not stream.gaps, stream.gaps
        reason = stream.exit["reason"]
        if reason == "worker-lost" and self.place.workers_die:
            assert errand.output.startswith(stream.data), stream.data
            self.lost += 1
        else:
            assert reason == errand.reason, (errand, stream.exit)
            assert stream.data == errand.output, (errand, stream.data[:80])

    def remove(self, connection: Connection) -> None:
        self.removing = True
        connection.call("vm.remove", {"vm": self.vm}, seconds=PATIENCE)
        self.removing = False
        self.vm = None

    def look_back(self, connection: Connection) -> None:
        """What was answered by the daemon before is so; what was not is done, or is not, wholly."""
        try:
            record = connection.get(self.vm or self.name_of_vm)
        except RpcError as refusal:
            assert refusal.error["data"]["name"] == "vm-not-found", refusal
            assert not self.vm or self.removing, f"VM {self.vm} is not there any more"
            self.vm, self.removing = None, False
            return
        assert record["name"] == self.name_of_vm, record
        lost = record["state"] == "lost"
        assert not lost or self.place.workers_die or not self.vm, record  # unless it never began
        self.vm = record["id"]
        self.highest = max(self.highest, self.vm)
        if record["ended"] is None:
            connection.call("vm.stop", {"vm": self.vm, "force": True}, seconds=PATIENCE)
        self.remove(connection)

    def run_one(self, connection: Connection) -> None:
        errand = ERRANDS[self.steps % len(ERRANDS)]
        if self.name_of_vm:
            self.look_back(connection)
        self.name_of_vm = f"{self.name}-{self.steps}"
        self.steps += 1
        try:
            self.start_one(connection, errand)
            self.finish(connection, errand)
            self.remove(connection)
        except RpcError as refusal:
            name = refusal.error["data"]["name"]
            if name == "worker-silent" and self.place.workers_stop:
                self.silent += 1
                return  # and look back
            if self.place.workers_die and self.is_of_a_dead_worker(connection, refusal):
                self.lost += 1
                return
            raise
        self.name_of_vm = ""

    def is_of_a_dead_worker(self, connection: Connection, refusal: RpcError) -> bool:
        """A start that came to nothing, or a VM that was lost before it could be asked."""
        text = refusal.error["message"]
        if "is gone" in text:
            return True
        try:
            record = connection.get(self.vm or self.name_of_vm)
        except RpcError:
            return False
        return record["state"] == "lost"

    def work(self) -> None:
        while not self.stopping.is_set():
            with self.connect() as connection:
                try:
                    while not self.stopping.is_set():
                        self.run_one(connection)
                        self.stopping.wait(0.02)
                except AWAY:
                    self.returns += 1

    def tidy(self, connection: Connection) -> None:
        """After its end."""
        if self.name_of_vm:
            self.look_back(connection)
            self.name_of_vm = ""
