"""Image formats: each is loaded, entered as it says, and finds what it is promised."""
import struct
from pathlib import Path
from typing import Any

import pytest

from harness import elf
from harness.client import Client
from harness.images import code
from harness.rpc import Connection, as_data
from harness.settings import GUESTS

MIB = 0x100000

# These do the same in 32-bit and in 64-bit code.

PRINT_TEXT_AT_EDI = code(
    """
    8a 07           ; next: mov (%edi), %al
    84 c0           ; test %al, %al
    74 0a           ; jz end
    ba f8 03 00 00  ; mov $0x3f8, %edx
    ee              ; out %al, (%dx)
    ff c7           ; inc %edi
    eb f0           ; jmp next
                    ; end:
    """
)

EXIT = code(
    """
    30 c0           ; xor %al, %al          HC_EXIT
    ba 00 05 00 00  ; mov $0x500, %edx
    ee              ; out %al, (%dx)
    """
)


def print_at(address: int) -> bytes:
    return b"\xbf" + struct.pack("<I", address) + PRINT_TEXT_AT_EDI + EXIT  # mov $address, %edi


def assert_prints(rpc: Connection, image: bytes, expected: bytes, **params: Any) -> dict:
    record = rpc.run(image, **params)
    assert record["exit"]["reason"] == "guest-exit", record
    assert record["data"] == expected
    return record


# rom


def rom(size: int) -> bytes:
    """Jumps to its first byte, which is at 1 MiB less its size, and prints the last of its bytes."""
    start = code(
        """
        2e a0 ff ff     ; mov %cs:0xffff, %al
        ba f8 03        ; mov $0x3f8, %dx
        ee              ; out %al, (%dx)
        30 c0           ; xor %al, %al
        ba 00 05        ; mov $0x500, %dx
        ee              ; out %al, (%dx)
        """
    )
    jump = b"\xea" + struct.pack("<HH", 0x10000 - 4096, 0xF000)
    last_page = start.ljust(4096 - 16, b"\xf4") + jump.ljust(15, b"\0") + b"!"
    return bytes(size - 4096) + last_page


@pytest.mark.parametrize("size", [4096, 65536, 131072, 262144])
def test_rom_is_entered_at_its_reset_vector_and_seen_below_1_mib(rpc: Connection, size: int) -> None:
    record = assert_prints(rpc, rom(size), b"!", format="rom")
    assert (record["format"], record["machine"]) == ("rom", "pc")


@pytest.mark.parametrize("size", [65536, 131072, 262144])
def test_rom_of_a_usual_size_is_recognised(rpc: Connection, size: int) -> None:
    assert assert_prints(rpc, rom(size), b"!")["note"] == "recognised as rom"


# elf


def elf32(content: bytes, entry: int) -> bytes:
    """One segment, the whole file, at 1 MiB; the content is 0x100 bytes in."""
    header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 3, 1, entry, 52, 0, 0, 52,
                         32, 1, 40, 0, 0)
    size = 0x100 + len(content)
    segment = struct.pack("<8I", 1, 0, MIB, MIB, size, size, 7, 4096)
    return (header + segment).ljust(0x100, b"\0") + content


def elf64(content: bytes, entry: int) -> bytes:
    return elf.elf64(content, entry, MIB)


def test_elf_file_of_32_bits_runs_in_protected_mode(rpc: Connection) -> None:
    image = elf32(b"elf32\0" + print_at(MIB + 0x100), entry=MIB + 0x106)
    record = assert_prints(rpc, image, b"elf32")
    assert (record["format"], record["machine"], record["mode"]) == ("elf", "bare", "protected")


def test_elf_file_of_64_bits_runs_in_long_mode(rpc: Connection) -> None:
    image = elf64(b"elf64\0" + print_at(MIB + 0x100), entry=MIB + 0x106)
    record = assert_prints(rpc, image, b"elf64")
    assert (record["format"], record["machine"], record["mode"]) == ("elf", "bare", "long")


def test_elf_file_has_a_stack(rpc: Connection) -> None:
    start = code(
        """
        e8 06 00 00 00  ; call after
        73 74 61 63 6b 00 ; "stack"
        5f              ; after: pop %edi
        """
    )
    image = elf64(start + PRINT_TEXT_AT_EDI + EXIT, entry=MIB + 0x100)
    assert_prints(rpc, image, b"stack")


def test_elf_file_for_another_machine_is_refused_by_its_name(rpc: Connection) -> None:
    image = elf.elf64(b"", MIB, MIB, elf.RISCV)
    error = rpc.refused("vm.start", {"image": as_data(image)})
    assert "is a RISC-V image; this host runs x86-64 guests" in error["message"]


def test_kernel_for_another_machine_is_refused_by_its_name(rpc: Connection) -> None:
    image = bytes(0x38) + b"RSC\x05" + bytes(1000)
    error = rpc.refused("vm.start", {"image": as_data(image)})
    assert "is a Linux kernel for riscv64; this host runs x86-64 guests" in error["message"]
    rpc.stop(rpc.start(image, format="flat"))


# multiboot

CHECK_EAX = code(
    """
    3d 02 b0 ad 2b  ; cmp $0x2badb002, %eax
    74 02           ; je 1f
    eb fe           ; jmp .
                    ; 1:
    """
)

