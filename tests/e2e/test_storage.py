"""When there is no room: for a VM's file, for its output, for the log."""
import fcntl
import os
import resource
from collections.abc import Callable
from pathlib import Path

from harness.daemon import Daemon
from harness.images import HALT, SPIN, STREAM_ENDLESS, print_text, stream_bytes, stream_of
from harness.rpc import Connection
from harness.waiting import eventually

HEADER = 8192  # bytes of a VM's file before the ring
RING = 128 * 1024
FIRST_STEP = 16384  # bytes of the ring that are reserved before the VM starts


def limit_files(daemon: Daemon, size: int) -> None:
    """No file of the daemon's and its workers' may grow beyond size: to them, a disk that is full."""
    for pid in daemon.pids():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_ring_keeps_the_size_it_has_where_the_disk_is_full(
    daemon: Daemon, rpc: Connection
) -> None:
    limit_files(daemon, HEADER + 2 * FIRST_STEP)
    vm = rpc.start(stream_of(60000), name="greedy")
    assert rpc.wait(vm)["exit"]["reason"] == "halted"
    output = rpc.get(vm)["output"]
    assert (output["capacity"], output["next"]) == (2 * FIRST_STEP, 60000)
    assert output["first"] == 60000 - 2 * FIRST_STEP
    stream = rpc.attach(vm).read_to_end()
    assert stream.lost == output["first"]
    assert bytes(stream.data) == stream_bytes(output["first"], 2 * FIRST_STEP)
    assert "VM 'greedy': cannot reserve 65536 bytes for its output" in daemon.log_text()


def test_what_the_small_ring_kept_is_there_after_a_restart(daemon: Daemon, rpc: Connection) -> None:
    limit_files(daemon, HEADER + FIRST_STEP)
    vm = rpc.start(stream_of(60000))
    rpc.wait(vm)
    daemon.kill()
    with daemon.start().connect() as again:
        stream = again.attach(vm).read_to_end()
        assert bytes(stream.data) == stream_bytes(60000 - FIRST_STEP, FIRST_STEP)


def test_vm_without_room_for_its_file_is_refused(daemon: Daemon, rpc: Connection) -> None:
    other = rpc.start(SPIN)
    limit_files(daemon, HEADER)
    error = rpc.refused("vm.start", {"image": {"data": "9A=="}})
    assert error["data"]["name"] == "storage-failed"
    assert rpc.get(error["data"]["vm"])["state"] == "failed"
    assert rpc.get(other)["state"] == "running"
    limit_files(daemon, resource.RLIM_INFINITY)
    assert rpc.wait(rpc.start(HALT))["exit"]["reason"] == "halted"


def count_mappings(daemon: Daemon) -> int:
    return len(Path(f"/proc/{daemon.pid}/maps").read_text(encoding="ascii").splitlines())


def test_file_that_is_cut_short_costs_one_mapping_and_one_line(
    daemon: Daemon, rpc: Connection
) -> None:
    vm = rpc.start(STREAM_ENDLESS, ring=RING)
    eventually(lambda: rpc.get(vm)["output"]["next"] > 2 * RING, "a full ring")
    first = rpc.stop(vm)["output"]["first"]
    before = count_mappings(daemon)
    os.truncate(daemon.state_dir / f"{vm}.vm", HEADER + 4096)
    for offset in range(0, RING, 8192):  # each second page
        rpc.call("vm.output", {"vm": vm, "from": first + offset, "max": 1})
    assert count_mappings(daemon) < before + 8
    assert daemon.log_text().count("cut its state file short") == 1


def test_log_that_nobody_reads_stops_nobody(new_daemon: Callable[..., Daemon]) -> None:
    read_end, write_end = os.pipe()
    size = fcntl.fcntl(write_end, fcntl.F_GETPIPE_SZ)
    daemon = new_daemon()
    daemon.stderr = write_end
    with daemon.start().connect() as rpc:
        os.write(write_end, bytes(size - len(os.read(read_end, size))))
        for _ in range(20):  # each is worth a line
            assert rpc.run(print_text(b"x"))["data"] == b"x"
    os.close(write_end)
    daemon.stop()
    os.close(read_end)
