"""Workers that lie, and news that comes in an order that only a busy machine brings about.

A worker that its guest has taken over harms the VMs of its own user, and nobody else.
"""
import ctypes
import os
import signal
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from harness import hostile_worker
from harness.daemon import Daemon
from harness.hostile_worker import Behaviour, HostileWorker, replace_worker, write_live
from harness.images import SPIN
from harness.rpc import Connection
from harness.waiting import Deadline, eventually

PR_SET_PDEATHSIG = 1

TakeOver = Callable[..., Connection]


def leave_it(_: Daemon) -> None:
    """Leaves the VM's file as the worker left it."""


@pytest.fixture
def take_over(daemon: Daemon) -> Iterator[TakeOver]:
    """Starts VM 1, which spins, and puts a hostile worker in its worker's place, after `prepare`; a
    connection to the next daemon."""
    hostile: list[HostileWorker] = []
    connections: list[Connection] = []

    def take(behaviour: Behaviour, prepare: Callable[[Daemon], None] = leave_it) -> Connection:
        with daemon.connect() as rpc:
            assert rpc.start(SPIN, name="victim") == 1
        hostile.append(replace_worker(daemon, behaviour))
        prepare(daemon)
        connections.append(daemon.start().connect())
        return connections[-1]

    yield take
    for connection in connections:
        connection.close()
    for worker in hostile:
        worker.finish()


def wait_for_state(rpc: Connection, state: str) -> None:
    eventually(lambda: rpc.get(1)["state"] == state, f"state '{state}'")


def vms_of_worker(rpc: Connection, vm: int) -> list[int]:
    """All VMs of the worker that has this one."""
    lists = [worker["vms"] for worker in rpc.call("daemon.workers") if vm in worker["vms"]]
    return lists[0] if lists else []


# Between two daemons.


def test_start_that_two_daemons_see_comes_to_its_end(take_over: TakeOver) -> None:
    def start_slowly(worker: HostileWorker) -> None:
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.STARTING)
        time.sleep(0.5)  # the daemon has heard that
        write_live(worker.daemon, 1, "=I", 0, hostile_worker.FILE_RUNNING)
        worker.tell(0, hostile_worker.NEWS_RUNNING)
        worker.stay()

    def be_starting(daemon: Daemon) -> None:
        write_live(daemon, 1, "=I", 0, hostile_worker.FILE_STARTING)

    rpc = take_over(start_slowly, be_starting)
    wait_for_state(rpc, "running")


def test_pause_that_an_earlier_daemon_asked_for_can_be_ended(take_over: TakeOver) -> None:
    def stand_late(worker: HostileWorker) -> None:
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.RUNNING)
        time.sleep(0.5)
        worker.change(1, 0, hostile_worker.FILE_PAUSED)
        worker.obey(1, 0)

    rpc = take_over(stand_late)
    wait_for_state(rpc, "paused")
    assert rpc.call("vm.resume", {"vm": 1})["state"] == "running"
    assert rpc.call("vm.pause", {"vm": 1})["state"] == "paused"


def test_resume_that_an_earlier_daemon_asked_for_leaves_pausing_possible(
    take_over: TakeOver,
) -> None:
    def go_on_late(worker: HostileWorker) -> None:
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.PAUSED)
        time.sleep(0.5)
        worker.change(1, 0, hostile_worker.FILE_RUNNING)
        worker.obey(1, 0)

    def be_paused(daemon: Daemon) -> None:
        write_live(daemon, 1, "=I", 0, hostile_worker.FILE_PAUSED)

    rpc = take_over(go_on_late, be_paused)
    wait_for_state(rpc, "running")
    assert rpc.call("vm.pause", {"vm": 1})["state"] == "paused"
    assert rpc.call("vm.resume", {"vm": 1})["state"] == "running"


def test_vm_that_was_forgotten_while_it_was_taken_down_ends_no_other(take_over: TakeOver) -> None:
    def have_another(worker: HostileWorker) -> None:
        worker.greet(reports=2)
        worker.report(1, 0, hostile_worker.RUNNING)
        worker.report(777, 1, hostile_worker.ENDED)
        worker.refuse_start()
        worker.tell(1, hostile_worker.NEWS_GONE)
        worker.refuse_start()
        worker.stay()

    rpc = take_over(have_another)
    time.sleep(0.5)  # by then it has reported; before that, another worker is given the VM
    assert "slot 2" in rpc.refused("vm.start", {"image": {"data": "9A=="}})["message"]
    time.sleep(0.2)  # by then it has told that the slot is free
    assert "slot 1" in rpc.refused("vm.start", {"image": {"data": "9A=="}})["message"]
    assert rpc.get(1)["state"] == "running"


