"""What guests see and what is seen of them: guests/, and images that try one thing each."""
import re
from typing import Any, NamedTuple

import pytest

from harness.client import Client
from harness.images import (
    EXIT,
    HALT,
    JUMP_OUT_OF_MEMORY,
    PRINT_THEN_SPIN,
    SPIN,
    TABLES,
    TRIPLE_FAULT,
    code,
    print_text,
    stream_bytes,
    stream_of,
)
from harness.rpc import Connection, as_data
from harness.settings import GUESTS
from harness.waiting import eventually

HELLO32 = b"Hello, protected mode!\ntick 1\ntick 2\ntick 3\n"
HELLO64 = (
    b"Hello, long mode!\n"
    b"the page is at 0x2000\n"
    b"and at         0xffff800000000000\n"
    b"written above, read below\n"
)


class Guest(NamedTuple):
    file: str
    printed: bytes
    exits: int  # without coalescing, as its source says
    reason: str
    code: int | None = None
    params: dict = {}  # of vm.start


# Those that end without input and need nothing but themselves.
EVERY_GUEST = pytest.mark.parametrize(
    "guest",
    [
        Guest("minimal.bin", b"", 1, "halted"),
        Guest("hello.bin", b"Hello, KVM!\n", 13, "halted"),
        Guest("counter.bin", b"0123456789", 11, "halted"),
        Guest("hctest.bin", b"Hello!\n42\n1234\n", 12, "guest-exit", 0),
        Guest("multiplication.bin", TABLES, 721, "halted"),
        Guest("multiplication-write.bin", TABLES, 73, "halted"),
        Guest("exitcode.bin", b"", 1, "guest-exit", 42),
        Guest("triplefault.bin", b"!", 2, "shutdown"),
        Guest("hello32.bin", HELLO32, 45, "guest-exit", 0, {"machine": "pc"}),
        Guest("hello64.bin", HELLO64, 9, "guest-exit", 0, {"mode": "long"}),
    ],
    ids=lambda guest: guest.file,
)

MEMORY_64K = 64 * 1024


def io_rows(stats: dict, **wanted: Any) -> list[dict]:
    return [row for row in stats["io"] if row | wanted == row]


@pytest.mark.parametrize("coalesce", [True, False], ids=["coalesced", "exact"])
@EVERY_GUEST
def test_guest_prints_every_byte(rpc: Connection, guest: Guest, coalesce: bool) -> None:
    record = rpc.run(GUESTS / guest.file, coalesce=coalesce, **guest.params)
    assert record["data"] == guest.printed
    assert (record["state"], record["exit"]["reason"]) == ("exited", guest.reason)
    assert record["exit"]["code"] == guest.code
    assert (record["output"]["first"], record["output"]["next"]) == (0, len(guest.printed))


@EVERY_GUEST
def test_exits_are_exact_without_coalescing(rpc: Connection, guest: Guest) -> None:
    record = rpc.run(GUESTS / guest.file, coalesce=False, **guest.params)
    stats = rpc.stats_of(record)
    ends = {"halted": "hlt", "shutdown": "shutdown"}  # by an exit that is no I/O
    expected = {"io": guest.exits}
    if guest.reason in ends:
        expected = {"io": guest.exits - 1, ends[guest.reason]: 1}
    if guest.params.get("machine") == "pc":
        expected["intr"] = stats["exits"]["by_reason"].get("intr", 0)  # the VMM's own
    assert record["exits"] == stats["exits"]["total"] == sum(expected.values())
    assert stats["exits"]["by_reason"] == {key: count for key, count in expected.items() if count}
    assert sum(row["count"] for row in stats["io"]) == expected["io"]
    assert all(row["handled"] for row in stats["io"])
    assert stats["coalesced"] == 0


@pytest.mark.parametrize("guest", ["cat-irq", "echo-irq", "hltloop"])
def test_a_wait_in_hlt_makes_no_exits(rpc: Connection, guest: str) -> None:
    stats = rpc.stats_of(rpc.run(GUESTS / f"{guest}.bin", machine="pc", timeout_ms=500))
    assert stats["exits"]["by_reason"].get("hlt", 0) == 0
    assert stats["exits"]["by_reason"].get("io", 0) < 20, "those that make it ready"


