"""Memory that runs out: what the daemon's loop cannot have costs one client its connection."""
import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.daemon import Daemon
from harness.images import HALT, SPIN, STREAM_ENDLESS, print_text
from harness.rpc import Closed, Connection, as_data
from harness.settings import FAILING_MEMORY, SANITIZED
from harness.waiting import eventually

CLIENTS = 4
DROPPED = 100  # clients, for each of how often it fails


class Memory:
    """One of so many of the loop's allocations fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set(0)

    def set(self, one_of: int) -> None:
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.write(one_of.to_bytes(4, "little"))


@pytest.fixture
def memory(folder: Path) -> Memory:
    if SANITIZED:
        pytest.skip("the sanitizers have an allocator of their own")
    if not FAILING_MEMORY.exists():
        pytest.skip(f"there is no {FAILING_MEMORY}")
    return Memory(folder / "memory")


@pytest.fixture
def daemon(new_daemon: Callable[..., Daemon], memory: Memory) -> Daemon:
    daemon = new_daemon()
    daemon.environment |= {
        "LD_PRELOAD": str(FAILING_MEMORY),
        "VMMD_TEST_MEMORY": str(memory.path),
    }
    return daemon.start()


def request(method: str, *params: object) -> dict:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}


def lines_to_send() -> list[bytes]:
    """What clients ask for, of the VMs "ended", "spins" and "prints"."""
    asks = [request("vm.list", True), request("daemon.info"), request("rpc.discover")]
    asks += [request(method, "ended") for method in ("vm.get", "vm.stats", "vm.output", "vm.wait")]
    streams = [request("vm.attach", name) for name in ("ended", "prints")]
    streams += [request("events.subscribe"), request("vm.output", "prints", -100, 1000, "utf-8")]
    acts = [request("vm.pause", "spins"), request("vm.resume", "spins")]
    acts += [request("vm.wait", "spins", 10), request("vm.input", "spins", "eA==")]
    wrong = [request("vm.get", {"a": [1.5, None, "x" * 10_000]}), request("nothing"), {}]
    texts: list[object] = asks + streams + acts + wrong
    texts += [asks, asks * 10, acts + wrong, [request("vm.input", "ended", "A" * 900_000)]]
    return [json.dumps(text).encode() + b"\n" for text in texts] + [b"nonsense\n", b"x" * 1_100_000]


class Hammer(threading.Thread):
    """A client that connects and asks, again and again, and checks what it is sent."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        super().__init__()
        self._daemon = daemon
        self._random = random.Random(seed)
        self._lines = lines_to_send()
        self._over = threading.Event()
        self.answers = self.ends = 0
        self.fault = ""

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._connect_once()
        except Exception as error:  # for the test to look at
            self.fault = repr(error)

    def _connect_once(self) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0.05)
            try:
                client.connect(str(self._daemon.socket))
                for _ in range(self._random.randrange(1, 6)):
                    client.sendall(self._random.choice(self._lines))
            except (BrokenPipeError, ConnectionResetError, TimeoutError):
                pass
            self._read(client)

    def _read(self, client: socket.socket) -> None:
        data = b""
        while data.count(b"\n") < 20:
            try:
                more = client.recv(1 << 20)
            except TimeoutError:
                break
            except ConnectionResetError:
                more = b""
            if not more:
                self.ends += 1
                break
            data += more
        for line in data.split(b"\n")[:-1]:
            message = json.loads(line)
            self.answers += 1
            for each in message if isinstance(message, list) else [message]:
                assert each["jsonrpc"] == "2.0", each

    def stop(self) -> None:
        self._over.set()
        self.join()


def ends(hammers: list[Hammer]) -> int:
    return sum(hammer.ends for hammer in hammers)


def counts(rpc: Connection) -> dict:
    return rpc.call("daemon.info")["counts"]


def test_daemon_outlives_allocations_that_fail(daemon: Daemon, memory: Memory) -> None:
    with daemon.connect() as rpc:
        rpc.wait(rpc.start(print_text(b"whole"), name="ended"))
        rpc.start(SPIN, name="spins")
        rpc.start(STREAM_ENDLESS, name="prints", ring=65536)
        descriptors = daemon.open_descriptors()

    hammers = [Hammer(daemon, seed) for seed in range(CLIENTS)]
    for hammer in hammers:
        hammer.start()
    for one_of in (1000, 200, 20):
        memory.set(one_of)
        enough = ends(hammers) + DROPPED
        eventually(
            lambda: ends(hammers) > enough or daemon.process.poll() is not None,
            "clients to be dropped",
        )
        assert daemon.process.poll() is None, daemon.log_text()
    memory.set(0)
    for hammer in hammers:
        hammer.stop()
        assert not hammer.fault
        assert hammer.answers > 0

    with daemon.connect() as rpc:
        eventually(lambda: counts(rpc)["connections"] == 1, "the others to be gone")
        assert counts(rpc)["subscriptions"] == 0
        assert {record["name"] for record in rpc.call("vm.list")} == {"spins", "prints"}
        assert rpc.attach("ended").read_to_end().data == b"whole"
        assert rpc.run(print_text(b"and again"))["data"] == b"and again"
        assert rpc.stop("spins")["exit"]["reason"] == "stopped"
        eventually(lambda: daemon.open_descriptors() <= descriptors, "as few descriptors as before")
    assert "no memory to go on with a client" in daemon.log_text()


def test_start_that_finds_no_memory_costs_nobody_else_anything(
    daemon: Daemon, memory: Memory
) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
    memory.set(50)
    for _ in range(200):
        with daemon.connect() as client:
            with contextlib.suppress(Closed, ConnectionError):
                client.request("vm.start", {"image": as_data(HALT)})
                client.receive()
    memory.set(0)
    with daemon.connect() as rpc:
        assert rpc.get(vm)["state"] == "running"
        assert rpc.run(print_text(b"and again"))["data"] == b"and again"
