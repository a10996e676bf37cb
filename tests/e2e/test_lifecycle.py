"""A VM's life: names, states, ways to end it, who is told, what is kept."""
import os
import re
import signal
import time

import pytest

from harness.daemon import Daemon
from harness.images import (
    HALT,
    HALT_FOR_EVER,
    HELLO_SIZE,
    KERNEL_MACHINE,
    MODE,
    PRINT_THEN_SPIN,
    SPIN,
    print_text,
    stream_of,
)
from harness.rpc import Connection, as_data, wrong_parameter
from harness.settings import GUESTS, SANITIZED, SCALE
from harness.waiting import eventually
from harness.workers import started_workers

OWN = {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()}
IMAGE = as_data(SPIN)


# Records.


def test_start_answers_with_a_vm_that_runs(rpc: Connection) -> None:
    started = rpc.call("vm.start", {"image": IMAGE, "name": "lab"})
    assert started == {"id": 1, "name": "lab", "state": "running"}


def test_record_tells_what_was_asked_for(rpc: Connection) -> None:
    started = time.time()
    vm = rpc.start(GUESTS / "hello.bin", name="lab", memory=100_000, ring=5000)
    record = rpc.wait(vm)
    expected = {
        "id": vm,
        "name": "lab",
        "state": "exited",
        "owner": OWN,
        "image": "hello.bin",
        "image_size": HELLO_SIZE,
        "format": "flat",
        "mode": MODE,
        "memory": 25 * 4096,  # whole pages
        "output": {"first": 0, "next": 12, "capacity": 8192},
    }
    assert {key: record[key] for key in expected} == expected
    times = [record[key] for key in ("created", "started", "ended")]
    assert times == sorted(times)
    for text in times:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    assert times[0] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(started - 1))
    assert 0 < record["uptime_ns"] < (time.time() - started + 1) * 1e9


def test_record_of_a_live_vm_has_no_end(rpc: Connection) -> None:
    record = rpc.get(rpc.start(SPIN))
    assert (record["state"], record["exit"], record["ended"]) == ("running", None, None)
    later = rpc.get(record["id"])
    assert later["uptime_ns"] > record["uptime_ns"]


def test_list_shows_live_vms_or_all_oldest_first(rpc: Connection) -> None:
    spinning, halted, other = rpc.start(SPIN), rpc.start(HALT), rpc.start(SPIN)
    rpc.wait(halted)
    assert [record["id"] for record in rpc.call("vm.list")] == [spinning, other]
    assert [record["id"] for record in rpc.call("vm.list", {"all": True})] == [1, 2, 3]
    assert rpc.call("vm.list", {"all": True})[1] == rpc.get(halted)


def test_list_of_nothing_is_empty(rpc: Connection) -> None:
    assert rpc.call("vm.list", {"all": True}) == []


# Names and references.


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "1st", "x" * 64, "vm1"])
def test_valid_names_are_taken(rpc: Connection, name: str) -> None:
    assert rpc.get(rpc.start(SPIN, name=name))["name"] == name
    assert rpc.get(name)["id"] == 1


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "_a", "a b", "a/b", "é", "x" * 65, "12", "a\n", "a\0", 5, None, True]
)
def test_invalid_names_are_refused(rpc: Connection, name: object) -> None:
    error = rpc.refused("vm.start", {"image": IMAGE, "name": name})
    assert error["data"] == wrong_parameter("name", name)
    assert rpc.call("vm.list", {"all": True}) == []


def test_vm_without_name_is_called_by_its_id(rpc: Connection) -> None:
    rpc.start(SPIN, name="other")
    assert rpc.get(rpc.start(SPIN))["name"] == "vm2"


def test_given_name_that_is_taken_becomes_another(rpc: Connection) -> None:
    rpc.start(SPIN, name="vm2")
    name = rpc.get(rpc.start(SPIN))["name"]
    assert name != "vm2" and rpc.get(name)["id"] == 2


