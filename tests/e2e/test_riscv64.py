"""riscv64's guests and the machine around them: what test_guests.py and test_machine.py are for x86."""
from typing import Any, NamedTuple

import pytest

from harness.images import (
    A0,
    A1,
    A2,
    BASE,
    DBCN,
    EXIT,
    HALT,
    HSM,
    JUMP_OUT_OF_MEMORY,
    MEMORY,
    S1,
    S2,
    SPIN,
    SRST,
    TABLES,
    TIME,
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
from harness.elf import RISCV, X86_64, elf64
from harness.rpc import Connection, RpcError, as_data
from harness.settings import GUESTS
from harness.waiting import eventually

NOT_SUPPORTED, INVALID, ALREADY_AVAILABLE = 2, 3, 6  # errors of the SBI, their signs turned


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


@pytest.mark.parametrize("memory, size", [(0x10000, 64), (0x12000, 0x3000)])
def test_stack_is_in_memory_however_little_there_is(
    rpc: Connection, memory: int, size: int
) -> None:
    image = print_number(2) + EXIT
    assert numbers(rpc.run(image.ljust(size, b"\0"), memory=memory)) == [MEMORY + memory]


def test_virt_hands_over_the_harts_id_and_a_device_tree(rpc: Connection) -> None:
    image = (
        mv(S1, A0)
        + code("03 a9 05 00 ; lw s2, (a1)")
        + print_number(S1)
        + print_number(S2)
        + EXIT
    )
    hart, magic = numbers(rpc.run(image, machine="virt"))
    assert hart == 0
    assert magic & 0xFFFFFFFF == 0xEDFE0DD0  # big-endian: Devicetree Specification, "Header"


@pytest.mark.parametrize("rest", [b"x", b"\0"], ids=["bytes", "zeros"])
def test_image_that_reaches_into_the_device_tree_is_refused(rpc: Connection, rest: bytes) -> None:
    image = SPIN.ljust(0x18000, rest)
    with pytest.raises(RpcError) as refusal:
        rpc.start(image, machine="virt", memory=0x20000)
    assert "where the device tree goes" in refusal.value.error["message"]
    rpc.stop(rpc.start(image, machine="bare", memory=0x20000))


# Images.


def test_elf_file_runs(rpc: Connection) -> None:
    image = elf64(print_number(2) + EXIT, MEMORY + 0x1100, MEMORY + 0x1000, RISCV)
    record = rpc.run(image, memory=0x100000)
    assert numbers(record) == [MEMORY + 0x100000 - 0x10000]
    assert (record["format"], record["machine"], record["mode"]) == ("elf", "bare", "supervisor")


def test_images_for_another_machine_are_refused_by_its_name(rpc: Connection) -> None:
    refused = rpc.refused("vm.start", {"image": as_data(elf64(b"", 0, 0, X86_64))})
    assert "is an x86-64 image; this host runs riscv64 guests" in refused["message"]
    refused = rpc.refused("vm.start", {"image": as_data(bytes(0x202) + b"HdrS" + bytes(1000))})
    assert "is a Linux kernel for x86-64; this host runs riscv64 guests" in refused["message"]


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


@pytest.mark.parametrize("extension, there", [(0x09000500, 1), (0x09000501, 0), (DBCN, 1)])
def test_extensions_are_found_by_probing(rpc: Connection, extension: int, there: int) -> None:
    image = li(A0, extension) + call(BASE, 3) + print_results() + EXIT
    assert numbers(rpc.run(image)) == [0, there]


@pytest.mark.parametrize("number", [0x0A, 0xFF, 0x101, 0x7FFFF000])
def test_unknown_hypercalls_are_not_supported_and_counted(rpc: Connection, number: int) -> None:
    record = rpc.run(hypercall(number) + print_results() + EXIT)
    assert numbers(record) == [NOT_SUPPORTED, 0]
    counts = {row["name"]: row["count"] for row in rpc.stats_of(record)["hypercalls"]}
    assert counts["unknown"] == 1


@pytest.mark.parametrize("number", [5, 6, 8])
@pytest.mark.parametrize("address", [0, 0x1000, 0x7FFFFFFF])
def test_buffers_outside_memory_are_refused(rpc: Connection, number: int, address: int) -> None:
    image = li(A0, address) + li(A1, 16) + hypercall(number) + print_results() + EXIT
    assert numbers(rpc.run(image)) == [INVALID, 0]


@pytest.mark.parametrize("start", [address_of(A0, 0x100000 - 8), li(A0, -8)], ids=["end", "wrap"])
@pytest.mark.parametrize("number", [5, 6])
def test_buffers_that_reach_out_of_memory_are_refused(
    rpc: Connection, number: int, start: bytes
) -> None:
    image = start + li(A1, 16) + hypercall(number) + print_results() + EXIT
    assert numbers(rpc.run(image)) == [INVALID, 0]


def test_a_write_is_taken_up_to_64_kib(rpc: Connection) -> None:
    image = address_of(A0, 0) + li(A1, 0x20000) + hypercall(5) + print_results() + EXIT
    printed = rpc.run(image)["data"]
    assert (printed[: len(image)], printed[0x10000:]) == (image, b"0\n65536\n")


def test_a_read_takes_what_input_there_is(rpc: Connection) -> None:
    read = mv(A0, S2) + li(A1, 10) + hypercall(6) + print_results()
    print_it = mv(A0, S2) + li(A1, 3) + hypercall(5)
    wait = hypercall(7)
    image = address_of(S2, 0x8000) + wait + read + read + print_it + EXIT
    vm = rpc.start(image)
    rpc.give(vm, b"-abc")
    rpc.wait(vm)
    assert rpc.output(vm) == b"0\n3\n0\n0\nabc"


def test_a_ring_is_told_whether_it_was_taken(rpc: Connection) -> None:
    no_ring = address_of(A0, 0) + hypercall(8) + print_results()
    assert numbers(rpc.run(no_ring + EXIT)) == [INVALID, 0]
    assert numbers(rpc.run(hypercall(9) + print_results() + EXIT)) == [INVALID, 0]


def test_debug_console_prints(rpc: Connection) -> None:
    text = b"by DBCN\n"
    rest = li(A0, len(text)) + li(A2, 0) + call(DBCN, 0) + print_results()
    rest += li(A0, ord("!")) + call(DBCN, 2) + EXIT
    record = rpc.run(address_of(A1, 8 + len(rest)) + rest + text)
    assert record["data"] == b"by DBCN\n0\n8\n!"


def test_debug_console_reads_what_input_there_is(rpc: Connection) -> None:
    buffer = mv(A1, S2) + li(A2, 0)
    read = buffer + li(A0, 10) + call(DBCN, 1) + print_results()
    print_it = buffer + li(A0, 3) + call(DBCN, 0)
    wait = hypercall(7)
    image = address_of(S2, 0x8000) + wait + read + print_it + EXIT
    vm = rpc.start(image)
    rpc.give(vm, b"-abc")
    rpc.wait(vm)
    assert rpc.output(vm) == b"0\n3\nabc"


@pytest.mark.parametrize("function", [0, 1], ids=["write", "read"])
@pytest.mark.parametrize("above, error", [(0, 0), (1, INVALID)])
def test_debug_consoles_addresses_have_128_bits(
    rpc: Connection, function: int, above: int, error: int
) -> None:
    image = address_of(A1, 0x8000) + li(A2, above) + li(A0, 4) + call(DBCN, function)
    printed = rpc.run(image + print_results() + EXIT)["data"].lstrip(b"\0")
    assert int(printed.split()[0]) == error


@pytest.mark.parametrize("function", [0, 1], ids=["write", "read"])
def test_debug_console_refuses_what_is_no_memory(rpc: Connection, function: int) -> None:
    image = li(A1, 0x1000) + li(A0, 4) + li(A2, 0) + call(DBCN, function) + print_results() + EXIT
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
    "value, code_",
    [(0x5555, 0), (0x3333, 0), (42 << 16 | 0x3333, 42), (256 << 16 | 0x3333, 255), (0x7777, 0)],
)
@pytest.mark.parametrize("machine", ["bare", "virt"])
def test_finisher_ends_the_vm(rpc: Connection, machine: str, value: int, code_: int) -> None:
    image = li(5, 0x100000) + li(6, value) + code("23 a0 62 00 ; sw t1, (t0)") + SPIN
    record = rpc.run(image, machine=machine)
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", code_)


