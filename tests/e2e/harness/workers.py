"""The processes that run VMs, as a test finds and stops them."""
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.rpc import Connection
from harness.waiting import eventually


def all_started(workers: list[dict]) -> list[dict]:
    """The workers, or none if one of them is not there yet."""
    return workers if all(worker["pid"] > 0 for worker in workers) else []


def started_workers(rpc: Connection) -> list[dict]:
    """All of them, once none is just being started. Such a one may have greeted, and have a VM, and
    its pid is 0 all the same: a signal to that would be one to the tests."""
    return eventually(lambda: all_started(rpc.call("daemon.workers")), "all workers")


def worker_of(rpc: Connection, vm: int) -> dict:
    """The one that has the VM."""
    return next(worker for worker in started_workers(rpc) if vm in worker["vms"])


def has_stopped(pid: int) -> bool:
    """Each thread, or it waits in the kernel: to close a VM waits for a thread of KVM's own, which
    has stopped as well."""
    try:
        states = [
            (task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            for task in Path(f"/proc/{pid}/task").iterdir()
        ]
    except (FileNotFoundError, ProcessLookupError):  # one has just ended
        return False
    return set(states) <= {"T", "D"}


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP, until the end of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: has_stopped(pid), f"process {pid} to stop", seconds=60)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
