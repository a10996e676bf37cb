"""Processes that run VMs: what befalls one of them, or the daemon meanwhile, and whom that harms."""
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.daemon import Daemon
from harness.images import ECHO, HALT, SPIN, STREAM_ENDLESS, print_text
from harness.rpc import Connection, as_data
from harness.settings import GUESTS
from harness.waiting import eventually

StartDaemon = Callable[..., Daemon]


RINGS = 4096, 65536  # bytes


def worker_of(rpc: Connection, vm: int) -> dict:
    """The one that has the VM."""
    return next(worker for worker in rpc.call("daemon.workers") if vm in worker["vms"])


def has_stopped(pid: int) -> bool:
    """Each thread, or it waits in the kernel: to close a VM waits for a thread of KVM's own, which
    has stopped as well."""
    states = [
        (task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        for task in Path(f"/proc/{pid}/task").iterdir()
    ]
    return set(states) <= {"T", "D"}


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: has_stopped(pid), f"process {pid} to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def holds_file_of(pid: int, vm: int) -> bool:
    """A worker closes a VM's state file last, when it has taken the VM down."""
    folder = Path(f"/proc/{pid}/fd")
    return any(os.readlink(fd).endswith(f"/{vm}.vm") for fd in folder.iterdir())


# The daemon goes, and another one comes.


def kill_daemon_as_a_vm_is_taken_down(daemon: Daemon, remove: bool) -> tuple[int, int]:
    """A VM has ended, and its worker is not done with it. The worker, and another VM that it has."""
    for _ in range(50):
        with daemon.connect() as rpc:
            standing, ended = rpc.start(ECHO), rpc.start(HALT)
            pid = worker_of(rpc, standing)["pid"]
            rpc.wait(ended)
            with stopped(pid):
                if holds_file_of(pid, ended):
                    if remove:
                        rpc.call("vm.remove", {"vm": ended})
                    daemon.kill()
                    daemon.start()
                    return pid, standing
            rpc.stop(standing, force=True)
    raise AssertionError("it is always done at once")


def test_vm_that_is_taken_down_as_the_daemon_dies_harms_nobody(daemon: Daemon) -> None:
    for remove in False, True:
        pid, standing = kill_daemon_as_a_vm_is_taken_down(daemon, remove)
        with daemon.connect() as rpc:
            assert rpc.get(standing)["state"] == "running"
            for _ in range(3):  # in each slot, that of the other VM too
                assert rpc.run(print_text(b"again"))["data"] == b"again"
            assert worker_of(rpc, standing)["pid"] == pid
            rpc.stop(standing, force=True)


def test_start_does_not_wait_for_a_worker_that_the_next_daemon_finds_stopped(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(ECHO)
        pid = worker_of(rpc, vm)["pid"]
    with stopped(pid):
        daemon.kill()
        with daemon.start().connect() as rpc:
            assert rpc.run(print_text(b"elsewhere"))["data"] == b"elsewhere"
            assert rpc.get(vm)["state"] == "running"
    with daemon.connect() as rpc:
        assert rpc.stop(vm, force=True)["exit"]["reason"] == "killed"


def test_start_that_was_under_way_goes_on_with_the_next_daemon(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        pid = worker_of(rpc, rpc.start(ECHO))["pid"]
    with stopped(pid):
        with daemon.connect() as rpc:
            rpc.request("vm.start", {"image": as_data(ECHO), "name": "begun"})
            rpc.request("vm.get", {"vm": "begun"})  # its answer comes behind that: it is begun
            rpc.receive()
        daemon.kill()
        with daemon.start().connect() as rpc:
            assert rpc.get("begun")["state"] == "starting"
    with daemon.connect() as rpc:
        eventually(lambda: rpc.get("begun")["state"] == "running", "it to run")
        rpc.give("begun", b"input")
        eventually(lambda: rpc.output("begun") == b"input", "its echo")


def test_start_that_waits_for_its_image_goes_on_with_the_next_daemon(start_daemon: StartDaemon) -> None:
    daemon = start_daemon("--image-dir", str(GUESTS))
    by_path = {"image": {"path": "cat.bin"}}
    with daemon.connect() as rpc:
        first = rpc.call("vm.start", by_path)["id"]
        receiver = next(w["pid"] for w in rpc.call("daemon.workers") if w["role"] == "receives")
        with stopped(receiver):
            rpc.request("vm.start", by_path | {"name": "begun"})
            file = daemon.state_dir / f"{first + 1}.vm"
            eventually(lambda: file.exists() and file.stat().st_size > 0, "its worker to begin")
            daemon.kill()
            with daemon.start().connect() as again:
                assert again.get("begun")["state"] == "starting"
    with daemon.connect() as rpc:
        eventually(lambda: rpc.get("begun")["state"] == "running", "it to run")
        assert rpc.get("begun")["started"] and rpc.get("begun")["machine"] == "bare"
        rpc.give("begun", b"input")
        eventually(lambda: rpc.output("begun") == b"input", "its echo")


def test_vms_that_end_while_the_next_daemon_begins_harm_nobody(daemon: Daemon) -> None:
    """Many files are to be read, while one VM after the other comes to its end."""
    with daemon.connect() as rpc:
        standing = rpc.start(ECHO)
        for _ in range(300):
            rpc.start(HALT)
        pid = worker_of(rpc, standing)["pid"]
        ending = [rpc.start(ECHO, timeout_ms=200 + 8 * n) for n in range(50)]
        daemon.kill()
        with daemon.start().connect() as again:
            for vm in ending:
                assert again.wait(vm)["exit"]["reason"] == "timeout"
            assert again.get(standing)["state"] == "running"
            assert worker_of(again, standing)["pid"] == pid


def test_vms_that_are_removed_as_the_daemon_dies_leave_no_file(daemon: Daemon) -> None:
    removed = []
    for _ in range(3):
        with daemon.connect() as rpc:
            vms = [rpc.start(HALT) for _ in range(60)]
            for vm in vms:
                rpc.wait(vm)
            removals = {rpc.request("vm.remove", {"vm": vm}): vm for vm in vms}
            removed += [removals[rpc.receive()["id"]] for _ in range(10)]
        daemon.kill()
        with daemon.start().connect() as rpc:
            listed = {record["id"] for record in rpc.call("vm.list", {"all": True})}
            assert not listed & set(removed)
            eventually(
                lambda: {path.name for path in daemon.state_dir.iterdir()}
                == {"lock", "next-id", "ledger", "workers", *(f"{vm}.vm" for vm in listed)},
                "files of those that are listed, and no other",
            )
    assert "ignoring it" not in daemon.log_text()


# Files.


def test_file_that_is_cut_short_ends_its_vm_alone(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        cut = [rpc.start(image, ring=ring) for image in (STREAM_ENDLESS, SPIN, ECHO) for ring in RINGS]
        other = rpc.start(ECHO)
        pid = worker_of(rpc, other)["pid"]
        eventually(lambda: rpc.get(cut[0])["output"]["next"] > 0, "output")
        for vm in cut:
            os.truncate(daemon.state_dir / f"{vm}.vm", 0)
        for vm in cut:
            rpc.get(vm)  # who prints nothing is found out by who reads
            assert rpc.wait(vm)["state"] in ("failed", "exited")
        assert worker_of(rpc, other)["pid"] == pid
        rpc.give(other, b"input")
        eventually(lambda: rpc.output(other) == b"input", "its echo")


# Spare ones.


def spares(rpc: Connection) -> set[int]:
    return {worker["pid"] for worker in rpc.call("daemon.workers") if worker["role"] == "spare"}


def test_spare_one_that_is_killed_is_replaced_at_once(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        rpc.run(print_text(b"its worker is idle then"))
        eventually(lambda: not any(w["vms"] for w in rpc.call("daemon.workers")), "it to be")
        eventually(lambda: len(spares(rpc) - {0}) == 2, "two of them")
        victim = min(spares(rpc))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(spares(rpc) - {0, victim}) == 2, "another one", seconds=5)
