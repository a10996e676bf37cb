"""What outlives a daemon: records, output, ids. And who may use a state directory and a socket."""
import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.daemon import STOP_SECONDS, Daemon, require_kvm, wait_for_end
from harness.images import (
    HALT,
    PRINT_THEN_SPIN,
    SPIN,
    STREAM_ENDLESS,
    TRIPLE_FAULT,
    print_text,
    stream_bytes,
    stream_of,
)
from harness.rpc import Connection
from harness.settings import GUESTS, SCALE
from harness.waiting import eventually
from harness.workers import started_workers


def wait_for_output(rpc: Connection, vm: int, size: int) -> None:
    eventually(lambda: rpc.get(vm)["output"]["next"] >= size, f"{size} bytes of output")


def everything(rpc: Connection) -> list[tuple[dict, dict, bytes]]:
    """Of each VM: its record, its statistics, its output."""
    records = rpc.call("vm.list", {"all": True})
    return [
        (record, rpc.call("vm.stats", {"vm": record["id"]}), rpc.output(record["id"]))
        for record in records
    ]


# After an orderly end.


def test_ended_vms_are_the_same_after_a_restart(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        rpc.run(GUESTS / "hello.bin", name="hello")
        rpc.run(GUESTS / "multiplication.bin", coalesce=False)
        rpc.run(GUESTS / "hctest.bin")
        rpc.run(TRIPLE_FAULT)
        rpc.refused("vm.start", {"image": {"data": ""}})
        rpc.stop(rpc.start(SPIN), force=True)
        rpc.wait(rpc.start(stream_of(60000), ring=4096))
        rpc.wait(rpc.start(PRINT_THEN_SPIN, timeout_ms=1))
        before = everything(rpc)
    daemon.stop()
    with daemon.start().connect() as rpc:
        assert everything(rpc) == before
        assert rpc.get("hello")["id"] == 1


def test_vms_that_an_orderly_end_stopped_stay_stopped(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(PRINT_THEN_SPIN)
        wait_for_output(rpc, vm, 2)
    daemon.stop()
    with daemon.start().connect() as rpc:
        record = rpc.get(vm)
        assert (record["state"], record["exit"]["reason"]) == ("exited", "stopped")
        assert "shutting down" in record["exit"]["message"]
        assert rpc.output(vm) == b"AB"


def test_sigterm_behind_sigusr1_ends_no_vm(daemon: Daemon) -> None:
    """Systemd sends it to what is left of a service, as may somebody in a hurry."""
    with daemon.connect() as rpc:
        vm = rpc.start(PRINT_THEN_SPIN)
        wait_for_output(rpc, vm, 2)
    daemon.signal(signal.SIGUSR1)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_end(STOP_SECONDS) == 0
    with daemon.start().connect() as rpc:
        record = rpc.get(vm)
        assert (record["state"], record["exit"]) == ("running", None)


def test_ids_go_on_after_a_restart(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vms = [rpc.start(HALT) for _ in range(3)]
        for vm in vms:
            rpc.wait(vm)
            rpc.call("vm.remove", {"vm": vm})
    daemon.stop()
    with daemon.start().connect() as rpc:
        assert rpc.call("vm.list", {"all": True}) == []
        assert rpc.start(HALT) == 4


def test_removed_vms_stay_removed(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        rpc.wait(rpc.start(HALT))
        rpc.wait(rpc.start(HALT))
        rpc.call("vm.remove", {"vm": 1})
    daemon.stop()
    with daemon.start().connect() as rpc:
        assert [record["id"] for record in rpc.call("vm.list", {"all": True})] == [2]


def test_retention_holds_after_a_restart(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        for _ in range(5):
            rpc.wait(rpc.start(HALT))
    daemon.stop()
    daemon.options += ["--retain", "2"]
    with daemon.start().connect() as rpc:
        assert [record["id"] for record in rpc.call("vm.list", {"all": True})] == [4, 5]


# After kill -9: VMs run on, in their workers.


def test_killed_daemon_loses_no_vm_no_byte_and_no_ending(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        rpc.run(GUESTS / "hello.bin")
        rpc.stop(rpc.start(SPIN))
        ended = everything(rpc)
        printing = rpc.start(stream_of(50000, then=SPIN), name="lab")
        small = rpc.start(stream_of(50001, then=SPIN), ring=4096)
        paused = rpc.start(SPIN)
        wait_for_output(rpc, printing, 50000)
        wait_for_output(rpc, small, 50001)
        stands = rpc.call("vm.pause", {"vm": paused})["paused"]
        before = {vm: rpc.get(vm) for vm in (printing, small, paused)}
    daemon.kill()

    with daemon.start().connect() as rpc:
        assert everything(rpc)[:2] == ended
        assert [record["id"] for record in rpc.call("vm.list")] == list(before)
        for vm, record in before.items():
            after = rpc.get(vm)
            same = ("id", "name", "state", "owner", "image", "format", "memory", "created")
            same += ("started", "ended", "output", "cpus", "exit")
            assert {key: after[key] for key in same} == {key: record[key] for key in same}
            assert after["uptime_ns"] >= record["uptime_ns"]
        assert rpc.output(printing) == stream_bytes(0, 50000)
        assert rpc.get(paused)["paused"] == stands
        assert rpc.call("vm.resume", {"vm": paused})["state"] == "running"
        for vm in before:
            assert rpc.stop(vm)["exit"]["reason"] == "stopped"
        stream = rpc.attach(small).read_to_end()
        assert len(stream.data) + stream.lost == 50001
        assert bytes(stream.data) == stream_bytes(stream.lost, len(stream.data))
        assert rpc.start(SPIN, name="lab") == paused + 1


def test_what_ends_while_no_daemon_is_there_is_told_by_the_next(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(PRINT_THEN_SPIN, timeout_ms=1000 * SCALE)
        late = rpc.start(PRINT_THEN_SPIN)
        wait_for_output(rpc, vm, 2)
    daemon.kill()
    eventually(lambda: not is_live(daemon, vm), "its end")
    with daemon.start().connect() as rpc:
        record = rpc.get(vm)
        assert (record["state"], record["exit"]["reason"]) == ("exited", "timeout")
        assert rpc.output(vm) == b"AB"
        assert rpc.get(late)["state"] == "running"


def is_live(daemon: Daemon, vm: int) -> bool:
    """Whether the VM's file says so: the state is at offset 400 of layout 3 (shared/vm_file.h)."""
    state = (daemon.state_dir / f"{vm}.vm").read_bytes()[400]
    return state < 4


def test_input_goes_on_where_it_was(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(GUESTS / "getchar.bin")
        rpc.give(vm, b"one ")
        wait_for_output(rpc, vm, 4)
        rpc.call("vm.pause", {"vm": vm})
        rpc.give(vm, b"two ")  # nobody reads it before the daemon is gone
    daemon.kill()
    with daemon.start().connect() as rpc:
        eventually(lambda: rpc.input(vm, b"three", wait=True)["accepted"] == 5, "room")
        rpc.call("vm.resume", {"vm": vm})
        rpc.input(vm, b"", eof=True)
        rpc.wait(vm)
        assert rpc.output(vm) == b"one two three"


def test_killed_in_the_middle_of_printing_goes_on_printing(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(STREAM_ENDLESS, ring=65536)
        stream = rpc.attach(vm)
        stream.read_until(lambda: stream.position > 100_000)
    daemon.kill()

    with daemon.start().connect() as rpc:
        again = rpc.attach(vm, **{"from": stream.position})
        again.read_until(lambda: again.position > stream.position + 500_000)
        at = stream.position
        for where, lost in again.gaps:
            assert where >= at
            at = where + lost
        if not again.gaps:
            assert bytes(again.data) == stream_bytes(stream.position, len(again.data))
        rpc.stop(vm)


def test_daemon_that_is_told_to_leave_vms_alone_does(daemon: Daemon) -> None:
    with daemon.connect() as rpc, daemon.connect() as waiting:
        vm = rpc.start(PRINT_THEN_SPIN)
        stream = rpc.attach(vm)
        stream.read_until(lambda: stream.position == 2)
        waiting.request("vm.wait", {"vm": vm})
        waiting.ping()
        daemon.signal(signal.SIGUSR1)
        ended = rpc.notification("subscription.ended")
        assert ended == {"subscription": stream.subscription, "reason": "restarting"}
        rpc.expect_end()
    assert daemon.wait_end(STOP_SECONDS) == 0
    with daemon.start().connect() as rpc:
        assert rpc.get(vm)["state"] == "running"
        rpc.stop(vm)


def test_setting_has_sigterm_leave_vms_alone(start_daemon: Callable[..., Daemon]) -> None:
    daemon = start_daemon("--on-stop", "keep")
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
    daemon.stop()
    with daemon.start().connect() as rpc:
        assert rpc.get(vm)["state"] == "running"
        rpc.stop(vm)


def test_vms_run_on_through_many_daemons(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
    for number in range(2, 6):
        daemon.kill()
        daemon.start()
        with daemon.connect() as rpc:
            assert rpc.start(SPIN) == number
    with daemon.connect() as rpc:
        records = rpc.call("vm.list", {"all": True})
        assert [record["state"] for record in records] == ["running"] * 5
        # in more than one worker where a start came before the first one had reported
        listed = [vm for worker in rpc.call("daemon.workers") for vm in worker["vms"]]
        assert sorted(listed) == [1, 2, 3, 4, 5]
        for record in records:
            rpc.stop(record["id"])
    assert vm == 1


def test_worker_that_stands_still_through_many_daemons_is_not_lost(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
        (pid,) = [worker["pid"] for worker in started_workers(rpc) if worker["vms"]]
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(7):
            daemon.kill()
            daemon.start()
    finally:
        os.kill(pid, signal.SIGCONT)
    with daemon.connect() as rpc:
        assert rpc.stop(vm)["exit"]["reason"] == "stopped"


def kill_workers(daemon: Daemon) -> None:
    """Those that have VMs."""
    with daemon.connect() as rpc:
        pids = [worker["pid"] for worker in started_workers(rpc) if worker["vms"]]
    daemon.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid, STOP_SECONDS)


def test_lost_vms_stay_lost_and_ids_go_on(daemon: Daemon) -> None:
    for number in range(1, 4):
        with daemon.connect() as rpc:
            assert rpc.start(SPIN) == number
        kill_workers(daemon)
        daemon.start()
    with daemon.connect() as rpc:
        records = rpc.call("vm.list", {"all": True})
        assert [record["state"] for record in records] == ["lost"] * 3
        assert {record["exit"]["reason"] for record in records} == {"worker-lost"}


def test_damaged_state_files_are_ignored_with_a_line_in_the_log(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        for _ in range(3):
            rpc.run(GUESTS / "hello.bin")
    daemon.stop()
    (daemon.state_dir / "1.vm").write_bytes(b"\xff" * 20000)
    os.truncate(daemon.state_dir / "2.vm", 5000)
    (daemon.state_dir / "9.vm").write_bytes(b"no VM")
    (daemon.state_dir / "next-id").write_text("nonsense")
    with daemon.start().connect() as rpc:
        assert rpc.output(3) == b"Hello, KVM!\n"
        listed = {record["id"] for record in rpc.call("vm.list", {"all": True})}
        assert listed <= {2, 3}, listed
        assert rpc.start(HALT) not in (1, 2, 3)
    assert "'1.vm'" in daemon.log_text()


# State directory and socket.


def expect_refusal(daemon: Daemon, status: int = 1) -> str:
    """The daemon does not start; what it says about that."""
    require_kvm()
    daemon.spawn()
    daemon.expected_status = daemon.wait_end(15)
    assert daemon.expected_status == status, daemon.log_text()
    return daemon.log_text()


def test_state_directory_has_one_daemon(
    daemon: Daemon, rpc: Connection, new_daemon: Callable[..., Daemon]
) -> None:
    second = new_daemon(folder=daemon.folder / "second")
    second.state_dir = daemon.state_dir
    text = expect_refusal(second)
    assert str(daemon.state_dir) in text and "--state-dir" in text
    rpc.ping()


def test_socket_has_one_daemon(
    daemon: Daemon, rpc: Connection, new_daemon: Callable[..., Daemon]
) -> None:
    second = new_daemon(folder=daemon.folder / "second", socket=daemon.socket)
    assert str(daemon.socket) in expect_refusal(second)
    rpc.ping()
    with daemon.connect() as other:  # the socket is still the first one's
        assert other.call("daemon.info")["pid"] == daemon.pid


def test_socket_that_nobody_listens_on_is_replaced(daemon: Daemon) -> None:
    daemon.kill()
    assert daemon.socket.is_socket()
    with daemon.start().connect() as rpc:
        rpc.ping()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_not_replaced(
    new_daemon: Callable[..., Daemon], folder: Path, kind: str
) -> None:
    daemon = new_daemon()
    if kind == "file":
        daemon.socket.write_text("precious")
    elif kind == "directory":
        daemon.socket.mkdir()
    else:
        (folder / "file").write_text("precious")
        daemon.socket.symlink_to("file")
    assert str(daemon.socket) in expect_refusal(daemon)
    assert stat.S_IFMT(daemon.socket.lstat().st_mode) == {
        "file": stat.S_IFREG,
        "directory": stat.S_IFDIR,
        "link": stat.S_IFLNK,
    }[kind]


def test_directory_of_the_socket_is_made_but_not_that_directory_s(
    new_daemon: Callable[..., Daemon], folder: Path
) -> None:
    daemon = new_daemon(socket=folder / "missing" / "run" / "vmmd.sock")
    assert "missing" in expect_refusal(daemon)
    (folder / "missing").mkdir()
    with new_daemon(socket=folder / "missing" / "run" / "vmmd.sock").start().connect() as rpc:
        rpc.ping()


def test_socket_path_that_is_too_long_is_an_error(
    new_daemon: Callable[..., Daemon], folder: Path
) -> None:
    daemon = new_daemon(socket=folder / ("x" * 108))
    assert "at most 107 bytes" in expect_refusal(daemon, status=2)


def test_socket_and_state_are_the_owners_alone(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.socket.stat().st_mode) & 0o077 == 0
    for folder in (daemon.state_dir, daemon.state_dir / "workers"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in folder.iterdir():
            assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_socket_is_gone_after_an_orderly_end(daemon: Daemon) -> None:
    daemon.stop()
    assert not daemon.socket.exists()
    with pytest.raises(FileNotFoundError):
        socket.socket(socket.AF_UNIX).connect(str(daemon.socket))


def test_state_directory_that_cannot_be_is_an_error(
    new_daemon: Callable[..., Daemon], folder: Path
) -> None:
    daemon = new_daemon()
    (folder / "file").touch()
    daemon.state_dir = folder / "file"
    assert str(daemon.state_dir) in expect_refusal(daemon)


def test_output_survives_without_anybody_having_read_it(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(print_text(b"unseen"))
        rpc.wait(vm)
    daemon.kill()
    with daemon.start().connect() as rpc:
        assert rpc.output(vm) == b"unseen"
        assert rpc.get(vm)["exit"]["reason"] == "halted"


def test_vms_that_are_lost_together_are_all_listed(start_daemon) -> None:
    daemon = start_daemon("--retain", "2")
    with daemon.connect() as rpc:
        vms = [rpc.start(SPIN) for _ in range(6)]
    kill_workers(daemon)
    with daemon.start().connect() as rpc:
        states = {record["id"]: record["state"] for record in rpc.call("vm.list", {"all": True})}
        assert states == {vm: "lost" for vm in vms}
