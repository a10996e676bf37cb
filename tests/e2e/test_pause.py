"""Pause and resume: of guests in any state, with nothing lost."""
import re
import time

import pytest

from harness.client import Client
from harness.images import (
    CRASH_SHOWN,
    HALT,
    JUMP_OUT_OF_MEMORY,
    KERNEL_MACHINE,
    PROGRAM_COUNTER,
    SPIN,
    SPIN_SHOWN,
    STREAM_ENDLESS,
    stream_bytes,
)
from harness.rpc import Connection
from harness.settings import GUESTS, SCALE
from harness.waiting import eventually

# A guest each that spins, waits in HLT, waits for input, polls for it, and prints.
GUESTS_IN_ANY_STATE = [
    ("spin.bin", "bare"),
    ("hltloop.bin", KERNEL_MACHINE),
    ("getchar.bin", "bare"),
    ("cat.bin", "bare"),
    ("flood-uart.bin", "bare"),
    ("flood-putchar.bin", "bare"),
    ("flood-write.bin", "bare"),
    ("flood-ring.bin", "bare"),
]


def pause(rpc: Connection, vm: int | str) -> dict:
    return rpc.call("vm.pause", {"vm": vm})


def resume(rpc: Connection, vm: int | str) -> dict:
    return rpc.call("vm.resume", {"vm": vm})


@pytest.mark.parametrize("guest, machine", GUESTS_IN_ANY_STATE)
def test_pause_holds_and_resume_lets_go(rpc: Connection, guest: str, machine: str) -> None:
    vm = rpc.start(GUESTS / guest, machine=machine)
    for _ in range(3):
        began = time.monotonic()
        record = pause(rpc, vm)
        assert time.monotonic() - began < 0.1 * SCALE * 5  # 0.1 s, on a machine with other work
        assert record["state"] == "paused"
        assert record["paused"]["registers"][PROGRAM_COUNTER].startswith("0x")
        before = rpc.get(vm)
        time.sleep(0.05)
        after = rpc.get(vm)
        for field in ("output", "exits"):
            assert after[field] == before[field], field
        assert abs(after["uptime_ns"] - before["uptime_ns"]) < 1_000_000
        assert resume(rpc, vm)["state"] == "running"
    rpc.stop(vm)


def test_nothing_printed_is_lost(rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS, ring=1 << 20)
    stream = rpc.attach(vm)
    for size in (1000, 50000, 100000):
        pause(rpc, vm)
        resume(rpc, vm)
        stream.read_until(lambda: len(stream.data) >= size)
    rpc.stop(vm)
    stream.read_to_end()
    assert not stream.gaps
    assert bytes(stream.data) == stream_bytes(0, len(stream.data))


def test_input_of_a_paused_guest_waits(rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "getchar.bin")
    pause(rpc, vm)
    rpc.call("vm.input", {"vm": vm, "data": "later", "encoding": "utf-8", "eof": True})
    time.sleep(0.05)
    assert rpc.get(vm)["output"]["next"] == 0
    resume(rpc, vm)
    assert rpc.wait(vm)["output"]["next"] == 5


def test_time_paused_counts_neither_as_run_time_nor_towards_the_timeout(rpc: Connection) -> None:
    vm = rpc.start(SPIN, timeout_ms=500)
    pause(rpc, vm)
    ran = rpc.get(vm)["uptime_ns"]
    time.sleep(0.7)
    record = rpc.get(vm)
    assert record["state"] == "paused" and abs(record["uptime_ns"] - ran) < 1_000_000
    assert record["paused_ns"] >= 600_000_000
    resume(rpc, vm)
    ended = rpc.wait(vm)
    assert ended["exit"]["reason"] == "timeout"
    assert 450_000_000 < ended["uptime_ns"] < 1_000_000_000 * SCALE
    assert ended["paused_ns"] >= 600_000_000


def test_both_may_be_asked_twice(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    assert resume(rpc, vm)["state"] == "running"
    assert pause(rpc, vm)["state"] == "paused"
    assert pause(rpc, vm)["state"] == "paused"
    assert resume(rpc, vm)["state"] == "running"


def test_many_wishes_at_once_are_all_answered(rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS)
    wishes = [("vm.pause", "paused"), ("vm.resume", "running")] * 50
    numbers = [(method, rpc.request(method, {"vm": vm})) for method, _ in wishes]
    for method, number in numbers:  # done, or told that it was overtaken by a later wish
        answer = rpc.answer(number)
        assert "result" in answer or answer["error"]["data"]["name"] == "wrong-state", method
    assert resume(rpc, vm)["state"] == "running"
    printed = rpc.get(vm)["output"]["next"]
    eventually(lambda: rpc.get(vm)["output"]["next"] > printed, "it to go on")


@pytest.mark.parametrize("guest, machine", GUESTS_IN_ANY_STATE[:4])
def test_paused_vm_can_be_stopped(rpc: Connection, guest: str, machine: str) -> None:
    vm = rpc.start(GUESTS / guest, machine=machine)
    pause(rpc, vm)
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"


def test_every_cpu_is_held(rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "spin.bin", machine=KERNEL_MACHINE, cpus=4)
    assert pause(rpc, vm)["state"] == "paused"
    assert resume(rpc, vm)["state"] == "running"
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"


def test_ended_vm_can_be_neither_paused_nor_resumed(rpc: Connection) -> None:
    vm = rpc.wait(rpc.start(HALT))["id"]
    for method in ("vm.pause", "vm.resume"):
        assert rpc.refused(method, {"vm": vm})["data"]["name"] == "wrong-state"


def test_events_tell_of_pauses(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    rpc.call("events.subscribe", {"vm": vm})
    pause(rpc, vm)
    resume(rpc, vm)
    states = [rpc.notification("vm.state")["state"] for _ in range(2)]
    assert states == ["paused", "running"]


# vmmctl.


def test_pause_and_resume_say_what_is(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(SPIN, name="lab")
    rpc.start(SPIN)
    paused = vmmctl("pause", "lab", 2)
    assert paused.returncode == 0
    assert paused.stdout == "VM 'lab' (1) is paused\nVM 'vm2' (2) is paused\n"
    assert rpc.get(2)["state"] == "paused"
    assert vmmctl("resume", "lab").stdout == "VM 'lab' (1) is running\n"
    assert '"state":"running"' in vmmctl("resume", "--json", 2).stdout
    assert vmmctl("pause", 99).returncode == 1


def test_status_shows_the_registers_of_a_paused_vm(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    refused = vmmctl("status", "--registers", vm)
    assert refused.returncode == 1 and f"vmmctl pause {vm}" in refused.stderr, refused
    pause(rpc, vm)
    shown = vmmctl("status", "--registers", vm).stdout
    for part in SPIN_SHOWN:
        assert re.search(part, shown, re.M), shown
    assert "registers" not in vmmctl("status", vm).stdout


def test_status_shows_the_instructions_of_a_vm_that_crashed(
    vmmctl: Client, rpc: Connection
) -> None:
    vm = rpc.start(GUESTS / "triplefault.bin")
    rpc.wait(vm)
    shown = vmmctl("status", vm).stdout
    assert re.search(CRASH_SHOWN, shown, re.M), shown
    outside = rpc.wait(rpc.start(JUMP_OUT_OF_MEMORY, memory=65536))["id"]
    assert vmmctl("status", "--registers", outside).returncode == 0