def test_hltloop_halts_a_bare_machine(rpc: Connection) -> None:
    assert rpc.run(GUESTS / "hltloop.bin")["exit"]["reason"] == "halted"


def test_ring_prints_without_exits(rpc: Connection) -> None:
    record = rpc.run(GUESTS / "multiplication-ring.bin")
    by_reason = rpc.stats_of(record)["exits"]["by_reason"]
    assert record["data"] == TABLES
    assert (by_reason.pop("io"), by_reason.pop("hlt")) == (1, 1)
    assert set(by_reason) <= {"intr"}, "by which the VMM looks, every 20 ms"


def test_multiboot_kernel_prints_what_its_loader_tells(rpc: Connection) -> None:
    module = as_data(b"x" * 5000) | {"arguments": "tests one=1"}
    params = {"memory": 4 * 1024 * 1024, "append": "quiet root=none", "modules": [module]}
    record = rpc.run(GUESTS / "multiboot.elf", **params)
    assert (record["format"], record["machine"]) == ("multiboot", "pc")
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", 0)
    command_line, *memory, tests = record["data"].decode().splitlines()
    assert command_line.startswith("command line: ") and command_line.endswith("quiet root=none")
    assert memory[0].startswith("memory 0x0 to 0x9") and memory[0].endswith(": available")
    assert "memory 0x100000 to 0x3fffff: available" in memory
    found = re.fullmatch("module (0x[0-9a-f]+) to (0x[0-9a-f]+): (.*)", tests)
    start, last = (int(found.group(n), 16) for n in (1, 2))
    assert start % 4096 == 0 and last - start + 1 == 5000
    assert found.group(3).endswith("tests one=1")


def test_flood_pays_an_exit_for_a_ring_full(rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "flood-ring.bin")
    eventually(lambda: rpc.get(vm)["output"]["next"] > 1024 * 1024, "some rings full of output")
    record = rpc.stop(vm)
    notifies = rpc.stats_of(record)["exits"]["by_reason"]["io"] - 1
    assert 0 < notifies * 256 * 1024 <= record["output"]["next"]


def test_coalescing_saves_exits_and_nothing_else(rpc: Connection) -> None:
    if not rpc.call("daemon.info")["kvm"]["capabilities"].get("coalesced_pio"):
        pytest.skip("this KVM does not coalesce port I/O")
    record = rpc.run(stream_of(10000))
    stats = rpc.stats_of(record)
    assert record["data"] == stream_bytes(0, 10000)
    assert record["exits"] < 5000, "most bytes should cost no exit"
    written = sum(row["count"] for row in io_rows(stats, address=0x3F8, direction="out"))
    assert written + stats["coalesced"] == 10000


def test_hypercalls_are_counted_by_number(rpc: Connection) -> None:
    stats = rpc.stats_of(rpc.run(GUESTS / "multiplication.bin"))
    counts = {row["name"]: (row["number"], row["count"]) for row in stats["hypercalls"]}
    assert counts == {
        "HC_PUTCHAR": (1, 72 * 6),
        "HC_PUTNUM": (2, 72 * 3),
        "HC_NEWLINE": (3, 72),
    }


def test_time_in_guest_and_vmm_is_measured(rpc: Connection) -> None:
    record = rpc.run(GUESTS / "multiplication.bin")
    time = rpc.stats_of(record)["time"]
    assert time["guest_ns"] > 0 and time["vmm_ns"] > 0
    assert time["guest_ns"] + time["vmm_ns"] <= record["uptime_ns"] + 1_000_000


def test_bytes_before_an_endless_loop_are_seen(rpc: Connection) -> None:
    stream = rpc.attach(rpc.start(PRINT_THEN_SPIN))
    stream.read_until(lambda: stream.data == b"AB", seconds=2)


