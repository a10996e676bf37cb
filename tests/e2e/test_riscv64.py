"""riscv64's guests and the machine around them: what test_guests.py and test_machine.py are for x86."""
from typing import Any, NamedTuple

import pytest

from harness.images import (
    A0,
    A1,
    A2,
    DBCN,
    EXIT,
    HALT,
    JUMP_OUT_OF_MEMORY,
    MEMORY,
    S1,
    SPIN,
    SRST,
    TABLES,
    TRIPLE_FAULT,
    address_of,
    call,
    code,
    exit_code,
    hypercall,
    li,
    mv,
    print_number,
    print_results,
    start_hart,
    stream_bytes,
    stream_of,
)
from harness.rpc import Connection, RpcError
from harness.settings import GUESTS
from harness.waiting import eventually

NOT_SUPPORTED, INVALID = 2, 3  # errors of the SBI, their signs turned


class Guest(NamedTuple):
    file: str
    printed: bytes
    mmio: int  # exits without coalescing, as its source says
    calls: int
    reason: str = "guest-exit"
    code: int | None = 0


EVERY_GUEST = pytest.mark.parametrize(
    "guest",
    [
        Guest("minimal.bin", b"", 1, 0),
        Guest("hello.bin", b"Hello, KVM!\n", 13, 0),
        Guest("counter.bin", b"0123456789", 11, 0),
        Guest("hctest.bin", b"Hello!\n42\n1234\n", 0, 12),
        Guest("multiplication.bin", TABLES, 0, 721),
        Guest("multiplication-write.bin", TABLES, 0, 73),
        Guest("multiplication-ring.bin", TABLES, 0, 2),
        Guest("exitcode.bin", b"", 0, 1, code=42),
        Guest("triplefault.bin", b"!", 1, 0, "shutdown", None),
    ],
    ids=lambda guest: guest.file,
)


def numbers(record: dict) -> list[int]:
    return [int(line) for line in record["data"].split()]


# The guests.


@pytest.mark.parametrize("coalesce", [True, False], ids=["coalesced", "exact"])
@EVERY_GUEST
def test_guest_prints_every_byte(rpc: Connection, guest: Guest, coalesce: bool) -> None:
    record = rpc.run(GUESTS / guest.file, coalesce=coalesce)
    assert record["data"] == guest.printed
    assert (record["exit"]["reason"], record["exit"]["code"]) == (guest.reason, guest.code)
    assert (record["mode"], record["machine"]) == ("supervisor", "bare")


@EVERY_GUEST
def test_exits_are_exact_without_coalescing(rpc: Connection, guest: Guest) -> None:
    stats = rpc.stats_of(rpc.run(GUESTS / guest.file, coalesce=False))
    by_reason = stats["exits"]["by_reason"]
    by_reason.pop("intr", None)  # the VMM's own
    expected = {"mmio": guest.mmio, "riscv_sbi": guest.calls}
    assert by_reason == {key: count for key, count in expected.items() if count}
    assert all(row["handled"] for row in stats["io"])


@pytest.mark.parametrize("guest", ["cat-irq", "echo-irq", "hltloop"])
def test_a_wait_for_interrupts_makes_no_exits(rpc: Connection, guest: str) -> None:
    record = rpc.run(GUESTS / f"{guest}.bin", machine="virt", timeout_ms=1000)
    assert record["exit"]["reason"] == "timeout"
    assert rpc.stats_of(record)["exits"]["by_reason"].get("mmio", 0) < 40, "to make it ready, and at each look"


def test_coalescing_saves_exits_and_nothing_else(rpc: Connection) -> None:
    record = rpc.run(stream_of(10000, then=EXIT))
    stats = rpc.stats_of(record)
    assert record["data"] == stream_bytes(0, 10000)
    assert record["exits"] < 5000, "most bytes should cost no exit"
    written = sum(row["count"] for row in stats["io"] if row["address"] == 0x10000000)
    assert written + stats["coalesced"] == 10000


# Entry.


@pytest.mark.parametrize("load", [MEMORY, MEMORY + 0x20000])
def test_entry_state_is_what_the_abi_says(rpc: Connection, load: int) -> None:
    image = (
        mv(S1, A1)
        + hypercall(2)  # prints a0
        + hypercall(3)
        + print_number(S1)
        + print_number(2)  # sp
        + code("f3 24 00 18 ; csrr s1, satp")
        + print_number(S1)
        + code("f3 24 40 10 ; csrr s1, sie")
        + print_number(S1)
        + EXIT
    )
    record = rpc.run(image, load=load)
    assert numbers(record) == [0, 0, MEMORY + 0x100000 - 0x10000, 0, 0]


