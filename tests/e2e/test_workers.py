"""Processes that run VMs: what befalls one, or the daemon meanwhile, and whom that harms."""
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.daemon import Daemon, wait_for_end
from harness.images import (
    ECHO,
    HALT,
    PRINT_THEN_SPIN,
    SPIN,
    STREAM_ENDLESS,
    print_text,
    stream_bytes,
    stream_of,
)
from harness.rpc import Connection, as_data
from harness.settings import GUESTS, SCALE
from harness.users import NOBODY, connect_as, require_root
from harness.waiting import eventually
from harness.workers import started_workers, stopped, worker_of

StartDaemon = Callable[..., Daemon]
RINGS = 4096, 65536  # bytes


def holds_file_of(pid: int, vm: int) -> bool:
    """A worker closes a VM's state file last, when it has taken the VM down."""
    folder = Path(f"/proc/{pid}/fd")
    return any(os.readlink(fd).endswith(f"/{vm}.vm") for fd in folder.iterdir())


# One of them dies.


def test_worker_that_is_killed_takes_its_own_vms_along(start_daemon: StartDaemon) -> None:
    daemon = start_daemon("--worker-vms", "2")
    with daemon.connect() as rpc:
        printing, echoing = rpc.start(stream_of(60000, then=SPIN)), rpc.start(ECHO)
        others = [rpc.start(ECHO) for _ in range(3)]
        victim = worker_of(rpc, printing)
        assert sorted(victim["vms"]) == [printing, echoing]
        reader = rpc.attach(printing)
        reader.read_until(lambda: reader.position > 30000)
        os.kill(victim["pid"], signal.SIGKILL)
        reader.read_to_end()
        for vm in printing, echoing:
            record = rpc.wait(vm)
            assert (record["state"], record["exit"]["reason"]) == ("lost", "worker-lost")
            assert "signal 9" in record["exit"]["message"]
        assert bytes(reader.data) == rpc.output(printing) == stream_bytes(0, len(reader.data))
        for vm in others:
            assert rpc.get(vm)["state"] == "running"
            rpc.give(vm, b"x")
            eventually(lambda vm=vm: rpc.output(vm) == b"x", "its echo")
        assert rpc.run(print_text(b"goes on"))["data"] == b"goes on"
    told = f"worker {victim['number']} (pid {victim['pid']}, uid {os.getuid()}, 2 VMs) is gone"
    assert told in daemon.log_text()


def test_worker_that_dies_without_a_daemon_is_found_dead(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(PRINT_THEN_SPIN)
        eventually(lambda: rpc.output(vm) == b"AB", "its output")
        pid = worker_of(rpc, vm)["pid"]
    daemon.kill()
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid, 15)
    with daemon.start().connect() as rpc:
        record = rpc.get(vm)
        assert (record["state"], record["exit"]["reason"]) == ("lost", "worker-lost")
        assert rpc.output(vm) == b"AB"


def test_receiver_that_is_killed_is_replaced(daemon: Daemon) -> None:
    for _ in range(3):
        with daemon.connect() as rpc:
            assert rpc.run(GUESTS / "hello.bin")["data"] == b"Hello, KVM!\n"
            (receiver,) = [w for w in started_workers(rpc) if w["role"] == "receives"]
            os.kill(receiver["pid"], signal.SIGKILL)
            wait_for_end(receiver["pid"], 15)
            eventually(lambda: receiver["pid"] not in daemon.pids(), "the daemon to see it")


def test_users_have_workers_of_their_own(daemon: Daemon) -> None:
    require_root()
    daemon.folder.chmod(0o711)
    daemon.socket.chmod(0o666)
    with daemon.connect() as rpc, connect_as(NOBODY, daemon.socket) as other:
        ours, theirs = rpc.start(ECHO), other.start(ECHO)
        rpc.run(GUESTS / "hello.bin")
        other.run(GUESTS / "hello.bin")
        workers = [w for w in started_workers(rpc) if w["role"] != "spare"]
        assert sorted((w["role"], w["uid"]) for w in workers) == [
            *(("receives", 0), ("receives", NOBODY)),
            *(("runs", 0), ("runs", NOBODY)),
        ]
        assert len({w["pid"] for w in workers}) == 4
        for worker in workers:
            if worker["uid"] == NOBODY:
                os.kill(worker["pid"], signal.SIGKILL)
        assert other.wait(theirs)["state"] == "lost"
        assert rpc.get(ours)["state"] == "running"
        assert rpc.run(GUESTS / "hello.bin")["data"] == b"Hello, KVM!\n"
    with connect_as(NOBODY, daemon.socket) as other:
        assert other.run(GUESTS / "hello.bin")["data"] == b"Hello, KVM!\n"


# One of them stops.


