"""What VMs outlive: the daemon, however it comes to be another one."""
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.images import stream_bytes
from harness.waiting import Deadline, eventually
from host import (
    CONFIG,
    GUESTS,
    SERVICE,
    as_user,
    drop_in,
    journal,
    main_pid,
    must,
    output,
    processes,
    record,
    run,
    start,
    start_and_print,
    start_printing,
    systemctl,
    unit,
    vmmctl,
    wait_for_clients,
    wait_for_more,
    wait_for_next_daemon,
    wait_for_unit,
    worker_of,
    workers,
)


def restart() -> None:
    systemctl("restart", SERVICE)


def restart_socket() -> None:
    """Which the service requires: systemd restarts it, too."""
    systemctl("restart", "vmmd.socket")


def try_restart() -> None:
    systemctl("try-restart", SERVICE)


def kill() -> None:
    os.kill(main_pid(), signal.SIGKILL)


def crash() -> None:
    os.kill(main_pid(), signal.SIGSEGV)


def leave() -> None:
    """What a person may do where no systemd is asked. Nobody starts it but a client."""
    os.kill(main_pid(), signal.SIGUSR1)


WAYS = [restart, restart_socket, try_restart, kill, crash, leave]


@pytest.mark.parametrize("replace_daemon", WAYS, ids=lambda way: way.__name__)
def test_vm_runs_on_and_loses_no_byte(replace_daemon: Callable[[], None], since: float) -> None:
    vm = start_printing()
    before, worker, daemon = record("alice", vm), worker_of(vm), main_pid()
    replace_daemon()
    eventually(lambda: main_pid() != daemon, "the daemon's end")
    wait_for_more(vm)
    after = record("alice", vm)
    assert main_pid() not in (0, daemon) and worker_of(vm) == worker
    for name in ("state", "created", "started", "owner"):
        assert after[name] == before[name], name
    assert after["output"]["first"] == 0
    printed = output(vm)
    assert len(printed) > before["output"]["next"]
    assert printed == stream_bytes(0, len(printed))
    assert start("alice", GUESTS / "hello.bin") == vm + 1
    assert not journal(since, f"_SYSTEMD_UNIT={SERVICE}", "PRIORITY=3")


def test_stuck_daemon_is_ended_by_the_watchdog_and_vms_run_on(since: float) -> None:
    drop_in("[Service]\nWatchdogSec=3\n")
    vm, daemon = start_printing(), main_pid()
    worker = worker_of(vm)
    os.kill(daemon, signal.SIGSTOP)
    wait_for_unit(NRestarts="1", SubState="running")
    assert main_pid() != daemon and worker_of(vm) == worker
    wait_for_more(vm)
    told = [entry["MESSAGE"] for entry in journal(since, f"UNIT={SERVICE}")]
    assert any("Watchdog timeout" in line for line in told), told


def test_stuck_daemon_can_be_restarted_and_vms_run_on() -> None:
    drop_in("[Service]\nTimeoutStopSec=3\n")
    vm, daemon = start_printing(), main_pid()
    os.kill(daemon, signal.SIGSTOP)
    systemctl("restart", SERVICE)
    assert wait_for_next_daemon(daemon)
    wait_for_more(vm)
    assert record("alice", vm)["state"] == "running"


def test_paused_vm_stays_paused_and_one_that_waits_goes_on_waiting() -> None:
    paused, waits = start_and_print(), start("alice", GUESTS / "cat.bin")
    vmmctl("alice", "pause", paused)
    vmmctl("alice", "input", waits, "before")
    restart()
    assert record("alice", paused)["state"] == "paused"
    vmmctl("alice", "resume", paused)
    assert record("alice", paused)["state"] == "running"
    vmmctl("alice", "input", "--eof", waits, "after")
    vmmctl("alice", "wait", waits)
    assert vmmctl("alice", "logs", waits) == "before\nafter\n"


def test_stop_after_a_restart_ends_vms() -> None:
    vm = start_and_print()
    restart()
    systemctl("stop", SERVICE)
    eventually(lambda: not processes(), "the end of all workers")
    left = record("alice", vm)
    assert left["exit"]["reason"] == "stopped" and "shutting down" in left["exit"]["message"]


# An upgrade.

VERSION, NEXT_VERSION = b"0.1.0", b"0.1.1"
PROGRAMS = [Path("/usr/sbin/vmmd"), Path("/usr/libexec/vmmd-worker")]