def test_live_name_is_taken_and_free_again_after_the_end(rpc: Connection) -> None:
    first = rpc.start(SPIN, name="lab")
    error = rpc.refused("vm.start", {"image": IMAGE, "name": "lab"})
    assert error["data"]["name"] == "name-taken"
    assert (error["data"]["parameter"], error["data"]["value"]) == ("name", "lab")
    rpc.stop(first)
    second = rpc.start(SPIN, name="lab")
    assert rpc.get("lab")["id"] == second != first


def test_name_means_the_live_vm_or_else_the_latest(rpc: Connection) -> None:
    first = rpc.start(SPIN, name="lab")
    rpc.stop(first)
    second = rpc.start(SPIN, name="lab")
    assert rpc.get("lab")["id"] == second
    rpc.stop(second)
    assert rpc.get("lab")["id"] == second
    rpc.call("vm.remove", {"vm": "lab"})
    assert rpc.get("lab")["id"] == first


@pytest.mark.parametrize("method", ["vm.get", "vm.stats", "vm.wait", "vm.stop", "vm.output"])
def test_vm_goes_by_id_digits_or_name(rpc: Connection, method: str) -> None:
    vm = rpc.start(HALT, name="lab")
    rpc.wait(vm)
    answers = [rpc.call(method, {"vm": reference}) for reference in (vm, str(vm), "lab")]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    "method",
    ["vm.get", "vm.stats", "vm.wait", "vm.stop", "vm.output", "vm.attach", "vm.remove"]
    + ["events.subscribe"],
)
@pytest.mark.parametrize("reference", [0, 2, "2", "nobody", "", 2**63, 2**64 - 1, "9" * 99])
def test_vm_that_does_not_exist_is_named(
    rpc: Connection, method: str, reference: int | str
) -> None:
    rpc.start(SPIN)
    error = rpc.refused(method, {"vm": reference})
    assert error["data"]["name"] == "vm-not-found", error
    assert (error["data"]["parameter"], error["data"]["value"]) == ("vm", reference)


@pytest.mark.parametrize("reference", [-1, 1.0, None, True, [1], {"id": 1}])
def test_what_cannot_be_a_vm_is_refused(rpc: Connection, reference: object) -> None:
    rpc.start(SPIN)
    error = rpc.refused("vm.get", {"vm": reference})
    assert error["data"] == wrong_parameter("vm", reference)


# Stopping.


def test_stop_ends_an_endless_guest_and_records_who_asked(rpc: Connection) -> None:
    record = rpc.stop(rpc.start(SPIN))
    assert (record["state"], record["exit"]["reason"]) == ("exited", "stopped")
    assert record["exit"]["by"] == OWN and record["exit"]["code"] is None
    assert str(OWN["pid"]) in record["exit"]["message"]


def test_forced_stop_is_recorded_as_killed(rpc: Connection) -> None:
    record = rpc.stop(rpc.start(SPIN), force=True)
    assert (record["exit"]["reason"], record["exit"]["by"]) == ("killed", OWN)


def test_stop_keeps_what_was_printed(rpc: Connection) -> None:
    """Even at once: what KVM had gathered by then is in the output."""
    vm = rpc.start(stream_of(3000, then=SPIN))
    eventually(lambda: rpc.get(vm)["output"]["next"] == 3000, "3000 bytes")
    rpc.stop(vm)
    assert len(rpc.output(vm)) == 3000


def test_stop_of_an_ended_vm_changes_nothing(rpc: Connection) -> None:
    vm = rpc.start(HALT)
    record = rpc.wait(vm)
    assert rpc.stop(vm, force=True) == record == rpc.get(vm)