def test_accesses_beyond_the_table_are_counted_in_one_row(rpc: Connection, vmmctl: Client) -> None:
    vm = rpc.run(
        code(
            """
            ba 00 20    ; mov $0x2000, %dx
            b9 c8 00    ; mov $200, %cx
            ec          ; next: in (%dx), %al
            42          ; inc %dx
            e2 fc       ; loop next
            f4          ; hlt
            """
        )
    )["id"]
    *rows, rest = rpc.call("vm.stats", {"vm": vm})["io"]
    assert {(row["space"], row["direction"], row["handled"]) for row in rows} == {
        ("port", "in", False)
    }
    assert rest == {
        "space": None,
        "address": None,
        "direction": None,
        "count": 200 - len(rows),
        "handled": None,
    }
    assert f"others {rest['count']}" in " ".join(vmmctl("stats", vm).stdout.split())


def test_entry_state_is_what_the_abi_says(rpc: Connection) -> None:
    image = code(
        """
        89 e0       ; mov %sp, %ax      before anything uses the stack
        9c 5b       ; pushf; pop %bx
        8c c9       ; mov %cs, %cx
        8c df       ; mov %ds, %di
        8c c6       ; mov %es, %si
        8c d5       ; mov %ss, %bp
        ba f8 03    ; mov $0x3f8, %dx
        ee          ; out %al, (%dx)
        88 e0 ee    ; mov %ah, %al; out %al, (%dx)
        88 d8 ee    ; mov %bl, %al; out
        88 f8 ee    ; mov %bh, %al; out
        09 f9       ; or %di, %cx
        09 f1       ; or %si, %cx
        09 e9       ; or %bp, %cx
        88 c8 ee    ; mov %cl, %al; out
        88 e8 ee    ; mov %ch, %al; out
        f4          ; hlt
        """
    )
    for load in (0x1000, 0x7C00):
        words = rpc.run(image, load=load)["data"]
        stack, flags, segments = (int.from_bytes(words[i : i + 2], "little") for i in (0, 2, 4))
        assert (hex(stack), hex(flags), segments) == (hex(load), "0x2", 0)


def test_unhandled_ports_read_all_ones_and_are_counted(rpc: Connection) -> None:
    image = code(
        """
        ba f8 03            ; mov $0x3f8, %dx
        30 c0 e4 60 ee      ; xor %al, %al; in $0x60, %al; out
        31 c0 e5 62         ; xor %ax, %ax; in $0x62, %ax
        ee 88 e0 ee         ; out; mov %ah, %al; out
        66 31 c0            ; xor %eax, %eax
        66 e5 64            ; in $0x64, %eax
        b9 04 00            ; mov $4, %cx
        ee                  ; next: out %al, (%dx)
        66 c1 e8 08         ; shr $8, %eax
        e2 f9               ; loop next
        e6 70               ; out %al, $0x70
        e7 72               ; out %ax, $0x72
        66 e7 74            ; out %eax, $0x74
        f4                  ; hlt
        """
    )
    record = rpc.run(image)
    assert record["data"] == b"\xff" * 7
    unhandled = io_rows(rpc.stats_of(record), handled=False)
    seen = {(row["space"], row["address"], row["direction"], row["count"]) for row in unhandled}
    reads = {("port", port, "in", 1) for port in (0x60, 0x62, 0x64)}
    writes = {("port", port, "out", 1) for port in (0x70, 0x72, 0x74)}
    assert seen == reads | writes


def test_string_reads_fill_memory_with_all_ones(rpc: Connection) -> None:
    image = code(
        """
        bf 00 20    ; mov $0x2000, %di
        b9 40 00    ; mov $64, %cx
        ba 60 00    ; mov $0x60, %dx
        f3 6c       ; rep insb
        be 00 20    ; mov $0x2000, %si
        b9 41 00    ; mov $65, %cx
        ba f8 03    ; mov $0x3f8, %dx
        f3 6e       ; rep outsb
        f4          ; hlt
        """
    )
    assert rpc.run(image)["data"] == b"\xff" * 64 + b"\0"


@pytest.mark.parametrize("coalesce", [True, False], ids=["coalesced", "exact"])
def test_string_writes_print_every_byte(rpc: Connection, coalesce: bool) -> None:
    text = stream_bytes(0, 5000)
    record = rpc.run(print_text(text), coalesce=coalesce)
    assert record["data"] == text