# Traps and interrupts.


def with_handler(before: bytes, handler: bytes) -> bytes:
    """Begins with a trap handler set up, which comes after the rest."""
    set_up = address_of(A0, 12 + len(before)) + code("73 10 55 10 ; csrw stvec, a0")
    return set_up + before + handler


SLEEP = code(
    """
    73 60 01 10 ; csrsi sstatus, SIE
    73 00 50 10 ; again: wfi
    6f f0 df ff ; j again
    """
)

PRINT_CAUSE = (
    code(
        """
        f3 24 20 14 ; csrr s1, scause
        93 94 14 00 ; slli s1, s1, 1        without "interrupt"
        93 d4 14 00 ; srli s1, s1, 1
        """
    )
    + print_number(S1)
)


def test_plic_interrupts_a_guest_that_sleeps(rpc: Connection) -> None:
    """Nothing but the trap goes on: a WFI also ends where the VMM has the CPU come out."""
    enable = code(
        """
        b7 02 00 0c ; lui t0, 0xc000
        13 03 10 00 ; li t1, 1
        23 a4 62 02 ; sw t1, 40(t0)     priority of source 10
        b7 22 00 0c ; lui t0, 0xc002
        13 03 00 40 ; li t1, 1 << 10
        23 a0 62 00 ; sw t1, (t0)       enabled
        b7 02 00 10 ; lui t0, 0x10000
        13 03 10 00 ; li t1, 1
        a3 80 62 00 ; sb t1, 1(t0)      UART: on received data
        13 03 00 20 ; li t1, 0x200
        73 10 43 10 ; csrw sie, t1      external
        """
    )
    claim = code(
        """
        b7 09 20 0c ; lui s3, 0xc200
        83 a4 49 00 ; lw s1, 4(s3)      claim
        b7 02 00 10 ; lui t0, 0x10000
        03 c9 02 00 ; lbu s2, (t0)
        23 a2 99 00 ; sw s1, 4(s3)      complete
        """
    )
    handler = claim + print_number(S1) + print_number(S2) + PRINT_CAUSE + EXIT
    vm = rpc.start(with_handler(enable + SLEEP, handler), machine="virt")
    rpc.give(vm, b"A")
    rpc.wait(vm)
    assert rpc.output(vm) == b"10\n65\n9\n"


