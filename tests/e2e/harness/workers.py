"""The processes that run VMs, as a test finds and stops them."""
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.rpc import Connection
from harness.waiting import eventually


def worker_of(rpc: Connection, vm: int) -> dict:
    """The one that has the VM, once vmmd has heard its pid, which may come after it has heard of the
    VM: a signal to 0 would be one to the tests."""

    def found() -> dict | None:
        workers = [worker for worker in rpc.call("daemon.workers") if vm in worker["vms"]]
        return workers[0] if workers and workers[0]["pid"] > 0 else None

    return eventually(found, f"the worker of VM {vm}")


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