def test_worker_that_is_stopped_is_told_and_goes_on_later(start_daemon: StartDaemon) -> None:
    daemon = start_daemon("--worker-vms", "2")
    with daemon.connect() as rpc:
        held, other = rpc.start(ECHO), rpc.start(SPIN)
        elsewhere = rpc.start(ECHO)
        with stopped(worker_of(rpc, held)["pid"]):
            begin = time.monotonic()
            rpc.give(held, b"input")
            refusal = rpc.refused("vm.pause", {"vm": other})
            assert refusal["data"]["name"] == "worker-silent"
            assert 4 < time.monotonic() - begin < 10 * SCALE
            assert not worker_of(rpc, held)["answers"]
            assert rpc.get(held)["state"] == "running"
            rpc.give(elsewhere, b"input")
            eventually(lambda: rpc.output(elsewhere) == b"input", "its echo")
            assert rpc.run(print_text(b"elsewhere"))["data"] == b"elsewhere"
        eventually(lambda: rpc.output(held) == b"input", "what it was sent")
        eventually(lambda: rpc.get(other)["state"] == "paused", "what was asked of it")
        eventually(lambda: worker_of(rpc, held)["answers"], "it to answer again")


# The daemon goes, and another one comes.


def kill_daemon_as_vms_are_taken_down(daemon: Daemon, remove: bool) -> tuple[int, int]:
    """Of VMs that have ended, and that their worker is not done with. It, and a VM that it has."""
    with daemon.connect() as rpc:
        standing = rpc.start(ECHO)
        pid = worker_of(rpc, standing)["pid"]
        for _ in range(20):
            ending = [rpc.start(ECHO) for _ in range(20)]
            stops = [rpc.request("vm.stop", {"vm": vm}) for vm in ending]
            rpc.result("vm.stop", stops[10])
            with stopped(pid):
                ended = [vm for vm in ending if rpc.get(vm)["ended"]]
                if any(holds_file_of(pid, vm) for vm in ended):
                    for vm in ended if remove else []:
                        rpc.call("vm.remove", {"vm": vm})
                    daemon.kill()
                    daemon.start()
                    return pid, standing
    raise AssertionError("it is always done at once")


@pytest.mark.parametrize("remove", [False, True])
def test_vms_that_are_taken_down_as_the_daemon_dies_harm_nobody(
    daemon: Daemon, remove: bool
) -> None:
    pid, standing = kill_daemon_as_vms_are_taken_down(daemon, remove)
    with daemon.connect() as rpc:
        for _ in range(30):  # in each slot, those of the others too
            assert rpc.run(print_text(b"again"))["data"] == b"again"
        assert rpc.get(standing)["state"] == "running"
        assert worker_of(rpc, standing)["pid"] == pid


def test_start_does_not_wait_for_a_worker_that_the_next_daemon_finds_stopped(
    daemon: Daemon,
) -> None:
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


def test_start_that_waits_for_its_image_goes_on_with_the_next_daemon(
    start_daemon: StartDaemon,
) -> None:
    daemon = start_daemon("--image-dir", str(GUESTS))
    by_path = {"image": {"path": "cat.bin"}}
    with daemon.connect() as rpc:
        first = rpc.call("vm.start", by_path)["id"]
        receiver = next(w["pid"] for w in started_workers(rpc) if w["role"] == "receives")
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
        images = STREAM_ENDLESS, SPIN, ECHO
        cut = [rpc.start(image, ring=ring) for image in images for ring in RINGS]
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


def test_file_that_was_cut_short_is_no_later_vm_s_end(daemon: Daemon) -> None:
    """One that gets the slot, and the addresses, of the VM whose file it was."""
    later = []
    with daemon.connect() as rpc:
        for _ in range(30):
            cut = rpc.start(ECHO)
            os.truncate(daemon.state_dir / f"{cut}.vm", 0)
            rpc.stop(cut, force=True)
            eventually(lambda: all(cut not in w["vms"] for w in rpc.call("daemon.workers")), "it")
            later.append(rpc.start(ECHO))
        for vm in later:
            rpc.give(vm, b"x", eof=True)
            assert rpc.wait(vm)["exit"]["reason"] == "guest-exit"


# Spare ones.


def spares(rpc: Connection) -> set[int]:
    return {worker["pid"] for worker in started_workers(rpc) if worker["role"] == "spare"}


def test_spare_one_that_is_killed_is_replaced_at_once(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        rpc.run(print_text(b"its worker is idle then"))
        eventually(lambda: not any(w["vms"] for w in rpc.call("daemon.workers")), "it to be")
        eventually(lambda: len(spares(rpc)) == 2, "two of them")
        victim = min(spares(rpc))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(spares(rpc) - {victim}) == 2, "another one", seconds=5)