def test_end_that_is_told_before_the_report_frees_the_slot(take_over: TakeOver) -> None:
    def end_early(worker: HostileWorker) -> None:
        worker.tell(0, hostile_worker.NEWS_ENDED | hostile_worker.NEWS_GONE)
        time.sleep(0.2)
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.ENDED)
        worker.stay()

    rpc = take_over(end_early)
    wait_for_state(rpc, "failed")
    time.sleep(0.5)
    assert vms_of_worker(rpc, 1) == []


# What a worker may try.


def test_worker_that_says_there_is_no_kvm_keeps_no_daemon_from_starting(
    take_over: TakeOver,
) -> None:
    def deny(worker: HostileWorker) -> None:
        worker.greet(reports=1, kvm_error=19, error=b"there is no KVM, I say")
        worker.report(1, 0, hostile_worker.RUNNING)
        worker.stay()

    rpc = take_over(deny)
    assert rpc.call("daemon.info")["kvm"]["capabilities"]["user_memory"] == 1


def test_bell_that_blocks_does_not_hold_up_the_daemon(take_over: TakeOver) -> None:
    def take_back(worker: HostileWorker) -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        while True:
            os.read(worker.bell, 8)

    def ring_and_take_back(worker: HostileWorker) -> None:
        worker.set_blocking(worker.bell)
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.RUNNING)
        if os.fork() == 0:
            take_back(worker)
        deadline = Deadline(4)
        while not deadline.passed:
            worker.tell(0, hostile_worker.NEWS_OUTPUT)
        worker.stay()

    rpc = take_over(ring_and_take_back)
    deadline = Deadline(4.5)
    while not deadline.passed:
        rpc.ping()


def test_call_that_blocks_does_not_hold_up_the_daemon(take_over: TakeOver) -> None:
    def fill_the_counter(worker: HostileWorker) -> None:
        worker.set_blocking(worker.call)
        try:
            os.write(worker.call, struct.pack("=Q", 2**64 - 2))
        except OSError:  # it is none that could be filled so
            pass
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.RUNNING)
        worker.stay()

    rpc = take_over(fill_the_counter)
    wait_for_state(rpc, "running")
    for _ in range(3):
        rpc.input(1, b"x")
    rpc.ping()


def test_news_without_end_is_one_line_in_the_log(take_over: TakeOver, daemon: Daemon) -> None:
    def insist(worker: HostileWorker) -> None:
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.STARTING)
        for _ in range(200):
            worker.tell(0, hostile_worker.NEWS_RUNNING)
            time.sleep(0.002)
        worker.stay()

    def damage(daemon: Daemon) -> None:
        with (daemon.state_dir / "1.vm").open("r+b") as file:
            file.write(b"nonsense")

    rpc = take_over(insist, damage)
    time.sleep(1)
    rpc.ping()
    assert daemon.log_text().count("cannot use its file") == 1


def test_messages_about_others_are_one_line_in_the_log(take_over: TakeOver, daemon: Daemon) -> None:
    def refuse_many(worker: HostileWorker) -> None:
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.RUNNING)
        for number in range(100):
            worker.refuse(1000 + number, 0, b"no")
        worker.stay()

    rpc = take_over(refuse_many)
    wait_for_state(rpc, "lost")
    assert daemon.log_text().count("tells of VM") == 1


@pytest.mark.parametrize("started, stands, stood", [
    (-(2**63), -(2**63), 2**64 - 1),
    (2**63 - 1, 1, 2**63),
    (1, 2**63 - 1, 0),
])
def test_times_that_cannot_be_are_no_times(
    take_over: TakeOver, started: int, stands: int, stood: int
) -> None:
    def idle(worker: HostileWorker) -> None:
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.RUNNING)
        worker.stay()

    def distort(daemon: Daemon) -> None:
        write_live(daemon, 1, "=qqQ", 8, started, stands, stood)

    rpc = take_over(idle, distort)
    record = rpc.get(1)
    assert 0 <= record["uptime_ns"] < 2**63
    assert 0 <= record["paused_ns"] < 2**63


@pytest.mark.parametrize("end", [2**64 - 1, 2**63])
def test_stream_of_a_ring_that_makes_no_sense_comes_to_its_end(
    take_over: TakeOver, end: int
) -> None:
    def distort(worker: HostileWorker) -> None:
        worker.greet(reports=1)
        worker.report(1, 0, hostile_worker.RUNNING)
        kind, _ = worker.receive()
        while kind != hostile_worker.END:
            kind, _ = worker.receive()
        write_live(worker.daemon, 1, "=Q", hostile_worker.RING_END_OFFSET, end)
        worker.tell(0, hostile_worker.NEWS_ENDED | hostile_worker.NEWS_GONE)
        worker.stay()

    rpc = take_over(distort)
    stream = rpc.attach(1)
    assert rpc.stop(1)["state"] == "failed"
    stream.read_to_end()
    assert rpc.attach(1).read_to_end().exit
