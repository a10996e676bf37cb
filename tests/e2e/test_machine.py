"""The machine around a guest: hypercalls, rings, CPU modes, input, pauses, several CPUs, devices."""
import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.daemon import Daemon
from harness.images import (
    ECHO,
    ECHO_BY_POLLING,
    EXIT,
    EXIT_7_FLAT,
    HALT,
    PRINT_AX,
    PRINT_CPU,
    RING,
    RING_PRODUCER,
    SLEEP,
    SPIN,
    STREAM_ENDLESS,
    call_with_buffer,
    code,
    open_ring,
    print_by_ring,
    smp,
    store,
    stream_bytes,
    stream_of,
)
from harness.rpc import Connection, RpcError
from harness.schema import ERRORS
from harness.settings import LESS, SCALE
from harness.waiting import eventually

REFUSED = 0xFFFF  # all ones, in AX
MEMORY_64K = 64 * 1024
QUEUE = 64 * 1024  # bytes of input that may wait
PROMPT_SECONDS = 0.1 * SCALE  # what takes no time takes, on a machine that has other things to do
PROTECTED_PC = {"mode": "protected", "machine": "pc"}
REAL_PC = {"mode": "real", "machine": "pc"}


def numbers(record: dict) -> list[int]:
    return [int(line) for line in record["data"].split()]


def let_pass(rpc: Connection, vm: int, milliseconds: int) -> None:
    """By the daemon's clock; the VM must not end meanwhile."""
    error = rpc.refused("vm.wait", {"vm": vm, "timeout_ms": milliseconds})
    assert error["code"] == ERRORS["timed-out"], error


def assert_wrong_state(error: dict) -> None:
    assert error["code"] == ERRORS["wrong-state"], error


def prompt(act: Callable[[], Any], undo: Callable[[], Any] = lambda: None) -> None:
    """The quickest of a few times is prompt: on a busy machine any one may have to wait its turn."""
    times = []
    for _ in range(5):
        start = time.monotonic()
        act()
        times.append(time.monotonic() - start)
        undo()
    assert min(times) < PROMPT_SECONDS, times


def pause(rpc: Connection, vm: int) -> dict:
    record = rpc.call("vm.pause", {"vm": vm})
    assert record["state"] == "paused"
    return record


def resume(rpc: Connection, vm: int) -> dict:
    record = rpc.call("vm.resume", {"vm": vm})
    assert record["state"] == "running"
    return record


# Hypercalls.


def test_exit_code_hypercall_ends_the_vm_with_that_code(rpc: Connection) -> None:
    image = code("66 bb 2a ff ff ff ; mov $0xffffff2a, %ebx") + code("b0 04 ba 00 05 ee")
    record = rpc.run(image)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "guest-exit")
    assert record["exit"]["code"] == 0x2A
    assert record["exit"]["message"] == "the guest exited with code 42"


def test_abi_version_is_read_at_the_hypercall_port(rpc: Connection) -> None:
    image = code(
        """
        66 31 c0        ; xor %eax, %eax
        ba 00 05        ; mov $0x500, %dx
        ec              ; in (%dx), %al
        a2 00 20        ; mov %al, 0x2000
        66 31 c0        ; xor %eax, %eax
        ed              ; in (%dx), %ax
        a3 01 20        ; mov %ax, 0x2001
        66 31 c0        ; xor %eax, %eax
        66 ed           ; in (%dx), %eax
        66 a3 03 20     ; mov %eax, 0x2003
        ba f8 03        ; mov $0x3f8, %dx
        be 00 20        ; mov $0x2000, %si
        b9 07 00        ; mov $7, %cx
        f3 6e           ; rep outsb
        f4              ; hlt
        """
    )
    assert rpc.run(image)["data"] == b"\x02" + b"\x02\xff" + b"\x02\xff\xff\xff"


def test_write_prints_a_buffer(rpc: Connection) -> None:
    image = store(0x2000, int.from_bytes(b"word", "little"))
    record = rpc.run(image + call_with_buffer(5, 0x100, 0x1000, 4) + HALT)
    assert record["data"] == b"word4\n"


def test_write_of_nothing_prints_nothing(rpc: Connection) -> None:
    assert rpc.run(call_with_buffer(5, 0, 0x2000, 0) + HALT)["data"] == b"0\n"


@pytest.mark.parametrize("number", [5, 6], ids=["write", "read"])
@pytest.mark.parametrize(
    "segment, offset, count",
    [(0x1000, 0, 1), (0, 0xFFFF, 2), (0x0F00, 0x0FFF, 2), (0xFFFF, 0xFFFF, 0xFFFF), (2, 0, 0xFFFF)],
)
def test_buffer_that_is_not_all_memory_is_refused(
    rpc: Connection, number: int, segment: int, offset: int, count: int
) -> None:
    image = call_with_buffer(number, segment, offset, count) + call_with_buffer(5, 0, 0, 0) + HALT
    record = rpc.run(image, memory=MEMORY_64K)
    assert numbers(record) == [REFUSED, 0]
    assert record["exit"]["reason"] == "halted"