def test_timer_interrupts_a_guest_that_sleeps(rpc: Connection) -> None:
    soon = code(
        """
        73 25 10 c0 ; rdtime a0
        13 03 00 40 ; li t1, 1024
        33 05 65 00 ; add a0, a0, t1
        """
    )
    timer = code(
        """
        13 03 00 02 ; li t1, 0x20
        73 10 43 10 ; csrw sie, t1
        """
    )
    image = with_handler(soon + call(TIME, 0) + timer + SLEEP, PRINT_CAUSE + EXIT)
    assert numbers(rpc.run(image)) == [5]


def test_guest_handles_its_own_illegal_instruction(rpc: Connection) -> None:
    illegal = code("00 00 00 00 ; unimp")
    where = code("f3 24 10 14 ; csrr s1, sepc") + print_number(S1)
    record = rpc.run(with_handler(illegal, PRINT_CAUSE + where + EXIT))
    assert numbers(record) == [2, MEMORY + 12]


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


def test_trap_handler_that_is_no_instruction_is_a_shutdown(rpc: Connection) -> None:
    zeros = code("00 00 00 00 ; unimp")
    assert rpc.run(with_handler(zeros, 4 * zeros))["exit"]["reason"] == "shutdown"


def test_what_kvm_gives_up_on_fails_with_registers(rpc: Connection) -> None:
    record = rpc.run(JUMP_OUT_OF_MEMORY)
    assert (record["state"], record["exit"]["reason"]) == ("failed", "error")
    assert int(record["exit"]["registers"]["pc"], 16) == MEMORY + 4
    instructions = record["exit"]["instructions"]
    assert bytes.fromhex(instructions["bytes"]).startswith(JUMP_OUT_OF_MEMORY[4:])


