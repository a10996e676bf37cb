"""The private daemon: started by the first vmmctl that finds none, once, and safely."""
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import SANITIZER_REPORT, STOP_SECONDS, require_kvm, wait_for_end
from harness.images import HALT, PRINT_THEN_SPIN
from harness.rpc import Closed, Connection
from harness.settings import GUESTS
from harness.waiting import eventually

SYSTEM_SOCKET = Path("/run/vmmd/vmmd.sock")


class Private:
    """Where vmmctl looks, and the daemon it starts there."""

    def __init__(self, runtime: Path) -> None:
        self.directory = runtime / "vmmd"
        self.socket = self.directory / "vmmd.sock"
        self.log = self.directory / "vmmd.log"
        self.vmmctl = Client(runtime, None)

    def pid(self) -> int:
        with Connection(self.socket) as rpc:
            return rpc.call("daemon.info")["pid"]

    def subscriptions(self) -> int:
        with Connection(self.socket) as rpc:
            return rpc.call("daemon.info")["counts"]["subscriptions"]

    def socket_is_open(self) -> bool:
        """Whether somebody listens, and answers."""
        try:
            return bool(self.pid())
        except (OSError, Closed):
            return False

    def end(self, number: int = signal.SIGTERM) -> None:
        """Ends the daemon, if there is one; it is not our child."""
        try:
            pid = self.pid()
        except OSError:
            return
        os.kill(pid, number)
        wait_for_end(pid, STOP_SECONDS)


@pytest.fixture
def private(folder: Path) -> Iterator[Private]:
    require_kvm()
    if SYSTEM_SOCKET.exists():
        pytest.skip(f"this host has a daemon of its own at {SYSTEM_SOCKET}")
    private = Private(folder)
    yield private
    private.end()
    log = private.log.read_text(encoding="utf-8") if private.log.exists() else ""
    assert not SANITIZER_REPORT.search(log), log


def test_run_works_with_nothing_set_up(private: Private) -> None:
    ran = private.vmmctl("run", GUESTS / "hello.bin")
    assert (ran.returncode, ran.stdout) == (0, "Hello, KVM!\n"), ran


def test_second_client_finds_the_same_daemon(private: Private) -> None:
    assert private.vmmctl("start", GUESTS / "hello.bin").stdout == "1\n"
    pid = private.pid()
    assert private.vmmctl("wait", 1).returncode == 0
    assert private.vmmctl("logs", 1).stdout == "Hello, KVM!\n"
    assert private.vmmctl("start", GUESTS / "hello.bin").stdout == "2\n"
    assert private.pid() == pid


def test_ten_racing_first_clients_start_one_daemon(private: Private) -> None:
    clients = [private.vmmctl.popen("start", GUESTS / "minimal.bin") for _ in range(10)]
    ids = set()
    for client in clients:
        stdout, stderr = client.communicate(timeout=60)
        assert client.returncode == 0, stderr
        ids.add(int(stdout))
    assert ids == set(range(1, 11)), "one daemon gave all the ids"


def test_it_outlives_the_client_and_its_session(private: Private) -> None:
    with private.vmmctl.popen("start", GUESTS / "hello.bin", start_new_session=True) as client:
        client.wait(30)
    pid = private.pid()
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"


def test_it_holds_no_descriptor_of_its_client(private: Private) -> None:
    """The reader of a pipe sees its end when the client has ended, not when the daemon has."""
    reader, writer = os.pipe()
    with private.vmmctl.popen("start", GUESTS / "hello.bin", pass_fds=[writer]) as client:
        os.close(writer)
        assert client.communicate(timeout=30)[0] == b"1\n"
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_next_client_starts_another_after_a_crash(private: Private) -> None:
    assert private.vmmctl("run", GUESTS / "hello.bin").returncode == 0
    private.end(signal.SIGKILL)
    assert private.vmmctl("start", GUESTS / "hello.bin").stdout == "2\n"
    assert private.vmmctl("logs", 1).stdout == "Hello, KVM!\n"


