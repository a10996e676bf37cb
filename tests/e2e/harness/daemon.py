"""The real vmmd, in a folder of its own."""
import os
import re
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.notify import NotifySocket
from harness.rpc import Connection
from harness.settings import GUESTS, STRICT, VMMD
from harness.waiting import Deadline, eventually
from harness.workers import all_started, started_workers

STOP_SECONDS = 5  # within which SIGTERM ends vmmd
SPARES = 2  # workers that stand ready

# What the sanitizers print about a process they find fault with.
SANITIZER_REPORT = re.compile(
    r"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:"
)


def require_kvm() -> None:
    """Skips the test where there is no KVM, or fails it where none may be skipped."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        reason = f"no KVM: /dev/kvm: {error.strerror}"
        if STRICT:
            pytest.fail(reason)
        pytest.skip(reason)


def wait_for_end(pid: int, seconds: float) -> None:
    """Waits until a process has ended, our child or not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:  # and whose child it was knows
        return
    with open(descriptor, "rb", buffering=0) as end:
        if not select.select([end], [], [], Deadline(seconds).left)[0]:
            raise TimeoutError(f"process {pid} has not ended")


def has_spares(workers: list[dict]) -> bool:
    """Whether all are there that are to stand ready, and every worker has been started."""
    return sum(w["role"] == "spare" for w in workers) == SPARES and bool(all_started(workers))


def clean_environment() -> dict[str, str]:
    """Ours without what would tell vmmd or vmmctl where to go, or who manages them."""
    telling = ("VMMD", "VMMD_SOCKET", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    telling += ("JOURNAL_STREAM", "LISTEN_FDS", "LISTEN_PID")
    return {name: value for name, value in os.environ.items() if name not in telling}


class Daemon:
    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = (),
        socket: Path | None = None,
        vmmd: Path = VMMD,
    ) -> None:
        self.folder = folder
        self.vmmd = vmmd
        self.socket = socket or folder / "vmmd.sock"
        self.state_dir = folder / "state"
        self.config = folder / "vmmd.conf"
        self.log = folder / "log"
        self.options = list(options)
        self.environment: dict[str, str] = {}  # added to ours
        self.stderr: int | None = None  # a descriptor in place of the log
        self.expected_status = 0
        self._log_text = ""
        self._has_served = False
        self.process: subprocess.Popen[bytes] | None = None
        self.notify: NotifySocket | None = None
        self.config.touch()

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def command(self) -> list[str]:
        return [
            *(str(self.vmmd), "--socket", str(self.socket), "--state-dir", str(self.state_dir)),
            *("--config", str(self.config)),
            *self.options,
        ]

    def spawn(self, command: Sequence[str] = ()) -> None:
        """Starts the process and does not wait for it."""
        environment = clean_environment() | self.environment
        self.expected_status = 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command or self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log if self.stderr is None else self.stderr,
                env=environment,
                start_new_session=True,  # a Ctrl-C at the tests is not for it
            )

    def start(self, keep_notify: bool = False) -> "Daemon":
        """Starts vmmd and waits until it says that it is ready."""
        require_kvm()
        notify = NotifySocket(self.folder / "notify")
        self.environment["NOTIFY_SOCKET"] = str(notify.path)
        self.spawn()
        try:
            notify.wait_for("READY=1", alive=lambda: self.process.poll() is None)
        except TimeoutError as timeout:
            raise AssertionError(f"vmmd does not get ready: {self.log_text()}") from timeout
        finally:
            self._has_served = True
            if keep_notify:
                self.notify = notify
            else:
                notify.close()
        return self

    def connect(self) -> Connection:
        return Connection(self.socket)

    def log_text(self) -> str:
        """What it has logged so far; after the test, all of it."""
        if self.log.exists():
            self._log_text = self.log.read_text(encoding="utf-8", errors="replace")
        return self._log_text

    # Ending.

    def signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def wait_end(self, seconds: float) -> int:
        """The exit status of a process that ends by itself."""
        assert self.process
        wait_for_end(self.pid, seconds)
        return self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and all must be well."""
        self.signal(signal.SIGTERM)
        self.wait_end(STOP_SECONDS)
        self._check_end()

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        self.wait_end(STOP_SECONDS)
        self.expected_status = -signal.SIGKILL

    def _check_end(self) -> None:
        assert self.process
        text = self.log_text()
        report = SANITIZER_REPORT.search(text)
        assert not report, text[report.start() :]
        status = self.process.returncode
        assert status == self.expected_status, f"vmmd ended with status {status}: {text}"

    def has_workers(self) -> bool:
        """Whether workers are there that outlived their daemon, or did not end well themselves."""
        return any((self.state_dir / "workers").glob("*.sock"))

    def finish(self) -> None:
        """At the end of a test: vmmd must end well, whatever the test did to it, and its workers."""
        try:
            if self.process and self.process.poll() is None:
                self.stop()
            elif self.process:
                self._check_end()
            if not self._has_served:
                return
            if self.has_workers():  # the test killed the daemon: another one ends what it left
                self.start()
                self.stop()
            assert not self.has_workers(), "workers are left"
        finally:
            self.log_text()
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.notify:
                self.notify.close()

    # What the kernel knows of it.

    def pids(self) -> list[int]:
        """The daemon, and its workers: once none is just being started, which has no pid yet."""
        with self.connect() as rpc:
            return [self.pid, *(worker["pid"] for worker in started_workers(rpc))]

    def open_descriptors(self) -> int:
        """The daemon's own."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def warm_up(self, rpc: Connection) -> None:
        """Has a worker and a receiver come to be, which are kept for a while when all is over, and
        spare ones in their place: the daemon's descriptors for them are not what a test counts."""
        rpc.wait(rpc.start(GUESTS / "minimal.bin"))
        eventually(lambda: has_spares(rpc.call("daemon.workers")), "spare workers")

    def receiver_descriptors(self, rpc: Connection) -> int:
        """Those of who receives what clients send."""
        receivers = [w["pid"] for w in started_workers(rpc) if w["role"] == "receives"]
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in receivers)

    def resident_bytes(self, field: str = "VmRSS") -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"{field}:\s+(\d+) kB", status).group(1)) * 1024

    def tasks(self) -> list[Path]:
        """All threads of the daemon and its workers."""
        return [task for pid in self.pids() for task in Path(f"/proc/{pid}/task").glob("*")]

    def cpu_seconds(self) -> float:
        """What its threads and its workers' have had of the CPUs, those that are there."""
        total = 0
        for task in self.tasks():
            try:
                total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
            except FileNotFoundError:  # it has just ended
                pass
        return total / 1e9

    def context_switches(self) -> int:
        """How often its threads and its workers' have gone to sleep, those that are there."""
        total = 0
        for task in self.tasks():
            text = (task / "status").read_text(encoding="ascii")
            total += int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", text).group(1))
        return total

    def peak_resident_bytes(self) -> int:
        """The most it ever had."""
        return self.resident_bytes("VmHWM")
