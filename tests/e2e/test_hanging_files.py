"""Files of clients on a file system that hangs: what waits for it, nobody can kill (FUSE, NFS).

However a client gets vmmd to touch such a file, by a descriptor or by a path, it harms nobody else.
"""
import fcntl
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.daemon import Daemon, wait_for_end
from harness.hanging_fs import HangingFs
from harness.images import SPIN, print_text
from harness.lingering import lingering_socket
from harness.rpc import Connection, RpcError
from harness.settings import SCALE
from harness.users import NOBODY, connect_as
from harness.waiting import Deadline, eventually

STOP_SECONDS = 5  # "a few"
SERVED_TIMES = 5
STALL_SECONDS = 4  # of a busy machine, once; less than what the daemon gives a process to answer


@pytest.fixture
def hanging(new_daemon: Callable[..., Daemon], folder: Path) -> Iterator[HangingFs]:
    """Made after the daemons, and so ended before them: they are to end well once it has."""
    with HangingFs(folder / "hanging", {"image": SPIN}) as files:
        yield files


@pytest.fixture
def daemon(hanging: HangingFs, start_daemon: Callable[..., Daemon], folder: Path) -> Daemon:
    """One that another user can reach as well."""
    folder.chmod(0o711)
    daemon = start_daemon("--image-dir", str(hanging.folder))
    daemon.socket.chmod(0o666)
    return daemon


# What a client can do. Each returns what is to be closed in the end.

Deed = Callable[[Connection, HangingFs], socket.socket | None]
START = {"jsonrpc": "2.0", "id": "start", "method": "vm.start", "params": [{"fd": True}]}
REFUSED_START = START | {"params": [{"fd": True}, "no name"]}
INFO = {"jsonrpc": "2.0", "id": "info", "method": "daemon.info"}


def send_with_file(line: dict) -> Deed:
    def send(client: Connection, files: HangingFs) -> None:
        with open(files.folder / "image", "rb") as image:
            client.send(line, [image.fileno()])

    return send


def send_with_lingering(line: dict) -> Deed:
    def send(client: Connection, _: HangingFs) -> socket.socket:
        lingering, peer = lingering_socket()
        with lingering:
            client.send(line, [lingering.fileno()])
        return peer

    return send


start_by_descriptor = send_with_file(START)


def start_by_path(client: Connection, _: HangingFs) -> None:
    client.request("vm.start", {"image": {"path": "image"}})


@dataclass(frozen=True)
class Situation:
    deed: Deed
    hangs: str = ""  # the request to the file system
    starts: bool = False  # a VM
    comes: bool = True  # that request comes for sure


# Nobody need ever close a descriptor that came unasked: so it may be that nothing hangs. And nobody
# waits for a release, as FUSE has it.
SITUATIONS = {
    "open": Situation(start_by_path, "open", starts=True),
    "read": Situation(send_with_file(START), "read", starts=True),
    "flush": Situation(send_with_file(START), "flush", starts=True),
    "release": Situation(send_with_file(START), "release", starts=True),
    "flush-unasked": Situation(send_with_file(INFO), "flush", comes=False),
    "flush-refused": Situation(send_with_file(REFUSED_START), "flush", comes=False),
    "linger-unasked": Situation(send_with_lingering(INFO), comes=False),
    "linger-refused": Situation(send_with_lingering(REFUSED_START), comes=False),
}


def situations(with_a_vm: bool = False) -> pytest.MarkDecorator:
    """Each of them once, and many times at once."""
    cases = [
        pytest.param(situation, count, id=f"{name}-{count}")
        for name, situation in SITUATIONS.items()
        for count in (1, 64)
        if situation.starts or not with_a_vm
    ]
    return pytest.mark.parametrize("situation, count", cases)


@pytest.fixture
def hung(
    situation: Situation, count: int, hanging: HangingFs, daemon: Daemon
) -> Iterator[list[Connection]]:
    """Clients, and what they have got the daemon into."""
    hanging.hold(situation.hangs)
    with ExitStack() as ends:
        clients = [ends.enter_context(daemon.connect()) for _ in range(count)]
        daemon.signal(signal.SIGSTOP)  # it is to be the last who has what it is sent
        for client in clients:
            peer = situation.deed(client, hanging)
            if peer:
                ends.enter_context(peer)
        daemon.signal(signal.SIGCONT)
        if situation.comes:
            # not of all of them: how many at once is the daemon's business
            hanging.wait_held(1)
        else:
            deadline = Deadline(0.5)
            while not deadline.passed and not hanging.held():
                time.sleep(0.01)
        yield clients


# The file system itself.


@pytest.mark.parametrize("request_name", ["open", "read", "flush"])
def test_file_system_hangs_until_told_to_go_on(hanging: HangingFs, request_name: str) -> None:
    hanging.hold(request_name)
    with subprocess.Popen(["cat", hanging.folder / "image"], stdout=subprocess.PIPE) as cat:
        hanging.wait_held(1)
        cat.kill()
        with pytest.raises(TimeoutError):
            wait_for_end(cat.pid, 0.1 / SCALE)
        hanging.hold()
        wait_for_end(cat.pid, STOP_SECONDS)