def test_write_takes_64_kib_at_most(rpc: Connection) -> None:
    # in 32-bit code: ESI 0, ECX 0x10001, EAX with its upper half set before
    image = code(
        """
        31 f6               ; xor %esi, %esi
        b9 01 00 01 00      ; mov $0x10001, %ecx
        b8 05 00 ff ff      ; mov $0xffff0005, %eax
        ba 00 05 00 00      ; mov $0x500, %edx
        ee                  ; out %al, (%dx)
        3d 00 00 01 00      ; cmp $0x10000, %eax
        0f 94 c3            ; sete %bl
        b0 04 ee            ; mov $4, %al; out %al, (%dx)
        """
    )
    record = rpc.run(image, mode="protected")
    assert record["exit"]["code"] == 1, "EAX was not 0x10000"
    assert len(record["data"]) == 0x10000 and record["data"][0x1000:][: len(image)] == image


@pytest.mark.parametrize("esi, ecx", [(0xFFFFFFF0, 0x20), (0x100000, 1), (0xFFFFF, 0xFFFFFFFF)])
def test_buffer_of_32_bit_code_is_refused_likewise(rpc: Connection, esi: int, ecx: int) -> None:
    image = (
        code("be")
        + esi.to_bytes(4, "little")
        + code("b9")
        + ecx.to_bytes(4, "little")
        + code(
            """
            b0 05               ; mov $5, %al
            ba 00 05 00 00      ; mov $0x500, %edx
            ee                  ; out %al, (%dx)
            40                  ; inc %eax
            0f 94 c3            ; setz %bl
            b0 04 ee            ; mov $4, %al; out %al, (%dx)
            """
        )
    )
    record = rpc.run(image, mode="protected")
    assert (record["data"], record["exit"]["code"]) == (b"", 1)


def test_read_takes_the_input_that_is_there(rpc: Connection) -> None:
    read = call_with_buffer(6, 0, 0x2000, 4)
    wait = code("b0 07 ee ; mov $7, %al; out %al, (%dx)")  # HC_GETCHAR; DX is 0x500
    vm = rpc.start(read + wait + read + read + call_with_buffer(5, 0, 0x2000, 4) + HALT)
    stream = rpc.attach(vm)
    stream.read_until(lambda: stream.data == b"0\n")
    rpc.input(vm, b".abcdef")
    # "ef" over "abcd"
    assert stream.read_to_end().data == b"0\n4\n2\nefcd4\n"


# HC_GETCHAR.


def test_what_is_typed_is_read_byte_by_byte(rpc: Connection) -> None:
    vm = rpc.start(ECHO)
    stream = rpc.attach(vm)
    for text in (b"a", b"bc\n", bytes(range(256))):
        rpc.input(vm, text)
        stream.read_until(lambda text=text: stream.data.endswith(text))
    rpc.input(vm, b"last", eof=True)
    assert stream.read_to_end().data.endswith(b"last")
    assert rpc.wait(vm)["exit"]["code"] == 9


def test_input_may_come_before_the_guest_reads(rpc: Connection) -> None:
    vm = rpc.start(code("31 c9 e2 fe ; xor %cx, %cx; again: loop again") + ECHO)
    rpc.input(vm, b"early", eof=True)
    stream = rpc.attach(vm).read_to_end()
    assert stream.data == b"early"


