"""A worker that does not do as it should, in the place of the one that a killed daemon left.

It is a process of its own: a daemon ends a worker that breaks the rules.
"""
import array
import fcntl
import mmap
import os
import signal
import socket
import struct
import traceback
from collections.abc import Callable
from pathlib import Path

from harness.daemon import STOP_SECONDS, Daemon, wait_for_end

# shared/link.h
GREETING, START, END, PAUSE, RESUME, INPUT, TIMES, LOG_LEVEL, REPORT, REFUSED = range(1, 11)
STRANDED, LOG = 11, 12
STARTING, RUNNING, PAUSED, ENDED = range(4)
GREETING_SIZE, CAPABILITIES_SIZE, ERROR_SIZE = 2496, 64 * 32, 384

# shared/slot_page.h
NEWS_RUNNING, NEWS_OUTPUT, NEWS_ENDED, NEWS_GONE, NEWS_STANDS, NEWS_GOES_ON = (1, 2, 4, 8, 16, 32)
SLOTS_OFFSET, SLOT_SIZE = 64, 64

# shared/vm_file.h, layout 3: where a live VM's state is, and what it says.
LIVE_OFFSET = 400
RING_END_OFFSET = 56  # from there: the last of the ring's counters
FILE_STARTING, FILE_RUNNING, FILE_PAUSED = 0, 1, 2

Behaviour = Callable[["HostileWorker"], None]


class HostileWorker:
    """What it does is a function, called in its process once a daemon has greeted it."""

    def __init__(self, daemon: Daemon, number: int) -> None:
        self.daemon = daemon
        self.pid = 0
        name = daemon.state_dir / "workers" / f"{number}.sock"
        name.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(name))
        self._said, self._saying = os.pipe()
        # In its process:
        self.link: socket.socket
        self.page: mmap.mmap
        self.bell: int  # rings for the daemon
        self.call: int  # the daemon's

    def run(self, behaviour: Behaviour) -> "HostileWorker":
        self.pid = os.fork()
        if self.pid > 0:
            self._listener.close()
            os.close(self._saying)
            return self
        status = 1
        try:
            self._listener.listen(4)  # whose pid the daemon takes it for
            os.write(self._saying, b"!")
            self.link = self._listener.accept()[0]
            self._take_greeting()
            behaviour(self)
            status = 0
        except (EOFError, ConnectionError):  # the daemon hung up
            status = 0
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(status)

    def _take_greeting(self) -> None:
        size = array.array("i").itemsize
        _, control, _, _ = self.link.recvmsg(4096, socket.CMSG_SPACE(3 * size))
        descriptors = array.array("i", control[0][2])
        self.page = mmap.mmap(descriptors[0], 0)
        self.bell, self.call = descriptors[1:]

    # In its process.

    def send(self, kind: int, body: bytes) -> None:
        self.link.send(struct.pack("=II", kind, 8 + len(body)) + body)

    def greet(self, reports: int = 0, kvm_error: int = 0, error: bytes = b"") -> None:
        head = struct.pack("=6I", 1, 1, kvm_error, reports, 12, 0)
        texts = b"hostile".ljust(16, b"\0") + b"x86-64".ljust(16, b"\0")
        self.send(GREETING, head + bytes(CAPABILITIES_SIZE) + texts + error.ljust(ERROR_SIZE, b"\0"))

    def report(self, vm: int, slot: int, phase: int) -> None:
        self.send(REPORT, struct.pack("=QIIII", vm, slot, 0, phase, 0))

    def tell(self, slot: int, news: int) -> None:
        """As slot_page_tell(), save that it rings each time."""
        offset = SLOTS_OFFSET + slot * SLOT_SIZE
        told = struct.unpack_from("=I", self.page, offset)[0]
        struct.pack_into("=I", self.page, offset, told | news)
        slots = struct.unpack_from("=Q", self.page, 0)[0]
        struct.pack_into("=Q", self.page, 0, slots | 1 << slot)
        os.write(self.bell, struct.pack("=Q", 1))

    def receive(self) -> tuple[int, bytes]:
        """The next message: its type, and what is behind its head."""
        message = self.link.recv(128 * 1024)
        if not message:
            raise EOFError
        heard = struct.unpack_from("=Q", self.page, 16)[0]
        struct.pack_into("=Q", self.page, 16, heard + 1)
        return struct.unpack_from("=I", message)[0], message[8:]

    def stay(self) -> None:
        """Takes whatever comes, until the daemon hangs up."""
        while True:
            self.receive()

    def refuse(self, vm: int, slot: int, text: bytes) -> None:
        self.send(REFUSED, struct.pack("=QIIiI", vm, slot, 0, -11, 0) + text.ljust(ERROR_SIZE, b"\0"))

    def refuse_start(self) -> None:
        """The next one; says which slot it was for."""
        kind, body = self.receive()
        while kind != START:
            kind, body = self.receive()
        vm, slot = struct.unpack_from("=QI", body)
        self.refuse(vm, slot, b"slot %d" % slot)

    def change(self, vm: int, slot: int, state: int) -> None:
        """The VM stands still, or goes on."""
        write_live(self.daemon, vm, "=I", 0, state)
        self.tell(slot, NEWS_STANDS if state == FILE_PAUSED else NEWS_GOES_ON)

    def obey(self, vm: int, slot: int) -> None:
        """Pauses and resumes as it is told."""
        while True:
            kind, _ = self.receive()
            if kind in (PAUSE, RESUME):
                self.change(vm, slot, FILE_PAUSED if kind == PAUSE else FILE_RUNNING)

    @staticmethod
    def set_blocking(descriptor: int) -> None:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)

    # In the test's.

    def wait_listening(self) -> None:
        assert os.read(self._said, 1) == b"!"

    def finish(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        status = os.waitpid(self.pid, 0)[1]
        os.close(self._said)
        assert status != 1 << 8, "it did not do as it was to: see stderr"


def write_live(daemon: Daemon, vm: int, layout: str, offset: int, *values: int) -> None:
    """Into the part of a VM's file that changes while it lives."""
    with (daemon.state_dir / f"{vm}.vm").open("r+b") as file:
        file.seek(LIVE_OFFSET + offset)
        file.write(struct.pack(layout, *values))


def workers_of(daemon: Daemon) -> list[dict]:
    with daemon.connect() as rpc:
        return [worker for worker in rpc.call("daemon.workers") if worker["vms"]]


def replace_worker(daemon: Daemon, behaviour: Behaviour) -> HostileWorker:
    """Kills the daemon and the one worker that has VMs; a hostile one takes its place."""
    (worker,) = workers_of(daemon)
    daemon.kill()
    os.kill(worker["pid"], signal.SIGKILL)
    wait_for_end(worker["pid"], STOP_SECONDS)
    hostile = HostileWorker(daemon, worker["number"]).run(behaviour)
    hostile.wait_listening()
    return hostile