def test_first_stop_counts_and_all_are_answered(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    numbers = [rpc.request("vm.stop", {"vm": vm, "force": force}) for force in (False, True, True)]
    records = [rpc.result("vm.stop", number) for number in numbers]
    assert [record["exit"]["reason"] for record in records] == ["stopped"] * 3


def test_many_endless_guests_stop_together(rpc: Connection) -> None:
    vms = [rpc.start(SPIN) for _ in range(20)]
    numbers = [rpc.request("vm.stop", {"vm": vm}) for vm in vms]
    for number in numbers:
        assert rpc.result("vm.stop", number)["exit"]["reason"] == "stopped"
    assert rpc.call("vm.list") == []


def test_stop_and_attach_race_with_the_start(rpc: Connection) -> None:
    """Requests sent before the start is answered, by the name it will have."""
    for number in range(20):
        start = rpc.request("vm.start", {"image": IMAGE, "name": f"lab{number}"})
        stop = rpc.request("vm.stop", {"vm": f"lab{number}"})
        record = rpc.result("vm.stop", stop)
        assert record["exit"]["reason"] == "stopped"
        rpc.answer(start)


def test_start_whose_worker_dies_is_an_error_and_its_vm_is_lost(rpc: Connection) -> None:
    eventually(
        lambda: all(worker["version"] for worker in rpc.call("daemon.workers")), "their greetings"
    )
    workers = [worker["pid"] for worker in started_workers(rpc)]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    number = rpc.request("vm.start", {"image": IMAGE, "name": "early"})
    assert rpc.get("early")["state"] == "starting"
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    error = rpc.answer(number)["error"]
    assert "cannot start VM 'early'" in error["message"] and "signal 9" in error["message"]
    assert rpc.get(error["data"]["vm"])["state"] == "lost"


# Halting.


def test_guest_that_halts_for_good_on_a_pc_has_halted(rpc: Connection) -> None:
    vm = rpc.start(HALT_FOR_EVER, machine=KERNEL_MACHINE)
    record = rpc.wait(vm)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "halted")


def test_guest_that_halts_until_an_interrupt_goes_on(rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "hltloop.bin", machine=KERNEL_MACHINE)
    rpc.refused("vm.wait", {"vm": vm, "timeout_ms": 1000})  # it is asked a few times meanwhile
    assert rpc.get(vm)["state"] == "running"
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"


# Timeouts.


def test_timeout_ends_an_endless_guest(rpc: Connection) -> None:
    timeout_ms = 50 * SCALE  # enough to print
    vm = rpc.start(PRINT_THEN_SPIN, timeout_ms=timeout_ms)
    record = rpc.wait(vm)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "timeout")
    assert f"{timeout_ms} ms" in record["exit"]["message"] and "by" not in record["exit"]
    assert record["uptime_ns"] >= timeout_ms * 0.9e6, "not much too early"
    assert rpc.output(vm) == b"AB"


def test_timeout_does_not_touch_who_ends_before(rpc: Connection) -> None:
    assert rpc.run(print_text(b"done"), timeout_ms=60_000)["exit"]["reason"] == "halted"


@pytest.mark.parametrize("value", [-1, 1.5, "1s", 2**64 - 1, None])
def test_wrong_timeouts_are_refused(rpc: Connection, value: object) -> None:
    error = rpc.refused("vm.start", {"image": IMAGE, "timeout_ms": value})
    assert error["data"] == wrong_parameter("timeout_ms", value)


# Waiting.


