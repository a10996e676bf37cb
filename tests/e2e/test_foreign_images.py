"""Guests that were not written for vmmd, from Debian's packages, and what they ask of a CPU.

They run in the lab machine, always. Elsewhere they run if the lab has fetched them, and if the host's
own KVM is up to them.
"""
import platform
import re
from pathlib import Path
from typing import Any

import pytest

from harness.cpio import cpio
from harness.images import EXIT_7_FLAT, KERNEL_MACHINE, code
from harness.rpc import Connection, Stream
from harness.settings import DEBIAN, EMULATED

MIB = 0x100000

SECONDS = 40  # for what takes a kernel ten or twenty seconds in the lab

X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="an image for x86-64")


# What kernels need of a CPU, a small guest each

# A page of 4 MiB where it is, for the code, and one of 4 KiB elsewhere, for the byte: the image.
PAGING = code(
    """
    bf 00 80 00 00                  ; mov $0x8000, %edi
    c7 07 83 00 00 00               ; movl $0x83, (%edi)            0: 4 MiB
    c7 87 00 04 00 00 03 90 00 00   ; movl $0x9003, 0x400(%edi)     1 GiB: table at 0x9000
    c7 87 04 10 00 00 03 10 00 00   ; movl $0x1003, 0x1004(%edi)    its second page: 0x1000
    0f 20 e0                        ; mov %cr4, %eax
    0c 10                           ; or $0x10, %al                 PSE
    0f 22 e0                        ; mov %eax, %cr4
    0f 22 df                        ; mov %edi, %cr3
    0f 20 c0                        ; mov %cr0, %eax
    0d 00 00 00 80                  ; or $0x80000000, %eax          PG
    0f 22 c0                        ; mov %eax, %cr0
    a0 42 10 00 40                  ; mov 0x40001042, %al           the last byte of these
    ba f8 03 00 00                  ; mov $0x3f8, %edx
    ee                              ; out %al, (%dx)
    eb 01                           ; jmp over it
    2a                              ; '*'
    """
)

# Either is 32-bit and 64-bit code: with a stack, prints the byte 6 * 7, which is '*'.

X87 = code(
    """
    db e3                   ; fninit
    6a 06                   ; push $6
    db 04 24                ; fildl (%esp)
    c7 04 24 07 00 00 00    ; movl $7, (%esp)
    da 0c 24                ; fimull (%esp)
    db 1c 24                ; fistpl (%esp)
    58                      ; pop %eax
    ba f8 03 00 00          ; mov $0x3f8, %edx
    ee                      ; out %al, (%dx)
    """
)

SSE = code(
    """
    0f 20 e0                ; mov %cr4, %eax
    80 cc 06                ; or $0x6, %ah          OSFXSR, OSXMMEXCPT
    0f 22 e0                ; mov %eax, %cr4
    6a 06                   ; push $6
    f2 0f 2a 04 24          ; cvtsi2sd (%esp), %xmm0
    c7 04 24 07 00 00 00    ; movl $7, (%esp)
    f2 0f 2a 0c 24          ; cvtsi2sd (%esp), %xmm1
    f2 0f 59 c1             ; mulsd %xmm1, %xmm0
    0f 57 c9                ; xorps %xmm1, %xmm1
    f2 0f 58 c1             ; addsd %xmm1, %xmm0
    f2 0f 2c c0             ; cvttsd2si %xmm0, %eax
    ba f8 03 00 00          ; mov $0x3f8, %edx
    ee                      ; out %al, (%dx)
    """
)


def run_small(rpc: Connection, image: bytes, mode: str) -> dict:
    """Runs one of these. Some hosts' KVM interprets what a CPU could run, and knows not all of it."""
    record = rpc.run(image + EXIT_7_FLAT, mode=mode)
    if record["exit"]["reason"] in ("error", "shutdown") and not EMULATED:
        pytest.skip("this host's CPUs for guests are not up to it; the lab's are")
    return record


@X86
@pytest.mark.parametrize(
    ("image", "mode"),
    [(PAGING, "protected"), (X87, "protected"), (X87, "long"), (SSE, "protected"), (SSE, "long")],
    ids=["paging-32", "x87-32", "x87-64", "sse-32", "sse-64"],
)
def test_guest_has_what_its_cpu_has(rpc: Connection, image: bytes, mode: str) -> None:
    record = run_small(rpc, image, mode)
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", 7), record
    assert record["data"] == b"*"


# Whole programs


def debian(path: str) -> Path:
    """A file of Debian's, or the test is skipped."""
    file = DEBIAN / path
    if not file.exists() and not EMULATED:
        pytest.skip(f"no {file.name} here: ./dev lab fetches it")
    return file


