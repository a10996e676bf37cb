"""Guests that each architecture has, to do the same: those that read, and those without an end."""
import pytest

from harness.images import KERNEL_MACHINE, TABLES
from harness.rpc import Connection
from harness.settings import GUESTS
from harness.waiting import eventually

FLOOD_LINE = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"


def test_times_tables_are_72_lines() -> None:
    assert TABLES.count(b"\n") == 72 and TABLES.startswith(b"2 x 1 = 2\n")
    assert TABLES.endswith(b"9 x 9 = 81\n")


@pytest.mark.parametrize(
    "guest, machine",
    [("getchar", "bare"), ("cat", "bare"), ("cat", KERNEL_MACHINE), ("cat-irq", KERNEL_MACHINE)],
)
def test_filters_copy_input_to_output(rpc: Connection, guest: str, machine: str) -> None:
    vm = rpc.start(GUESTS / f"{guest}.bin", machine=machine)
    stream = rpc.attach(vm)
    text = bytes(range(256)) * 4
    for part in (text[:1], text[1:600], text[600:]):
        rpc.give(vm, part)
        before = stream.position
        stream.read_until(lambda: stream.position == before + len(part))
    rpc.give(vm, b"the rest", eof=True)
    stream.read_to_end()
    assert bytes(stream.data) == text + b"the rest"
    assert (stream.exit["reason"], stream.exit["code"]) == ("guest-exit", 0)


@pytest.mark.parametrize("guest, machine", [("echo", "bare"), ("echo-irq", KERNEL_MACHINE)])
def test_echo_shows_what_is_typed_until_ctrl_d(
    rpc: Connection, guest: str, machine: str
) -> None:
    vm = rpc.start(GUESTS / f"{guest}.bin", machine=machine)
    stream = rpc.attach(vm)
    rpc.give(vm, b"one\rtwo")
    stream.read_until(lambda: stream.data == b"one\r\ntwo")
    rpc.give(vm, b"\x04not this")
    stream.read_to_end()
    assert stream.data == b"one\r\ntwo" and stream.exit["reason"] == "guest-exit"


@pytest.mark.parametrize("guest, machine", [("echo", "bare"), ("echo-irq", KERNEL_MACHINE)])
def test_echo_ends_at_the_end_of_input(rpc: Connection, guest: str, machine: str) -> None:
    vm = rpc.start(GUESTS / f"{guest}.bin", machine=machine)
    rpc.give(vm, b"", eof=True)
    assert rpc.wait(vm)["exit"]["reason"] == "guest-exit"


def test_spin_makes_no_exit_of_its_own(rpc: Connection) -> None:
    record = rpc.run(GUESTS / "spin.bin", timeout_ms=200)
    assert record["exit"]["reason"] == "timeout"
    assert set(rpc.stats_of(record)["exits"]["by_reason"]) <= {"intr"}


@pytest.mark.parametrize("way", ["uart", "putchar", "write", "ring"])
def test_flood_prints_lines_until_it_is_stopped(rpc: Connection, way: str) -> None:
    vm = rpc.start(GUESTS / f"flood-{way}.bin")
    eventually(lambda: rpc.get(vm)["output"]["next"] >= 1000 * len(FLOOD_LINE), "the output")
    first = rpc.stop(vm)["output"]["first"]
    printed = rpc.output(vm)
    skip = first % len(FLOOD_LINE)
    lines = FLOOD_LINE * (len(printed) // len(FLOOD_LINE) + 2)
    assert printed == lines[skip : skip + len(printed)]