def test_virt_hands_over_a_device_tree(rpc: Connection) -> None:
    image = code("83 a4 05 00 ; lw s1, (a1)") + print_number(S1) + EXIT
    (magic,) = numbers(rpc.run(image, machine="virt"))
    assert magic & 0xFFFFFFFF == 0xEDFE0DD0  # big-endian: Devicetree Specification, "Header"


def test_image_that_reaches_into_the_device_tree_is_refused(rpc: Connection) -> None:
    image = SPIN.ljust(0x18000, b"x")
    with pytest.raises(RpcError) as refusal:
        rpc.start(image, machine="virt", memory=0x20000)
    assert "where the device tree goes" in refusal.value.error["message"]
    rpc.stop(rpc.start(image, machine="bare", memory=0x20000))


@pytest.mark.parametrize(
    "params", [{"mode": "real"}, {"machine": "pc"}, {"format": "multiboot"}, {"cpus": 2}]
)
def test_what_only_others_have_is_refused_by_name(rpc: Connection, params: dict) -> None:
    with pytest.raises(RpcError) as refusal:
        rpc.start(SPIN, **params)
    assert refusal.value.error["data"]["parameter"] == next(iter(params))


# Calls.


def test_abi_version_is_told(rpc: Connection) -> None:
    assert numbers(rpc.run(hypercall(0x100) + print_results() + EXIT)) == [0, 2]


@pytest.mark.parametrize("number", [0x0A, 0xFF, 0x101, 0x7FFFF000])
def test_unknown_hypercalls_are_not_supported(rpc: Connection, number: int) -> None:
    assert numbers(rpc.run(hypercall(number) + print_results() + EXIT)) == [NOT_SUPPORTED, 0]


@pytest.mark.parametrize("number", [5, 6, 8])
@pytest.mark.parametrize("address", [0, 0x1000, 0x7FFFFFFF])
def test_buffers_outside_memory_are_refused(rpc: Connection, number: int, address: int) -> None:
    image = li(A0, address) + li(A1, 16) + hypercall(number) + print_results() + EXIT
    assert numbers(rpc.run(image)) == [INVALID, 0]


def test_a_write_is_taken_up_to_64_kib(rpc: Connection) -> None:
    image = address_of(A0, 0) + li(A1, 0x20000) + hypercall(5) + print_results() + EXIT
    assert rpc.run(image)["data"].endswith(b"\n0\n65536\n"[1:])


def test_debug_console_prints_and_reads(rpc: Connection) -> None:
    text = b"by DBCN\n"
    rest = li(A0, len(text)) + li(A2, 0) + call(DBCN, 0) + print_results()
    rest += li(A0, ord("!")) + call(DBCN, 2) + EXIT
    vm = rpc.start(address_of(A1, 8 + len(rest)) + rest + text)
    rpc.wait(vm)
    assert rpc.output(vm) == b"by DBCN\n0\n8\n!"


@pytest.mark.parametrize("above", [0, 1])
def test_debug_console_refuses_what_is_no_memory(rpc: Connection, above: int) -> None:
    image = address_of(A1, 0 if above else 0x7FF) + li(A0, 0x7FFFFFFF) + li(A2, above)
    assert numbers(rpc.run(image + call(DBCN, 1) + print_results() + EXIT))[0] in (0, INVALID)
    image = li(A1, 0x1000) + li(A0, 4) + li(A2, above) + call(DBCN, 0) + print_results() + EXIT
    assert numbers(rpc.run(image)) == [INVALID, 0]


@pytest.mark.parametrize(
    "kind, reason, code_, word", [(0, 0, 0, "shut"), (0, 1, 1, "failed"), (1, 0, 0, "reset")]
)
def test_system_reset_ends_the_vm(
    rpc: Connection, kind: int, reason: int, code_: int, word: str
) -> None:
    record = rpc.run(li(A0, kind) + li(A1, reason) + call(SRST, 0) + SPIN)
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", code_)
    assert word in record["exit"]["message"]


@pytest.mark.parametrize(
    "value, code_", [(0x5555, 0), (0x3333, 0), (42 << 16 | 0x3333, 42), (0x7777, 0)]
)
@pytest.mark.parametrize("machine", ["bare", "virt"])
def test_finisher_ends_the_vm(rpc: Connection, machine: str, value: int, code_: int) -> None:
    image = li(5, 0x100000) + li(6, value) + code("23 a0 62 00 ; sw t1, (t0)") + SPIN
    record = rpc.run(image, machine=machine)
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", code_)