def install(path: Path, data: bytes) -> None:
    """As packages are: what runs keeps the old file."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(path.stat().st_mode)
    new.rename(path)


@pytest.fixture(name="upgrade")
def reinstalling() -> Iterator[Callable[[], None]]:
    """Installs programs that differ from those before in what they say is their version."""
    before = {path: path.read_bytes() for path in PROGRAMS}
    for path, data in before.items():
        assert VERSION in data, path

    def upgrade() -> None:
        for path, data in before.items():
            install(path, data.replace(VERSION, NEXT_VERSION))

    yield upgrade
    for path, data in before.items():
        install(path, data)


def test_upgrade_leaves_vms_to_the_new_version(upgrade: Callable[[], None]) -> None:
    vm = start_printing()
    worker = worker_of(vm)
    upgrade()
    restart()
    assert f'"version":"{NEXT_VERSION.decode()}"' in vmmctl("alice", "call", "daemon.info").replace(
        ": ", ":"
    )
    wait_for_more(vm)
    assert worker_of(vm) == worker
    start("bob", GUESTS / "spin.bin")  # whose worker is a new one

    def versions() -> dict[int, bytes]:
        return {each["pid"]: each["version"].encode() for each in workers()}

    eventually(lambda: b"" not in versions().values(), "the greetings of all workers")
    told = versions()
    assert told.pop(worker) == VERSION and set(told.values()) == {NEXT_VERSION}
    vmmctl("alice", "stop", vm)
    printed = output(vm)
    assert printed == stream_bytes(0, record("alice", vm)["output"]["next"])


# A service that fails.


def test_vms_wait_for_settings_that_are_right_again() -> None:
    vm = start_printing()
    worker = worker_of(vm)
    CONFIG.write_text("max-vms = many\n", encoding="ascii")
    assert run("systemctl", "restart", SERVICE).returncode != 0
    wait_for_unit(ActiveState="failed")
    assert worker in processes()
    CONFIG.write_text("", encoding="ascii")
    systemctl("start", SERVICE)
    assert worker_of(vm) == worker
    wait_for_more(vm)


@contextlib.contextmanager
def failed_service() -> Iterator[None]:
    """Its daemon has died, and systemd does not start it again."""
    drop_in("[Service]\nRestart=no\n")
    kill()
    wait_for_unit(ActiveState="failed")
    yield


def test_sigterm_to_a_service_without_a_daemon_ends_its_vms() -> None:
    vm = start_and_print()
    with failed_service():
        assert processes()
        systemctl("kill", SERVICE)
        eventually(lambda: not processes(), "the end of all workers")
    left = record("alice", vm)
    assert (left["state"], left["exit"]["reason"]) == ("exited", "stopped")
    assert "SIGTERM" in left["exit"]["message"]
    assert vmmctl("alice", "logs", vm) == "AB"


# Clients that watch.


def watch(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        as_user("alice", "vmmctl", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_clients_go_on_after_a_restart_and_miss_nothing() -> None:
    vm = start_printing()
    clients = [watch("attach", vm), watch("logs", "-f", vm), watch("wait", vm)]
    wait_for_clients(3)
    for replace_daemon in (restart, kill):
        daemon = main_pid()
        replace_daemon()
        wait_for_next_daemon(daemon)
        wait_for_clients(3)
    wait_for_more(vm)
    vmmctl("bob", "stop", vm)
    told = [client.communicate(timeout=Deadline().left) for client in clients]
    end = record("alice", vm)["output"]["next"]
    assert [client.returncode for client in clients] == [0, 0, 130], told
    for printed, said in told[:2]:
        assert printed == stream_bytes(0, end)
        assert b"lost" not in said


def test_clients_end_with_a_stop_and_start_nothing() -> None:
    vm = start_and_print()
    clients = [watch("attach", vm), watch("logs", "-f", vm), watch("wait", vm), watch("events")]
    wait_for_clients(4)
    systemctl("stop", SERVICE)
    for client in clients:
        client.communicate(timeout=Deadline().left)
    assert [client.returncode for client in clients] == [0, 0, 130, 3]
    assert unit()["ActiveState"] == "inactive"
    assert unit("vmmd.socket")["SubState"] == "listening"


# A worker that dies.


def test_worker_that_is_killed_takes_only_its_own_vms_along(since: float) -> None:
    lost, other = start_and_print(), start("bob", GUESTS / "spin.bin")
    daemon, worker = main_pid(), worker_of(lost)
    os.kill(worker, signal.SIGKILL)
    left = eventually(
        lambda: (found := record("alice", lost))["state"] == "lost" and found, "the loss"
    )
    assert "signal 9" in left["exit"]["message"], left
    assert vmmctl("alice", "logs", lost) == "AB"
    assert record("bob", other)["state"] == "running" and main_pid() == daemon
    errors = [each["MESSAGE"] for each in journal(since, f"_SYSTEMD_UNIT={SERVICE}", "PRIORITY=3")]
    assert len(errors) == 1 and f"pid {worker}" in errors[0], errors


def test_worker_is_told_to_end_by_sigterm() -> None:
    vm = start_and_print()
    os.kill(worker_of(vm), signal.SIGTERM)
    left = eventually(
        lambda: (found := record("alice", vm))["state"] == "exited" and found, "its end"
    )
    assert left["exit"]["reason"] == "stopped" and "SIGTERM" in left["exit"]["message"]


def test_kernel_out_of_memory_ends_a_worker_and_not_the_service(since: float) -> None:
    """The limit counts what all processes of the service have together."""
    drop_in("[Service]\nMemoryMax=128M\n")
    other = start("alice", GUESTS / "spin.bin")
    daemon = main_pid()
    image = Path("/var/tmp/large.bin")
    with image.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    image.chmod(0o644)
    done = run("vmmctl", "start", "--memory=1G", "--name=large", "--format=flat", image, user="bob")
    image.unlink()
    assert done.returncode == 1 and "signal 9" in done.stderr, done
    kernel = must("journalctl", "-k", f"--since=@{since:.6f}")
    assert re.search(r"Killed process \d+ \(vmmd-worker\)", kernel), kernel[-2000:]
    assert main_pid() == daemon and record("alice", other)["state"] == "running"
    assert (unit()["ActiveState"], unit()["NRestarts"]) == ("active", "0")