@pytest.mark.parametrize(
    "image", [SPIN, GUESTS / "hltloop.bin", GUESTS / "getchar.bin", GUESTS / "cat.bin"]
)
@pytest.mark.parametrize("force, reason", [(False, "stopped"), (True, "killed")])
def test_guest_is_paused_resumed_and_stopped(
    rpc: Connection, image: Any, force: bool, reason: str
) -> None:
    vm = rpc.start(image)
    paused = rpc.call("vm.pause", {"vm": vm})
    assert paused["state"] == "paused" and "pc" in paused["paused"]["registers"]
    assert rpc.call("vm.resume", {"vm": vm})["state"] == "running"
    assert rpc.stop(vm, force=force)["exit"]["reason"] == reason


def pause_at(rpc: Connection, vm: int, address: int) -> dict:
    """What is told of a pause there, where the guest is soon and stays."""
    paused: dict = {}

    def stands_there() -> bool:
        nonlocal paused
        rpc.call("vm.resume", {"vm": vm})
        paused = rpc.call("vm.pause", {"vm": vm})["paused"]
        return int(paused["registers"]["pc"], 16) == address

    eventually(stands_there, "the guest comes there")
    return paused


def test_paused_record_tells_where_the_guest_stands(rpc: Connection) -> None:
    paused = pause_at(rpc, rpc.start(li(S1, 0x1234) + SPIN), MEMORY + 8)
    assert int(paused["registers"]["s1"], 16) == 0x1234
    assert bytes.fromhex(paused["instructions"]["bytes"]).startswith(SPIN)


# With paging on, where the guest stands is found by its page tables.

# Maps its memory, 1 GiB of addresses, to where it is and to 0x40000000, and goes on there.
PAGING_ON = code(
    """
    b7 02 01 80 ; lui t0, 0x80010       the root table: memory that is zero
    93 92 02 02 ; slli t0, t0, 32
    93 d2 02 02 ; srli t0, t0, 32
    37 03 00 20 ; lui t1, 0x20000       to 0x80000000
    13 03 f3 0c ; addi t1, t1, 0xcf     D A X W R V
    23 b4 62 00 ; sd t1, 8(t0)
    23 b8 62 00 ; sd t1, 16(t0)
    93 03 80 00 ; li t2, 8              Sv39
    93 93 c3 03 ; slli t2, t2, 60
    93 d2 c2 00 ; srli t0, t0, 12
    b3 e3 53 00 ; or t2, t2, t0
    73 90 03 18 ; csrw satp, t2
    73 00 00 12 ; sfence.vma
    17 03 00 00 ; auipc t1, 0
    b7 03 00 40 ; lui t2, 0x40000
    33 03 73 40 ; sub t1, t1, t2
    67 00 03 01 ; jr 16(t1)
    """
)


def test_paused_record_tells_where_the_guest_stands_in_its_own_addresses(rpc: Connection) -> None:
    paused = pause_at(rpc, rpc.start(PAGING_ON + SPIN), 0x40000000 + len(PAGING_ON))
    assert bytes.fromhex(paused["instructions"]["bytes"]).startswith(SPIN)


def test_waiting_for_no_interrupt_halts_with_paging_on(rpc: Connection) -> None:
    record = rpc.run(PAGING_ON + HALT)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "halted")


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


def test_states_of_harts_are_told(rpc: Connection) -> None:
    image = b"".join(li(A0, hart) + call(HSM, 2) + print_results() for hart in (0, 1, 9))
    image += li(A0, 0) + call(HSM, 0) + print_results() + EXIT
    told = numbers(rpc.run(image, cpus=2, machine="virt"))
    assert told[:4] == [0, 0, 0, 1], "started; stopped"
    assert (told[4], told[6]) == (INVALID, ALREADY_AVAILABLE)


def test_vm_ends_when_its_last_hart_stops_itself(rpc: Connection) -> None:
    record = rpc.run(call(HSM, 1), cpus=2, machine="virt")
    assert (record["state"], record["exit"]["reason"]) == ("exited", "halted")


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