def start(rpc: Connection, image: str, **params: Any) -> tuple[int, Stream]:
    vm = rpc.start(debian(image), **params)
    return vm, rpc.attach(vm)


def require_whole_cpu(rpc: Connection) -> None:
    """For kernels, which use all of it, and would take minutes to fail."""
    for image, mode in ((PAGING, "protected"), (X87, "long"), (SSE, "long")):
        if platform.machine() == "x86_64":
            run_small(rpc, image, mode)


def read_until(stream: Stream, pattern: bytes) -> "re.Match[bytes]":
    """Reads until the guest has printed something, in whatever pieces."""
    found = None

    def printed() -> bool:
        nonlocal found
        found = found or re.search(pattern, stream.data)
        return bool(found or stream.exit)

    stream.read_until(printed, seconds=SECONDS)
    if not found:
        pytest.fail(f"the guest ended: {stream.exit}; it printed {bytes(stream.data[-2000:])!r}")
    return found


@X86
@pytest.mark.parametrize("image", ["memtest86+x64.bin", "memtest86+ia32.bin"])
def test_memtest86_writes_its_first_pattern(rpc: Connection, image: str) -> None:
    require_whole_cpu(rpc)
    vm, stream = start(rpc, f"boot/{image}", memory=64 * MIB, append="console=ttyS0,115200")
    assert rpc.get(vm)["format"] == "linux"
    read_until(stream, rb"of 63\.\dMB\]")  # all of its memory, but the hole below 1 MiB
    read_until(stream, rb"ern: 0x[0-9a-f]{8}")
    read_until(stream, rb"Status: Testing")
    rpc.stop(vm)


@X86
@pytest.mark.parametrize("image", ["bios.bin", "bios-256k.bin", "bios-microvm.bin"])
def test_seabios_finds_the_machine_and_looks_for_a_disk(rpc: Connection, image: str) -> None:
    """As far as it comes without PCI, a keyboard and a disk: to the end of its own start."""
    vm, stream = start(rpc, f"usr/share/seabios/{image}", memory=64 * MIB)
    record = rpc.get(vm)
    assert (record["format"], record["machine"]) == ("rom", "pc")
    read_until(stream, rb"\ASeaBIOS \(version ")
    for line in (
        rb"Found QEMU fw_cfg",
        rb"RamSize: 0x04000000 \[cmos\]",
        rb"Found 1 cpu\(s\) max supported 1 cpu\(s\)",
        rb"Found 1 serial ports",
        rb"Booting from Hard Disk\.\.\.\nBoot failed: could not read the boot disk",
        rb"No bootable device\.",
    ):
        read_until(stream, line)
    rpc.stop(vm)


# The console stays the shell's alone; `reboot` has no init to ask.
INIT = b"""#!/busybox sh
/busybox mkdir -p /dev /proc
/busybox mount -t devtmpfs dev /dev
/busybox mount -t proc proc /proc
PS1='guest> ' exec /busybox sh </dev/ttyS0 >/dev/ttyS0 2>&1
"""


def test_debians_kernel_boots_to_a_prompt_that_answers(rpc: Connection, folder: Path) -> None:
    require_whole_cpu(rpc)
    busybox = debian("bin/busybox")
    initrd = folder / "initrd"
    initrd.write_bytes(cpio({"init": INIT, "busybox": busybox.read_bytes()}))
    params = {
        "image": {"fd": True, "name": "vmlinuz"},
        "initrd": {"fd": True, "name": "initrd"},
        "memory": 256 * MIB,
        "cpus": 2,
        "append": "console=ttyS0 panic=-1 quiet",
    }
    with debian("boot/vmlinuz").open("rb") as kernel, initrd.open("rb") as disk:
        vm = rpc.call("vm.start", params, [kernel.fileno(), disk.fileno()])["id"]
    stream = rpc.attach(vm)
    record = rpc.get(vm)
    assert (record["format"], record["machine"]) == ("linux", KERNEL_MACHINE)
    read_until(stream, rb"guest> ")

    def run(line: str) -> None:
        rpc.call("vm.input", {"vm": vm, "data": line + "\n", "encoding": "utf-8"})

    run("echo $((6 * 7)) is the answer; /busybox uname -m; /busybox nproc")
    answer = read_until(stream, rb"\n(\d+) is the answer\r\n(\w+)\r\n(\d+)\r\n")
    assert (answer[1], answer[2].decode(), answer[3]) == (b"42", platform.machine(), b"2")

    run("/busybox reboot -f")
    stream.read_to_end(seconds=SECONDS)
    assert stream.exit["reason"] == "guest-exit", stream.exit