def test_guest_that_waits_for_input_uses_no_cpu(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(ECHO)
    let_pass(rpc, vm, 50)
    before = daemon.cpu_seconds()
    let_pass(rpc, vm, 500)
    assert daemon.cpu_seconds() - before < 0.1 * SCALE
    exits = rpc.get(vm)["exits"]
    let_pass(rpc, vm, 100)
    assert rpc.get(vm)["exits"] == exits


def test_guest_that_waits_for_input_is_woken_at_once(rpc: Connection) -> None:
    vm = rpc.start(ECHO)
    stream = rpc.attach(vm)

    def type_one() -> None:
        end = stream.position + 1
        rpc.input(vm, b"x")
        stream.read_until(lambda: stream.position == end)

    prompt(type_one)


def test_guest_that_waits_for_input_is_stopped_at_once(rpc: Connection) -> None:
    waiting = [rpc.start(ECHO) for _ in range(5)]
    prompt(lambda: rpc.stop(waiting.pop()))


def test_guest_that_waits_for_input_goes_on_waiting_after_a_pause(rpc: Connection) -> None:
    vm = rpc.start(ECHO)
    stream = rpc.attach(vm)
    pause(rpc, vm)
    rpc.input(vm, b"typed while paused")
    let_pass(rpc, vm, 50)
    assert rpc.get(vm)["output"]["next"] == 0
    resume(rpc, vm)
    stream.read_until(lambda: stream.data == b"typed while paused")
    pause(rpc, vm)
    resume(rpc, vm)
    rpc.input(vm, b"!", eof=True)
    assert stream.read_to_end().data == b"typed while paused!"


# Input.


def test_input_that_nobody_reads_is_bounded(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    assert rpc.get(vm)["input"] == {"queued": 0, "capacity": QUEUE, "ended": False}
    assert rpc.input(vm, bytes(40000)) == {"accepted": 40000, "room": QUEUE - 40000}
    assert rpc.input(vm, bytes(40000)) == {"accepted": QUEUE - 40000, "room": 0}
    assert rpc.input(vm, b"x", eof=True) == {"accepted": 0, "room": 0}
    assert rpc.get(vm)["input"] == {"queued": QUEUE, "capacity": QUEUE, "ended": False}


def test_input_that_waits_is_answered_when_there_is_room(rpc: Connection) -> None:
    vm = rpc.start(ECHO)
    stream = rpc.attach(vm)
    pause(rpc, vm)
    rpc.input(vm, b"x" * QUEUE)
    data = base64.b64encode(b"last").decode()
    number = rpc.request("vm.input", {"vm": vm, "data": data, "wait": True, "eof": True})
    rpc.ping()
    assert not [m for m in rpc.kept() if m.get("id") == number], "answered before there was room"
    resume(rpc, vm)
    accepted = rpc.result("vm.input", number)["accepted"]
    assert 1 <= accepted <= 4
    while accepted < 4:
        accepted += rpc.input(vm, b"last"[accepted:], wait=True, eof=True)["accepted"]
    assert stream.read_to_end().data == b"x" * QUEUE + b"last"


def test_input_that_waits_is_refused_when_the_vm_ends(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    rpc.input(vm, bytes(QUEUE))
    number = rpc.request("vm.input", {"vm": vm, "data": "eA==", "wait": True})
    rpc.stop(vm)
    with pytest.raises(RpcError, match="wrong-state"):
        rpc.result("vm.input", number)
    assert_wrong_state(rpc.refused("vm.input", {"vm": vm, "data": "eA=="}))


def test_nothing_is_taken_after_the_end_of_input(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    assert rpc.input(vm, b"all", eof=True) == {"accepted": 3, "room": 0}
    assert rpc.get(vm)["input"] == {"queued": 3, "capacity": QUEUE, "ended": True}
    for wait in (False, True):
        for data in ("", "eA=="):
            assert_wrong_state(rpc.refused("vm.input", {"vm": vm, "data": data, "wait": wait}))


def test_client_that_leaves_while_it_waits_for_room_leaves_nothing(
    daemon: Daemon, rpc: Connection
) -> None:
    vm = rpc.start(ECHO)
    stream = rpc.attach(vm)
    pause(rpc, vm)
    rpc.input(vm, b"x" * QUEUE)
    with daemon.connect() as other:
        for _ in range(3):
            other.request("vm.input", {"vm": vm, "data": "eQ==", "wait": True})
        other.ping()
    eventually(lambda: rpc.call("daemon.info")["counts"]["connections"] == 1, "the client is gone")
    resume(rpc, vm)
    stream.read_until(lambda: len(stream.data) == QUEUE, seconds=40)  # three exits each
    rpc.input(vm, b"", eof=True)
    assert stream.read_to_end().data == b"x" * QUEUE


def test_two_clients_may_type_at_once(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(ECHO)
    stream = rpc.attach(vm)
    lines = 300
    with daemon.connect() as first, daemon.connect() as second:
        for i in range(lines):
            for who, name in ((first, "a"), (second, "b")):
                who.request("vm.input", {"vm": vm, "data": f"{name}{i}\n", "encoding": "utf-8"})
        for who in (first, second):
            answers = [who.receive()["result"]["accepted"] for _ in range(lines)]
            assert sum(answers) == sum(len(f"a{i}\n") for i in range(lines))
    rpc.input(vm, b"", eof=True)
    typed = stream.read_to_end().data.decode().splitlines()
    for name in "ab":
        mine = [line for line in typed if line[0] == name]
        assert mine == [f"{name}{i}" for i in range(lines)]


# Polling for input.


READ_POLLING = code(
    """
    be 00 20    ; mov $0x2000, %si
    b9 10 00    ; mov $16, %cx
    ba 00 05    ; mov $0x500, %dx
    b0 06       ; again: mov $6, %al
    ee          ; out %al, (%dx)
    85 c0       ; test %ax, %ax
    74 f9       ; jz again
    89 c1       ; mov %ax, %cx
    b0 05       ; mov $5, %al
    ee          ; out %al, (%dx)
    eb ec       ; jmp, to mov $16, %cx
    """
)

POLLING_GUESTS = pytest.mark.parametrize(
    "image", [ECHO_BY_POLLING, READ_POLLING], ids=["uart", "hypercall"]
)


@POLLING_GUESTS
def test_polling_for_input_does_not_burn_a_cpu(
    daemon: Daemon, rpc: Connection, image: bytes
) -> None:
    vm = rpc.start(image)
    let_pass(rpc, vm, 100)
    exits, seconds = rpc.get(vm)["exits"], daemon.cpu_seconds()
    let_pass(rpc, vm, 500)
    assert daemon.cpu_seconds() - seconds < 0.25 * SCALE
    # on a busy machine it would not have had the CPU, either
    assert rpc.get(vm)["exits"] - exits < 1000


@POLLING_GUESTS
def test_guest_that_polls_sees_input_at_once(rpc: Connection, image: bytes) -> None:
    vm = rpc.start(image)
    stream = rpc.attach(vm)
    let_pass(rpc, vm, 100)

    def type_one() -> None:
        end = stream.position + 1
        rpc.input(vm, b"x")
        stream.read_until(lambda: stream.position == end)

    prompt(type_one)


def test_guest_that_polls_is_stopped_and_paused_at_once(rpc: Connection) -> None:
    polling = [rpc.start(ECHO_BY_POLLING) for _ in range(5)]
    let_pass(rpc, polling[-1], 100)
    prompt(lambda: pause(rpc, polling[0]), lambda: resume(rpc, polling[0]))
    prompt(lambda: rpc.stop(polling.pop()))


@POLLING_GUESTS
def test_polling_guest_reads_all_that_is_typed(rpc: Connection, image: bytes) -> None:
    vm = rpc.start(image)
    stream = rpc.attach(vm)
    text = stream_bytes(0, QUEUE // LESS)  # three exits each
    assert rpc.input(vm, text)["accepted"] == len(text)
    stream.read_until(lambda: len(stream.data) == len(text))
    assert stream.data == text


# The output ring.


def test_ring_is_taken_when_the_guest_ends(rpc: Connection) -> None:
    record = rpc.run(open_ring() + print_by_ring(b"by ring\n") + HALT)
    assert record["data"] == b"0\nby ring\n"
    assert "ring_end" not in record


def test_ring_is_taken_while_the_guest_makes_no_exit(rpc: Connection) -> None:
    stream = rpc.attach(rpc.start(open_ring() + print_by_ring(b"silent!\n") + SPIN))
    stream.read_until(lambda: stream.data == b"0\nsilent!\n", seconds=2)


def test_ring_keeps_its_place_among_other_output(rpc: Connection) -> None:
    image = open_ring() + print_by_ring(b"ring") + call_with_buffer(9, 0, 0, 0) + HALT
    assert rpc.run(image)["data"] == b"0\nring0\n"


def test_notify_without_a_ring_is_refused(rpc: Connection) -> None:
    assert numbers(rpc.run(call_with_buffer(9, 0, 0, 0) + HALT)) == [REFUSED]


@pytest.mark.parametrize(
    "ring, why",
    [
        ({"magic": 1}, "magic"),
        ({"size": 100}, "size"),
        ({"size": 0}, "size"),
        ({"size": 0x80000000}, "size"),
        ({"data": 0xFFFFFFF0}, "data"),
        ({"data": 0xFF01, "size": 256}, "data"),
    ],
)
def test_ring_that_cannot_be_is_refused(rpc: Connection, ring: dict, why: str) -> None:
    record = rpc.run(open_ring(**ring) + HALT, memory=MEMORY_64K)
    assert numbers(record) == [REFUSED]
    assert record["exit"]["reason"] == "halted"
    assert record["ring_end"].startswith("an output ring was refused: its") and why in record[
        "ring_end"
    ]


def test_ring_at_an_address_that_cannot_be_is_refused(rpc: Connection) -> None:
    calls = call_with_buffer(8, 0xFFFF, 0xFFF0, 0) + call_with_buffer(8, 0, RING + 4, 0)
    record = rpc.run(calls + HALT, memory=MEMORY_64K)
    assert numbers(record) == [REFUSED, REFUSED]


def test_producer_that_cannot_be_ends_the_ring_and_not_the_vm(rpc: Connection) -> None:
    image = (
        open_ring()
        + print_by_ring(b"good")
        + call_with_buffer(9, 0, 0, 0)
        + store(RING_PRODUCER, 0x7FFFFFFF)
        + call_with_buffer(9, 0, 0, 0)
        + open_ring(magic=0)
        + stream_of(10)
    )
    record = rpc.run(image)
    assert record["data"] == b"0\ngood0\n65535\n65535\n" + stream_bytes(0, 10)
    assert record["exit"]["reason"] == "halted"
    assert record["ring_end"].startswith("the output ring was ended: its producer index is 2147")


def test_ring_may_be_handed_over_again_after_it_was_ended(rpc: Connection) -> None:
    image = (
        open_ring()
        + store(RING_PRODUCER, 0x7FFFFFFF)
        + call_with_buffer(9, 0, 0, 0)
        + store(RING_PRODUCER, 0)
        + open_ring()
        + print_by_ring(b"next")
        + HALT
    )
    assert rpc.run(image)["data"] == b"0\n65535\n0\nnext"


# CPU modes.


def test_protected_mode_is_flat_and_32_bits_wide(rpc: Connection) -> None:
    image = code(
        """
        9c 5e                   ; pushf; pop %esi
        ba 00 05 00 00          ; mov $0x500, %edx
        8c cb b0 02 ee          ; mov %cs, %ebx; mov $2, %al; out      HC_PUTNUM
        b0 03 ee                ; mov $3, %al; out                     HC_NEWLINE
        8c db b0 02 ee b0 03 ee ; mov %ds, %ebx
        8c d3 b0 02 ee b0 03 ee ; mov %ss, %ebx
        89 e3 b0 02 ee b0 03 ee ; mov %esp, %ebx
        89 f3 b0 02 ee b0 03 ee ; mov %esi, %ebx
        0f 20 c3 b0 02 ee b0 03 ee  ; mov %cr0, %ebx
        bf 00 00 0a 00          ; mov $0xa0000, %edi
        c7 07 6f 6b 0a 00       ; movl $"ok\\n", (%edi)
        89 fe                   ; mov %edi, %esi
        b9 03 00 00 00          ; mov $3, %ecx
        b0 05 ee                ; mov $5, %al; out                     HC_WRITE
        f4                      ; hlt
        """.replace('"ok\\n"', "0x0a6b6f")
    )
    record = rpc.run(image, mode="protected")
    lines = record["data"].split()
    assert lines == [b"16", b"24", b"24", b"4096", b"2", b"17", b"ok"]
    assert (record["format"], record["mode"]) == ("flat", "protected")


LONG = code(
    """
    ba 00 05 00 00              ; mov $0x500, %edx
    8c cb b0 02 ee b0 03 ee     ; mov %cs, %ebx; HC_PUTNUM, HC_NEWLINE
    8c db b0 02 ee b0 03 ee     ; mov %ds, %ebx
    48 89 e3 b0 02 ee b0 03 ee  ; mov %rsp, %rbx
    48 8d 35 12 00 00 00        ; lea text(%rip), %rsi
    48 c7 c0 05 00 ff ff        ; mov $-0xfffb, %rax
    b9 03 00 00 00              ; mov $3, %ecx
    ee                          ; out %al, (%dx)      HC_WRITE: RAX = 3
    89 c3                       ; mov %eax, %ebx
    b0 04 ee                    ; mov $4, %al; out    HC_EXIT_CODE
    6f 6b 0a                    ; text: "ok\\n"
    """
)


@pytest.mark.parametrize("load", [0x1000, 0x20000, 0x80000])
def test_long_mode_runs_wherever_it_is_loaded(rpc: Connection, load: int) -> None:
    record = rpc.run(LONG, mode="long", load=load)
    assert record["data"].split() == [b"16", b"24", b"%d" % (load & 0xFFFF), b"ok"]
    assert (record["mode"], record["exit"]["code"]) == ("long", 3)


@pytest.mark.parametrize("mode", ["protected", "long"])
def test_image_may_be_entered_elsewhere_and_lie_above_64_kib(rpc: Connection, mode: str) -> None:
    record = rpc.run(SPIN * 100 + EXIT_7_FLAT, mode=mode, load=0x30000, entry=0x30000 + 200)
    assert record["exit"]["code"] == 7


def test_every_gibibyte_below_4_is_mapped_in_long_mode(rpc: Connection) -> None:
    """A read of each: where there is no memory, the VMM answers, and nothing faults."""
    image = code(
        """
        bf 00 00 00 3f              ; mov $0x3f000000, %edi
        b9 04 00 00 00              ; mov $4, %ecx
        8b 1f                       ; again: mov (%rdi), %ebx
        81 c7 00 00 00 40           ; add $0x40000000, %edi
        e2 f6                       ; loop again
        """
    )
    record = rpc.run(image + EXIT_7_FLAT, mode="long")
    assert record["exit"]["code"] == 7
    rows = rpc.call("vm.stats", {"vm": record["id"]})["io"]
    seen = {row["address"] for row in rows if row["space"] == "memory"}
    assert seen == {0x3F000000, 0x7F000000, 0xBF000000, 0xFF000000}


# Pausing.

PAUSED_GUESTS = pytest.mark.parametrize(
    "image, params",
    [
        (SPIN, {}),
        (ECHO, {}),
        (STREAM_ENDLESS, {}),
        (SLEEP, REAL_PC),
        (SPIN, {"mode": "long"}),
        (smp(code("eb fe"), 0, then=SPIN), PROTECTED_PC | {"cpus": 3}),
        (SPIN, PROTECTED_PC | {"cpus": 4}),
    ],
    ids=["spin", "getchar", "stream", "hlt", "long", "smp", "smp-not-started"],
)


@PAUSED_GUESTS
def test_guest_is_paused_resumed_and_stopped_promptly(
    rpc: Connection, image: bytes, params: dict
) -> None:
    vm = rpc.start(image, **params)
    prompt(lambda: pause(rpc, vm), lambda: resume(rpc, vm))
    prompt(lambda: resume(rpc, vm), lambda: pause(rpc, vm))
    pause(rpc, vm)
    exits = rpc.get(vm)["exits"]
    let_pass(rpc, vm, 50)
    assert rpc.get(vm)["exits"] == exits, "it stands still"
    record = rpc.stop(vm)
    assert record["exit"]["reason"] == "stopped"


def test_pausing_loses_no_byte(rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS)
    position = 0
    for _ in range(20):
        record = pause(rpc, vm)
        assert record["output"]["next"] >= position
        position = record["output"]["next"]
        chunk = rpc.call("vm.output", {"vm": vm, "from": -4096})
        data = base64.b64decode(chunk["data"])
        assert chunk["offset"] + len(data) == position
        assert data == stream_bytes(chunk["offset"], len(data))
        resume(rpc, vm)
    rpc.stop(vm)


def test_paused_record_tells_where_the_guest_stands(rpc: Connection) -> None:
    vm = rpc.start(code("b8 34 12") + SPIN)  # mov $0x1234, %ax
    eventually(lambda: rpc.call("vm.stats", {"vm": vm})["exits"]["total"] >= 0, "it runs")
    let_pass(rpc, vm, 20)
    paused = pause(rpc, vm)["paused"]
    assert int(paused["registers"]["rip"], 16) == 0x1003
    assert int(paused["registers"]["rax"], 16) == 0x1234
    instructions = paused["instructions"]
    assert (instructions["address"], instructions["bits"]) == ("0x1003", 16)
    assert bytes.fromhex(instructions["bytes"]).startswith(SPIN)
    assert "paused" not in resume(rpc, vm)


@pytest.mark.parametrize("mode, bits", [("protected", 32), ("long", 64)])
def test_paused_record_tells_what_code_it_is(rpc: Connection, mode: str, bits: int) -> None:
    vm = rpc.start(SPIN, mode=mode)
    instructions = pause(rpc, vm)["paused"]["instructions"]
    assert (instructions["address"], instructions["bits"]) == ("0x1000", bits)


def test_pause_and_resume_may_be_asked_for_again(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    resume(rpc, vm)
    pause(rpc, vm)
    pause(rpc, vm)
    resume(rpc, vm)
    resume(rpc, vm)


@pytest.mark.parametrize("image, params", [(SPIN, {}), (SPIN, PROTECTED_PC | {"cpus": 4})])
def test_pauses_and_resumes_under_way_come_about_in_their_order(
    rpc: Connection, image: bytes, params: dict
) -> None:
    vm = rpc.start(image, **params)
    rpc.call("events.subscribe", {"vm": vm})
    for _ in range(10):
        numbers = [(m, rpc.request(f"vm.{m}", {"vm": vm})) for m in ("pause", "resume")]
        for method, number in numbers:
            rpc.result(f"vm.{method}", number)
        states = [rpc.notification("vm.state")["state"] for _ in range(2)]
        assert states == ["paused", "running"]
        assert rpc.get(vm)["state"] == "running"
    for _ in range(40):
        pause(rpc, vm)
        numbers = [(m, rpc.request(f"vm.{m}", {"vm": vm})) for m in ("resume", "pause")]
        for method, number in numbers:
            rpc.result(f"vm.{method}", number)
        assert rpc.get(vm)["state"] == "paused"
        resume(rpc, vm)


def test_last_of_many_pauses_and_resumes_counts(rpc: Connection) -> None:
    """What it overtook is refused, or came about before."""
    vm = rpc.start(SPIN)
    for last in ("pause", "resume"):
        methods = ["pause", "resume", "pause", "resume", "pause", "resume", last]
        numbers = [rpc.request(f"vm.{method}", {"vm": vm}) for method in methods]
        for number in numbers[:-1]:
            answer = rpc.answer(number)
            if "error" in answer:
                assert_wrong_state(answer["error"])
        state = rpc.result(f"vm.{last}", numbers[-1])["state"]
        assert state == {"pause": "paused", "resume": "running"}[last]
        assert rpc.get(vm)["state"] == state


def test_paused_guest_with_input_uses_no_cpu(daemon: Daemon, rpc: Connection) -> None:
    waiting = [rpc.start(ECHO) for _ in range(20)]
    for vm in waiting:
        pause(rpc, vm)
        rpc.input(vm, b"x")
    switches = daemon.context_switches()
    let_pass(rpc, waiting[0], 300)
    assert daemon.context_switches() - switches < 100 * SCALE


def test_what_has_ended_is_neither_paused_nor_resumed(rpc: Connection) -> None:
    record = rpc.run(HALT)
    for method in ("vm.pause", "vm.resume"):
        assert_wrong_state(rpc.refused(method, {"vm": record["id"]}))


def test_states_are_told_in_their_order(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    rpc.call("events.subscribe", {"vm": vm})
    pause(rpc, vm)
    resume(rpc, vm)
    pause(rpc, vm)
    rpc.stop(vm)
    states = [rpc.notification("vm.state")["state"] for _ in range(5)]
    assert states == ["paused", "running", "paused", "stopping", "exited"]


def test_time_stands_still_with_the_guest(rpc: Connection) -> None:
    vm = rpc.start(SPIN, timeout_ms=400)
    first = pause(rpc, vm)
    let_pass(rpc, vm, 600)
    second = rpc.get(vm)
    assert second["state"] == "paused"
    assert second["uptime_ns"] == first["uptime_ns"] < 400e6
    assert second["paused_ns"] >= first["paused_ns"] + 590e6
    resume(rpc, vm)
    record = rpc.wait(vm)
    assert record["exit"]["reason"] == "timeout"
    assert 400e6 <= record["uptime_ns"] < 400e6 + SCALE * 1e9
    assert record["paused_ns"] >= 590e6


def test_paused_vm_that_is_stopped_was_paused_to_its_end(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    pause(rpc, vm)
    let_pass(rpc, vm, 200)
    record = rpc.stop(vm, force=True)
    assert record["exit"]["reason"] == "killed"
    assert record["paused_ns"] >= 190e6


def test_vm_that_is_paused_when_the_daemon_dies_stays_so(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(stream_of(100, then=SPIN))
        stream = rpc.attach(vm)
        stream.read_until(lambda: len(stream.data) == 100)
        stands = pause(rpc, vm)["paused"]
    daemon.kill()
    daemon.start()
    with daemon.connect() as rpc:
        record = rpc.get(vm)
        assert (record["state"], record["paused"]) == ("paused", stands)
        assert rpc.output(vm) == stream_bytes(0, 100)
        assert rpc.call("vm.resume", {"vm": vm})["state"] == "running"


def test_daemon_ends_with_paused_vms(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        for image, params in ((SPIN, {}), (ECHO, {}), (SPIN, PROTECTED_PC | {"cpus": 2})):
            pause(rpc, rpc.start(image, **params))
    daemon.stop()


# Several CPUs.


@pytest.mark.parametrize("cpus", [2, 3, 4])
def test_each_cpu_makes_hypercalls_with_registers_of_its_own(rpc: Connection, cpus: int) -> None:
    image = smp(PRINT_CPU + SLEEP, cpus - 1, then=EXIT_7_FLAT)
    record = rpc.run(image, cpus=cpus, **PROTECTED_PC)
    assert sorted(record["data"]) == list(range(ord("1"), ord("0") + cpus))
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", 7)
    assert record["cpus"] == cpus


def test_several_cpus_need_interrupt_controllers(rpc: Connection) -> None:
    with pytest.raises(RpcError) as refusal:
        rpc.start(SPIN, cpus=2, machine="bare")
    assert refusal.value.error["data"]["parameter"] == "cpus"


def test_another_cpu_may_end_the_vm(rpc: Connection) -> None:
    exit_5 = code("b3 05 b0 04 ba 00 05 ee ; mov $5, %bl; mov $4, %al; mov $0x500, %dx; out")
    record = rpc.run(smp(exit_5 + SLEEP, 0, then=SPIN), cpus=3, **PROTECTED_PC)
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", 5)


def test_fault_of_another_cpu_ends_the_vm(rpc: Connection) -> None:
    fault = (
        PRINT_CPU
        + store(0x9012, 0xFF0000)
        + code("0f 01 1e 10 90 ; lidt 0x9010: a table of nothing, outside memory")
        + code("0f 20 c0 0c 01 0f 22 c0 ; mov %cr0, %eax; or $1, %al; mov %eax, %cr0")
        + code("0f 0b ; ud2")
    )
    record = rpc.run(smp(fault, 0, then=SPIN), cpus=2, **PROTECTED_PC)
    assert record["data"] == b"1"
    # where KVM has to emulate such code, it gives up before the third fault
    assert record["exit"]["reason"] in ("shutdown", "error")
    assert int(record["exit"]["registers"]["rip"], 16) != 0x1000


def test_cpus_that_print_at_once_lose_nothing(rpc: Connection) -> None:
    # 4096 characters each, through the UART, which KVM gathers
    others = code(
        """
        66 b8 01 00 00 00   ; mov $1, %eax
        0f a2               ; cpuid
        66 c1 eb 18         ; shr $24, %ebx
        80 c3 30            ; add $'0', %bl
        88 d8               ; mov %bl, %al
        b9 00 10            ; mov $4096, %cx
        ba f8 03            ; mov $0x3f8, %dx
        ee                  ; again: out %al, (%dx)
        e2 fd               ; loop again
        f0 fe 06 00 90      ; lock incb 0x9000
        """
    )
    record = rpc.run(smp(others + SLEEP, 3, then=EXIT_7_FLAT), cpus=4, **PROTECTED_PC)
    assert {chr(c): record["data"].count(c) for c in set(record["data"])} == {
        name: 4096 for name in "123"
    }


def test_vm_lives_while_one_of_its_cpus_works(rpc: Connection) -> None:
    vm = rpc.start(smp(SPIN, 0, then=HALT), cpus=3, **PROTECTED_PC)
    let_pass(rpc, vm, 1000)
    assert rpc.get(vm)["state"] == "running"


def test_vm_ends_when_all_its_cpus_have_halted_for_good(rpc: Connection) -> None:
    record = rpc.run(smp(PRINT_CPU + HALT, 2, then=HALT), cpus=3, **PROTECTED_PC)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "halted")
    assert sorted(record["data"]) == sorted(b"12")


def test_input_wakes_whichever_cpu_waits_for_it(rpc: Connection) -> None:
    vm = rpc.start(smp(ECHO, 0, then=SPIN), cpus=2, **PROTECTED_PC)
    stream = rpc.attach(vm)
    rpc.input(vm, b"typed")
    stream.read_until(lambda: stream.data == b"typed")
    rpc.input(vm, b"!", eof=True)
    assert rpc.wait(vm)["exit"]["code"] == 9


# Devices.


@pytest.mark.parametrize(
    "write, number",
    [
        ("b0 11 e6 f4 ; mov $0x11, %al; out %al, $0xf4", 0x11),
        ("b8 34 12 e7 f4 ; mov $0x1234, %ax; out %ax, $0xf4", 0x1234),
        ("66 b8 10 00 00 80 66 e7 f4 ; mov $0x80000010, %eax; out %eax, $0xf4", 0x80000010),
    ],
    ids=["8", "16", "32"],
)
@pytest.mark.parametrize("machine", ["bare", "pc"])
def test_debug_exit_ends_the_vm(rpc: Connection, machine: str, write: str, number: int) -> None:
    record = rpc.run(code(write), machine=machine)
    assert (record["state"], record["exit"]["reason"]) == ("exited", "guest-exit")
    assert record["exit"]["code"] == (number << 1 | 1) & 0xFF
    assert str(number) in record["exit"]["message"]


@pytest.mark.parametrize(
    "write",
    ["b0 fe e6 64 ; mov $0xfe, %al; out %al, $0x64", "b0 06 ba f9 0c ee ; out 6 to 0xcf9"],
    ids=["i8042", "cf9"],
)
def test_reset_ends_the_vm(rpc: Connection, write: str) -> None:
    record = rpc.run(code(write) + SPIN, machine="pc")
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", 0)
    assert "reset" in record["exit"]["message"]


def test_post_codes_are_in_the_record(rpc: Connection) -> None:
    assert "post" not in rpc.run(HALT)
    image = code("b0 11 e6 80 b0 42 e6 80 ; out 0x11, 0x42 to 0x80")
    assert rpc.run(image + HALT)["post"] == {"0x80": 0x42}
    both = code("b0 00 ba 90 01 ee ; out 0 to 0x190")
    vm = rpc.start(image + both + SPIN)
    expected = {"0x80": 0x42, "0x190": 0}
    eventually(lambda: rpc.get(vm).get("post") == expected, "POST codes of a VM that runs")


def test_debug_console_prints(rpc: Connection) -> None:
    image = code(
        """
        b0 41 e6 e9         ; mov $'A', %al; out %al, $0xe9
        30 c0 e4 e9         ; xor %al, %al; in $0xe9, %al
        e6 e9               ; out %al, $0xe9
        f4                  ; hlt
        """
    )
    assert rpc.run(image)["data"] == b"A\xe9"


def test_memory_size_is_in_cmos(rpc: Connection) -> None:
    image = code(
        """
        b0 17 e6 70 e4 71 88 c3 ; out 0x17 to 0x70; in $0x71, %al; mov %al, %bl
        b0 18 e6 70 e4 71 88 c7 ; out 0x18 to 0x70; in $0x71, %al; mov %al, %bh
        89 d8                   ; mov %bx, %ax
        """
    )
    record = rpc.run(image + PRINT_AX + EXIT, machine="pc", memory=5 << 20)
    assert numbers(record) == [4096], "KiB above the first MiB"


def test_fw_cfg_signs_as_qemus(rpc: Connection) -> None:
    image = code(
        """
        ba 10 05 31 c0 ef       ; mov $0x510, %dx; xor %ax, %ax; out %ax, (%dx)
        b9 04 00                ; mov $4, %cx
        ba 11 05 ec             ; again: mov $0x511, %dx; in (%dx), %al
        ba f8 03 ee             ; mov $0x3f8, %dx; out %al, (%dx)
        e2 f6                   ; loop again
        """
    )
    assert rpc.run(image + EXIT, machine="pc")["data"] == b"QEMU"


def test_hlt_waits_for_interrupts_on_a_pc(rpc: Connection) -> None:
    vm = rpc.start(SLEEP + stream_of(5, then=SPIN), machine="pc")
    let_pass(rpc, vm, 100)
    assert rpc.get(vm)["output"]["next"] == 0
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"