KILLED_TEST = """
import subprocess, sys
from pathlib import Path
from harness.hanging_fs import HangingFs

files = HangingFs(Path(sys.argv[1]), {"image": b"content"})
files.hold("read")
cat = subprocess.Popen(["cat", files.folder / "image"], stdout=subprocess.DEVNULL)
files.wait_held(1)
print(cat.pid, flush=True)
sys.stdin.read()
"""


def test_killed_test_leaves_nothing_that_hangs(hanging: HangingFs, folder: Path) -> None:
    tests = Path(__file__).parent
    command = [sys.executable, "-B", "-c", KILLED_TEST, str(folder / "another")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tests, stdin=pipe, stdout=pipe) as test:
        pid = int(test.stdout.readline())
        test.kill()
    wait_for_end(pid, STOP_SECONDS)
    assert str(folder / "another") not in Path("/proc/mounts").read_text()


# What must hold.


def assert_is_served(client: Connection, image: bytes | Path, output: bytes) -> None:
    """Within a second, but for a stall of the machine, which does not come each time."""
    seconds = []
    for _ in range(SERVED_TIMES):
        begin = time.monotonic()
        client.ping()
        assert client.run(image)["data"] == output
        seconds.append((time.monotonic() - begin) / SCALE)
    assert statistics.median(seconds) < 1 and max(seconds) < STALL_SECONDS, seconds


@situations()
def test_others_are_served_meanwhile(hung: list[Connection], daemon: Daemon, folder: Path) -> None:
    (folder / "regular").write_bytes(print_text(b"by descriptor"))
    with daemon.connect() as same, connect_as(NOBODY, daemon.socket) as other:
        assert_is_served(same, print_text(b"by data"), b"by data")
        assert_is_served(other, folder / "regular", b"by descriptor")


@situations(with_a_vm=True)
def test_forced_stop_ends_the_vm(hung: list[Connection], daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        eventually(lambda: len(rpc.call("vm.list")) == len(hung), "its VM, or many")
        vms = [record["id"] for record in rpc.call("vm.list")]
        stops = [rpc.request("vm.stop", {"vm": vm, "force": True}) for vm in vms]
        deadline = Deadline(STOP_SECONDS)
        for stop in stops:
            record = rpc.result("vm.stop", stop, deadline.left / SCALE)
            assert record["state"] in ("exited", "failed")
        assert rpc.call("vm.list") == []


@situations()
def test_sigterm_ends_the_daemon(hung: list[Connection], daemon: Daemon) -> None:
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_end(5) == 0


def is_unlocked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@situations()
def test_next_daemon_starts_after_sigkill(
    hung: list[Connection], daemon: Daemon, new_daemon: Callable[..., Daemon]
) -> None:
    daemon.signal(signal.SIGKILL)
    daemon.expected_status = -signal.SIGKILL
    eventually(lambda: is_unlocked(daemon.state_dir / "lock"), "the lock", seconds=2)
    begin = time.monotonic()
    with new_daemon().start().connect() as rpc:
        assert rpc.run(print_text(b"again"))["data"] == b"again"
    assert time.monotonic() < begin + 2 * SCALE


def test_next_daemon_gives_a_worker_with_a_thread_that_hangs_no_more_vms(
    hanging: HangingFs, daemon: Daemon
) -> None:
    hanging.hold("read")
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
        start_by_descriptor(rpc, hanging)
        hanging.wait_held(1)
        rpc.stop(vm + 1, force=True)
    daemon.kill()
    with daemon.start().connect() as rpc:
        eventually(lambda: rpc.get(vm)["state"] == "running", "it to be taken up")
        eventually(
            lambda: not any(w["takes_more"] for w in rpc.call("daemon.workers") if vm in w["vms"]),
            "its worker to tell",
        )
        other = rpc.start(SPIN)
        assert not any({vm, other} <= set(w["vms"]) for w in rpc.call("daemon.workers"))
        hanging.hold()


def states_of_processes(daemon: Daemon) -> list[str]:
    """Of its children, those that nobody has waited for among them: proc(5)."""
    states = []
    for task in Path(f"/proc/{daemon.pid}/task").iterdir():
        for pid in (task / "children").read_text(encoding="ascii").split():
            try:
                status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
            except FileNotFoundError:  # it has just ended
                continue
            states.append(status.rpartition(") ")[2][0])
    return states


def can_start(rpc: Connection) -> bool:
    try:
        return rpc.run(print_text(b"again"))["data"] == b"again"
    except RpcError:
        return False


def test_processes_that_cannot_be_ended_are_not_many(hanging: HangingFs, daemon: Daemon) -> None:
    hanging.hold("read")
    with daemon.connect() as rpc, connect_as(NOBODY, daemon.socket) as other:
        for vm in range(1, 5):
            start_by_descriptor(rpc, hanging)
            hanging.wait_held(vm)
            rpc.stop(vm, force=True)
        with (hanging.folder / "image").open("rb") as image:
            refusal = rpc.refused("vm.start", {"image": {"fd": True}}, [image.fileno()])
        assert refusal["data"]["name"] == "limit-reached" and "hang" in refusal["message"]
        assert other.run(print_text(b"fine"))["data"] == b"fine"
        time.sleep(3)  # by then they have been given up
        refused = rpc.refused("vm.start", {"image": {"data": "9A=="}})
        assert refused["message"] == refusal["message"]
        hanging.hold()
        eventually(lambda: can_start(rpc), "their end")
        eventually(lambda: "Z" not in states_of_processes(daemon), "all to be waited for")