def test_client_that_was_attached_starts_another_after_a_crash(
    private: Private, folder: Path
) -> None:
    """Which takes up the VM."""
    (folder / "image").write_bytes(PRINT_THEN_SPIN)
    with private.vmmctl.popen("run", folder / "image") as client:
        assert client.stdout.read(2) == b"AB"
        private.end(signal.SIGKILL)
        eventually(private.socket_is_open, "another daemon")
        stopped = private.vmmctl("stop", 1)
        assert stopped.returncode == 0, stopped
        _, stderr = client.communicate(timeout=60)
    assert client.returncode == 130 and b"connected again" in stderr, stderr
    assert b"VM 'vm1' (1) ended: stopped" in stderr


def test_racing_clients_that_come_back_start_one_daemon(private: Private) -> None:
    private.vmmctl("info")
    clients = [private.vmmctl.popen("--json", "events") for _ in range(10)]
    eventually(lambda: private.subscriptions() == 10, "all of them")
    private.end(signal.SIGKILL)
    eventually(private.socket_is_open, "another daemon")
    eventually(lambda: private.subscriptions() == 10, "all of them again")
    private.end()  # SIGTERM: told that it stops, they end
    for client in clients:
        _, stderr = client.communicate(timeout=60)
        assert client.returncode == 3 and b"it is stopping" in stderr, stderr


def test_daemons_that_have_ended_leave_nothing_with_their_client(private: Private) -> None:
    with private.vmmctl.popen("events") as client:
        for _ in range(3):
            eventually(private.socket_is_open, "a daemon")
            eventually(lambda: private.subscriptions() == 1, "the client")
            private.end(signal.SIGKILL)
        eventually(private.socket_is_open, "a daemon")
        states = [
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
            for task in Path(f"/proc/{client.pid}/task").iterdir()
            for pid in (task / "children").read_text(encoding="ascii").split()
        ]
        assert len(states) == 1 and "Z" not in states, states
        client.terminate()
        client.communicate(timeout=60)


def test_its_directory_is_the_users_alone(private: Private) -> None:
    private.vmmctl("info")
    assert private.directory.stat().st_mode & 0o777 == 0o700
    assert private.socket.stat().st_mode & 0o077 == 0


def test_directory_that_is_open_to_others_is_refused(private: Private) -> None:
    private.directory.mkdir(mode=0o755)
    private.directory.chmod(0o755)
    refused = private.vmmctl("info")
    assert refused.returncode == 3 and "0700" in refused.stderr, refused


def test_directory_that_is_a_link_is_refused(private: Private, folder: Path) -> None:
    (folder / "elsewhere").mkdir(mode=0o700)
    private.directory.symlink_to("elsewhere")
    refused = private.vmmctl("info")
    assert refused.returncode == 3 and str(private.directory) in refused.stderr, refused


def test_daemon_that_is_not_to_be_found_is_told(private: Private) -> None:
    private.vmmctl.environment["VMMD"] = "/nowhere/vmmd"
    refused = private.vmmctl("info")
    assert refused.returncode == 3 and "/nowhere/vmmd" in refused.stderr, refused


def test_daemon_that_cannot_start_is_told_with_its_own_words(private: Private) -> None:
    private.directory.mkdir(mode=0o700)
    (private.directory / "state").write_text("no directory")
    refused = private.vmmctl("info")
    assert refused.returncode == 3 and "state" in refused.stderr, refused
    assert "cannot start vmmd" in refused.stderr


def test_it_ends_by_itself_when_idle(private: Private, folder: Path) -> None:
    """By the option it is started with; how that works is tested with the daemon."""
    (folder / "image").write_bytes(HALT)
    private.vmmctl("run", folder / "image")
    command = Path(f"/proc/{private.pid()}/cmdline").read_bytes().decode().split("\0")
    assert int(command[command.index("--idle-exit") + 1]) > 0