# Endings.


def test_waiting_for_no_interrupt_halts(rpc: Connection) -> None:
    record = rpc.run(HALT)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "halted")


def test_trap_without_a_handler_is_a_shutdown(rpc: Connection) -> None:
    record = rpc.run(TRIPLE_FAULT)
    assert (record["data"], record["exit"]["reason"]) == (b"!", "shutdown")
    registers = {name: int(value, 16) for name, value in record["exit"]["registers"].items()}
    assert registers["pc"] == 0
    # the last trap is that of the fetch; or of UNIMP, where KVM gave up at the fetch
    assert (registers["sepc"], registers["scause"]) in ((0, 1), (MEMORY + 16, 2))


def test_what_kvm_gives_up_on_fails_with_registers(rpc: Connection) -> None:
    record = rpc.run(JUMP_OUT_OF_MEMORY)
    assert (record["state"], record["exit"]["reason"]) == ("failed", "error")
    assert int(record["exit"]["registers"]["pc"], 16) == MEMORY + 4
    instructions = record["exit"]["instructions"]
    assert bytes.fromhex(instructions["bytes"]).startswith(JUMP_OUT_OF_MEMORY[4:])


@pytest.mark.parametrize(
    "image", [SPIN, GUESTS / "hltloop.bin", GUESTS / "getchar.bin", GUESTS / "cat.bin"]
)
def test_guest_is_paused_resumed_and_stopped(rpc: Connection, image: Any) -> None:
    vm = rpc.start(image)
    paused = rpc.call("vm.pause", {"vm": vm})
    assert paused["state"] == "paused" and "pc" in paused["paused"]["registers"]
    assert rpc.call("vm.resume", {"vm": vm})["state"] == "running"
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"


def test_paused_record_tells_where_the_guest_stands(rpc: Connection) -> None:
    vm = rpc.start(li(S1, 0x1234) + SPIN)
    eventually(lambda: rpc.call("vm.stats", {"vm": vm})["time"]["guest_ns"] > 0, "it runs")
    paused = rpc.call("vm.pause", {"vm": vm})["paused"]
    assert int(paused["registers"]["pc"], 16) == MEMORY + 8
    assert int(paused["registers"]["s1"], 16) == 0x1234
    assert bytes.fromhex(paused["instructions"]["bytes"]).startswith(SPIN)


# Where it matters which extensions the processor has.


def test_entropy_source_is_read(rpc: Connection) -> None:
    read = code("f3 14 50 01 ; csrrw s1, seed, zero") + print_number(S1)
    image = address_of(A0, 12 + len(8 * read + EXIT)) + code("73 10 55 10 ; csrw stvec, a0")
    record = rpc.run(image + 8 * read + EXIT + exit_code(2))
    if record["exit"]["code"] == 2:  # an illegal instruction
        pytest.skip("this host's processor has no entropy source (Zkr)")
    seeds = numbers(record)
    assert [seed >> 16 for seed in seeds] == 8 * [0x8000], "all have 16 random bits"
    assert len(set(seeds)) > 1
    assert rpc.stats_of(record)["exits"]["by_reason"]["riscv_csr"] == 8


# Several harts.


@pytest.mark.parametrize("cpus", [2, 4])
def test_harts_are_started_by_the_guest(rpc: Connection, cpus: int) -> None:
    others = code("13 05 05 03 ; addi a0, a0, '0'") + hypercall(1) + exit_code(7)
    record = rpc.run(start_hart(cpus - 1, HALT, others), cpus=cpus, machine="virt")
    assert record["data"] == b"%d" % (cpus - 1)
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", 7)


def test_vm_lives_while_one_of_its_harts_works(rpc: Connection) -> None:
    vm = rpc.start(start_hart(1, HALT, SPIN), cpus=3, machine="virt")
    assert rpc.refused("vm.wait", {"vm": vm, "timeout_ms": 2000})
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"


def test_vm_ends_when_all_its_harts_wait_for_nothing(rpc: Connection) -> None:
    record = rpc.run(start_hart(1, HALT, HALT), cpus=3, machine="virt")
    assert (record["state"], record["exit"]["reason"]) == ("exited", "halted")


def test_harts_that_were_never_started_do_not_hold_up_the_end(rpc: Connection) -> None:
    assert rpc.run(exit_code(3), cpus=4, machine="virt")["exit"]["code"] == 3
    vm = rpc.start(SPIN, cpus=4, machine="virt")
    assert rpc.call("vm.pause", {"vm": vm})["state"] == "paused"
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"