def test_wide_writes_keep_their_place_among_coalesced_ones(rpc: Connection) -> None:
    image = code(
        """
        ba f8 03        ; mov $0x3f8, %dx
        b0 61 ee        ; mov $'a', %al; out
        b0 62 ee        ; mov $'b', %al; out
        b8 63 00 ef     ; mov $'c', %ax; out %ax, (%dx): 0 goes to 0x3f9
        b0 64 ee        ; mov $'d', %al; out
        b0 65 ee        ; mov $'e', %al; out
        f4              ; hlt
        """
    )
    assert rpc.run(image)["data"] == b"abcde"


def test_addresses_beyond_memory_read_all_ones_and_are_counted(rpc: Connection) -> None:
    image = code(
        """
        b8 00 20        ; mov $0x2000, %ax
        8e d8           ; mov %ax, %ds
        ba f8 03        ; mov $0x3f8, %dx
        c6 06 10 00 07  ; movb $7, 0x10      0x20010
        30 c0           ; xor %al, %al
        a0 10 00        ; mov 0x10, %al
        ee              ; out %al, (%dx)
        a1 20 00        ; mov 0x20, %ax      0x20020
        ee              ; out %al, (%dx)
        88 e0 ee        ; mov %ah, %al; out %al, (%dx)
        f4              ; hlt
        """
    )
    record = rpc.run(image, memory=MEMORY_64K)
    assert record["data"] == b"\xff\xff\xff"
    rows = io_rows(rpc.stats_of(record), space="memory")
    seen = {(row["address"], row["direction"], row["count"], row["handled"]) for row in rows}
    assert seen == {
        (0x20010, "out", 1, False),
        (0x20010, "in", 1, False),
        (0x20020, "in", 1, False),
    }


def test_uart_answers_as_a_16550(rpc: Connection) -> None:
    image = code(
        """
        31 db               ; xor %bx, %bx       results go to 0x2000 + BX
        ba fd 03 ec         ; mov $0x3fd, %dx; in %dx, %al      LSR: transmitter empty
        88 87 00 20 43      ; mov %al, 0x2000(%bx); inc %bx
        ba ff 03 b0 5a ee   ; mov $0x3ff, %dx; mov $0x5a, %al; out   scratch
        30 c0 ec            ; xor %al, %al; in %dx, %al
        88 87 00 20 43      ; mov %al, 0x2000(%bx); inc %bx
        ba fb 03 b0 83 ee   ; mov $0x3fb, %dx; mov $0x83, %al; out   LCR: DLAB
        ba f8 03 b0 0c ee   ; mov $0x3f8, %dx; mov $12, %al; out     divisor, low
        30 c0 ec            ; xor %al, %al; in %dx, %al
        88 87 00 20 43      ; mov %al, 0x2000(%bx); inc %bx
        ba f9 03 b0 01 ee   ; mov $0x3f9, %dx; mov $1, %al; out      divisor, high
        30 c0 ec            ; xor %al, %al; in %dx, %al
        88 87 00 20 43      ; mov %al, 0x2000(%bx); inc %bx
        ba fb 03 b0 03 ee   ; mov $0x3fb, %dx; mov $3, %al; out      LCR: no DLAB
        ec                  ; in %dx, %al
        88 87 00 20 43      ; mov %al, 0x2000(%bx); inc %bx
        ba f9 03 ec         ; mov $0x3f9, %dx; in %dx, %al           IER: as at reset
        88 87 00 20 43      ; mov %al, 0x2000(%bx); inc %bx
        be 00 20            ; mov $0x2000, %si
        89 d9               ; mov %bx, %cx
        ba f8 03            ; mov $0x3f8, %dx
        f3 6e               ; rep outsb
        f4                  ; hlt
        """
    )
    assert rpc.run(image)["data"] == bytes([0x60, 0x5A, 12, 1, 3, 0])


def test_divisor_is_not_printed_when_writes_are_coalesced(rpc: Connection) -> None:
    image = code(
        """
        b0 61                       ; mov $'a', %al
        ba f8 03 ee ee ee           ; mov $0x3f8, %dx; out, out, out
        ba fb 03 b0 80 ee           ; mov $0x3fb, %dx; mov $0x80, %al; out    DLAB
        ba f8 03 b0 78 ee           ; mov $0x3f8, %dx; mov $'x', %al; out     divisor
        ba fb 03 b0 03 ee           ; mov $0x3fb, %dx; mov $3, %al; out       no DLAB
        ba f8 03 b0 62 ee ee        ; mov $0x3f8, %dx; mov $'b', %al; out, out
        f4                          ; hlt
        """
    )
    assert rpc.run(image)["data"] == b"aaabb"