PRINT_COMMAND_LINE = b"\x8b\x7b\x10" + PRINT_TEXT_AT_EDI  # mov 16(%ebx), %edi

PRINT_MODULE_AND_ITS_TEXT = (
    b"\x8b\x43\x18\x8b\x38"  # mov 24(%ebx), %eax; mov (%eax), %edi
    + PRINT_TEXT_AT_EDI
    + b"\x8b\x43\x18\x8b\x78\x08"  # mov 24(%ebx), %eax; mov 8(%eax), %edi
    + PRINT_TEXT_AT_EDI
)


def multiboot(flags: int, *addresses: int) -> bytes:
    checksum = -(0x1BADB002 + flags) % 2**32
    return struct.pack("<8I", 0x1BADB002, flags, checksum, *(addresses or [0] * 5))


def test_multiboot_kernel_by_its_addresses_finds_its_command_line(rpc: Connection) -> None:
    header = multiboot(0x10000, MIB, MIB, 0, 0, MIB + 32)
    image = header + CHECK_EAX + PRINT_COMMAND_LINE + EXIT
    record = assert_prints(rpc, image, b"a command line", append="a command line")
    assert (record["format"], record["machine"]) == ("multiboot", "pc")


@pytest.mark.parametrize("file", [elf32, elf64])
def test_multiboot_kernel_in_an_elf_file_finds_its_module(rpc: Connection, file: Any) -> None:
    image = file(multiboot(3) + CHECK_EAX + PRINT_MODULE_AND_ITS_TEXT + EXIT, entry=MIB + 0x120)
    module = as_data(b"module, \0") | {"arguments": "arguments"}
    record = assert_prints(rpc, image, b"module, arguments", modules=[module])
    assert record["mode"] == "protected"


# linux

PRINT_LINUX_COMMAND_LINE = b"\x8b\xbe\x28\x02\x00\x00" + PRINT_TEXT_AT_EDI  # mov 0x228(%esi), %edi
PRINT_INITRD = b"\x8b\xbe\x18\x02\x00\x00" + PRINT_TEXT_AT_EDI  # mov 0x218(%esi), %edi


def bzimage(content: bytes, xloadflags: int) -> bytes:
    """A kernel that has the same at both its entries."""
    content = (content.ljust(0x200, b"\xf4") * 2).ljust(0x400, b"\xf4")
    setup = bytearray(1024)
    for offset, form, value in (
        (0x1F1, "B", 1),  # setup_sects
        (0x1F4, "I", len(content) // 16),  # syssize
        (0x1FE, "H", 0xAA55),
        (0x200, "H", 0x6AEB),
        (0x202, "4s", b"HdrS"),
        (0x206, "H", 0x020F),  # version
        (0x211, "B", 1),  # loadflags
        (0x22C, "I", 0x7FFFFFFF),  # initrd_addr_max
        (0x230, "I", MIB),  # kernel_alignment
        (0x234, "B", 1),  # relocatable_kernel
        (0x236, "H", xloadflags),
        (0x238, "I", 255),  # cmdline_size
        (0x258, "Q", 2 * MIB),  # pref_address
        (0x260, "I", 4096),  # init_size
    ):
        struct.pack_into("<" + form, setup, offset, value)
    return bytes(setup) + content


@pytest.mark.parametrize(("xloadflags", "mode"), [(0, "protected"), (1, "long")])
def test_linux_kernel_finds_its_command_line_and_its_initrd(
    rpc: Connection, xloadflags: int, mode: str
) -> None:
    image = bzimage(PRINT_LINUX_COMMAND_LINE + PRINT_INITRD + EXIT, xloadflags)
    record = assert_prints(rpc, image, b"console=ttyS0, initrd", append="console=ttyS0, ",
                           initrd=as_data(b"initrd\0"))
    assert (record["format"], record["machine"], record["mode"]) == ("linux", "pc", mode)


# By vmmctl.


def test_files_of_a_kernel_come_by_the_client(vmmctl: Client, rpc: Connection, folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).write_text(name)
    modules = ["--module", f"{folder}/one,first argument, and another", "--module", folder / "two"]
    started = vmmctl("start", *modules, "--append", "a=b", GUESTS / "multiboot.elf")
    assert started.returncode == 0, started
    record = rpc.wait(1)
    assert (record["format"], record["machine"], record["cpus"]) == ("multiboot", "pc", 1)
    refused = vmmctl("start", "--initrd", folder / "one", GUESTS / "hello.bin")
    assert refused.returncode == 2 and "initrd" in refused.stderr, refused


# What does not fit a format.


@pytest.mark.parametrize(
    ("parameter", "params"),
    [
        ("append", {"append": "x"}),
        ("initrd", {"initrd": as_data(b"x")}),
        ("modules", {"modules": [as_data(b"x")]}),
    ],
)
def test_parameter_that_a_flat_image_has_no_use_for_is_refused(
    rpc: Connection, parameter: str, params: dict
) -> None:
    error = rpc.refused("vm.start", {"image": as_data(b"\xf4"), "format": "flat"} | params)
    assert f"'{parameter}' does not go with format flat" in error["message"]


def test_image_that_is_nothing_else_is_flat_and_the_record_says_so(rpc: Connection) -> None:
    record = rpc.run(b"\xf4")
    assert record["format"] == "flat"
    assert record["note"] == "taken as flat: it has no other format's magic"