def test_wait_answers_when_the_vm_ends(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    number = rpc.request("vm.wait", {"vm": vm})
    rpc.ping()  # other requests are answered meanwhile
    with daemon.connect() as other:
        other.stop(vm)
    assert rpc.result("vm.wait", number)["exit"]["reason"] == "stopped"


def test_wait_for_what_has_ended_answers_at_once(rpc: Connection) -> None:
    vm = rpc.start(HALT)
    assert rpc.wait(vm) == rpc.wait(vm) == rpc.get(vm)
    assert rpc.call("vm.wait", {"vm": vm, "timeout_ms": 0}) == rpc.get(vm)


def test_wait_gives_up_after_its_timeout(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    for timeout_ms in (0, 20):
        error = rpc.refused("vm.wait", {"vm": vm, "timeout_ms": timeout_ms})
        assert error["data"]["name"] == "timed-out"
    assert rpc.get(vm)["state"] == "running"


# Removing and retiring.


def test_live_vm_cannot_be_removed(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    assert rpc.refused("vm.remove", {"vm": vm})["data"]["name"] == "wrong-state"
    assert rpc.get(vm)["state"] == "running"


def test_removed_vm_is_gone_and_its_file_too(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(HALT)
    rpc.wait(vm)
    assert len(list(daemon.state_dir.glob("*.vm"))) == 1
    assert rpc.call("vm.remove", {"vm": vm}) == {}
    assert rpc.refused("vm.get", {"vm": vm})["data"]["name"] == "vm-not-found"
    assert rpc.call("vm.list", {"all": True}) == []
    eventually(lambda: not list(daemon.state_dir.glob("*.vm")), "the state file to go")


def test_last_ended_vms_are_retained(start_daemon) -> None:
    with start_daemon("--set", "retain=3").connect() as rpc:
        spinning = rpc.start(SPIN)
        ended = [rpc.start(HALT) for _ in range(5)]
        eventually(lambda: rpc.call("daemon.info")["counts"]["vms_live"] == 1, "five to halt")
        kept = [record["id"] for record in rpc.call("vm.list", {"all": True})]
        assert len(kept) == 4 and kept[0] == spinning and set(kept[1:]) < set(ended)
        assert rpc.call("daemon.info")["counts"]["vms_ended"] == 3


def test_vm_that_is_retired_at_once_still_gives_all_it_had(start_daemon) -> None:
    with start_daemon("--retain", "0").connect() as rpc:
        vm = rpc.start(stream_of(60000, then=SPIN))
        stream = rpc.attach(vm)
        wait = rpc.request("vm.wait", {"vm": vm})
        eventually(lambda: rpc.get(vm)["output"]["next"] == 60000, "60000 bytes")
        assert rpc.stop(vm)["exit"]["reason"] == "stopped"
        assert rpc.result("vm.wait", wait)["exit"]["reason"] == "stopped"
        assert len(stream.read_to_end().data) == 60000
        assert rpc.refused("vm.get", {"vm": vm})["data"]["name"] == "vm-not-found"


# Limits.


def test_live_vms_are_limited(start_daemon) -> None:
    with start_daemon("--set", "max-vms=2").connect() as rpc:
        first, _ = rpc.start(SPIN), rpc.start(SPIN)
        error = rpc.refused("vm.start", {"image": IMAGE})
        assert error["data"]["name"] == "limit-reached" and "max-vms" in error["message"]
        rpc.stop(first)
        assert rpc.start(HALT) > first


def test_memory_over_the_limit_is_refused(start_daemon) -> None:
    with start_daemon("--max-memory", "2097152").connect() as rpc:
        error = rpc.refused("vm.start", {"image": IMAGE, "memory": 2097153})
        assert error["data"]["name"] == "limit-reached" and "max-memory" in error["message"]
        assert rpc.get(rpc.start(SPIN, memory=2097152))["memory"] == 2097152


def test_memory_under_the_minimum_is_refused(rpc: Connection) -> None:
    error = rpc.refused("vm.start", {"image": IMAGE, "memory": 65535})
    assert error["data"] == wrong_parameter("memory", 65535)


def test_configured_memory_and_ring_are_the_default(start_daemon) -> None:
    with start_daemon("--memory", "131072", "--ring", "8192").connect() as rpc:
        record = rpc.get(rpc.start(SPIN))
        assert (record["memory"], record["output"]["capacity"]) == (131072, 8192)


def test_hundreds_of_vms_come_and_go_and_leave_no_descriptor(
    daemon: Daemon, rpc: Connection
) -> None:
    rpc.run(GUESTS / "hello.bin")
    before = daemon.open_descriptors()
    for _ in range(10):
        image = as_data(HALT)
        numbers = [rpc.request("vm.start", {"image": image}) for _ in range(20)]
        for number in numbers:
            rpc.wait(rpc.result("vm.start", number)["id"])
    eventually(lambda: daemon.open_descriptors() <= before, "as few descriptors as before")


def test_hundreds_of_endless_guests_leave_the_daemon_quick_to_answer(rpc: Connection) -> None:
    count = 50 if SANITIZED else 300
    image = as_data(PRINT_THEN_SPIN)
    for number in [rpc.request("vm.start", {"image": image}) for _ in range(count)]:
        rpc.result("vm.start", number, seconds=50)
    assert len(rpc.call("vm.list", seconds=2)) == count
    assert rpc.call("vm.stop", [count // 2], seconds=5)["exit"]["reason"] == "stopped"
    for vm in (1, count):
        stream = rpc.attach(vm)
        stream.read_until(lambda: stream.data == b"AB", seconds=20)