def test_number_hypercall_is_unsigned_and_16_bits_wide(rpc: Connection) -> None:
    image = code(
        """
        ba 00 05        ; mov $0x500, %dx
        66 bb ff ff 01 00   ; mov $0x1ffff, %ebx
        b0 02 ee        ; mov $2, %al; out       HC_PUTNUM
        b0 03 ee        ; mov $3, %al; out       HC_NEWLINE
        31 db           ; xor %bx, %bx
        b0 02 ee        ; mov $2, %al; out
        f4              ; hlt
        """
    )
    assert rpc.run(image)["data"] == b"65535\n0"


def test_unknown_hypercall_is_counted_and_changes_nothing(rpc: Connection) -> None:
    image = code(
        """
        ba 00 05        ; mov $0x500, %dx
        b0 fe ee ee     ; mov $0xfe, %al; out, out
        bb 21 00        ; mov $'!', %bx
        b0 01 ee        ; mov $1, %al; out       HC_PUTCHAR
        f4              ; hlt
        """
    )
    record = rpc.run(image)
    assert (record["data"], record["exit"]["reason"]) == (b"!", "halted")
    unknown = [row for row in rpc.stats_of(record)["hypercalls"] if row["number"] is None]
    assert [row["count"] for row in unknown] == [2]


def test_only_byte_writes_are_hypercalls(rpc: Connection) -> None:
    image = code(
        """
        ba 00 05        ; mov $0x500, %dx
        bb 21 00        ; mov $'!', %bx
        b8 01 00        ; mov $1, %ax
        ef              ; out %ax, (%dx)
        66 ef           ; out %eax, (%dx)
        f4              ; hlt
        """
    )
    record = rpc.run(image)
    assert (record["data"], record["exit"]["reason"]) == (b"", "halted")
    rows = io_rows(rpc.stats_of(record), address=0x500, direction="out")
    assert [(row["count"], row["handled"]) for row in rows] == [(2, False)]


def test_exit_hypercall_ends_the_vm_at_once(rpc: Connection) -> None:
    record = rpc.run(EXIT + PRINT_THEN_SPIN)
    assert (record["data"], record["exit"]["reason"]) == (b"", "guest-exit")
    assert record["exit"]["code"] == 0


def test_triple_fault_is_a_shutdown(rpc: Connection) -> None:
    record = rpc.run(TRIPLE_FAULT)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "shutdown")
    assert record["data"] == b"!", "what it printed before"
    assert record["exit"]["registers"]["rip"].startswith("0x")


def test_what_kvm_cannot_run_is_an_error_with_registers(rpc: Connection) -> None:
    record = rpc.run(JUMP_OUT_OF_MEMORY, memory=MEMORY_64K)
    assert (record["state"], record["exit"]["reason"]) == ("failed", "error")
    assert "KVM" in record["exit"]["message"]
    registers = record["exit"]["registers"]
    assert int(registers["cs"], 16) == 0x2000 and int(registers["rip"], 16) == 0


def test_one_guests_fault_touches_no_other(rpc: Connection) -> None:
    bystander = rpc.start(SPIN)
    for image in (TRIPLE_FAULT, JUMP_OUT_OF_MEMORY, EXIT):
        rpc.run(image, memory=MEMORY_64K)
    assert rpc.get(bystander)["state"] == "running"
    assert rpc.run(HALT)["exit"]["reason"] == "halted"


def test_guest_starts_in_clean_memory(rpc: Connection) -> None:
    """What one guest wrote is not there for the next."""
    write = code("c6 06 00 20 58 ; movb $'X', 0x2000") + HALT
    read = code("a0 00 20 ba f8 03 ee ; mov 0x2000, %al; mov $0x3f8, %dx; out") + HALT
    rpc.run(write)
    assert rpc.run(read)["data"] == b"\0"
