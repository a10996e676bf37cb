#!/usr/bin/env python3
"""Makes the image samples beside it: FORMAT/accept-NAME and FORMAT/reject-NAME, a few bytes each.

They are what the fuzz targets start from (tests/fuzz/fuzz_FORMAT.c says what is in them), and
tests/unit/test_image_corpus.c holds the loaders to their names. What a fuzz target finds is added
here, or as a file of its own.
"""

import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
CODE = b"\xf4\xeb\xfd"  # hlt; jmp back

samples = {}


def add(name, data):
    samples[name] = bytes(data)


def patched(data, *patches):
    """The data with (offset, format, value) written over it."""
    data = bytearray(data)
    for offset, form, value in patches:
        struct.pack_into("<" + form, data, offset, value)
    return bytes(data)


# flat: image, load, entry, which are given, mode

def flat(load, entry, given, mode):
    return CODE + struct.pack("<QQBB", load, entry, given, mode)


add("flat/accept-plain", CODE)
add("flat/accept-real", flat(0x7C00, 0x7C00, 7, 0))
add("flat/accept-protected", flat(0x8000, 0x8001, 7, 1))
add("flat/accept-long", flat(0x8000, 0, 5, 2))
add("flat/accept-reset", flat(0, 0, 4, 3))
add("flat/accept-wraps", flat(2**64 - 1, 1, 7, 2))
add("flat/accept-boot-sector", CODE.ljust(510, b"\0") + b"\x55\xaa")
add("flat/reject-empty", b"")


# rom: bytes before these, in units of 8, then the end of the ROM

def rom(before, size=4096):
    vector = b"\xea\x5b\xe0\x00\xf0".ljust(16, b"\0")
    return struct.pack("<H", before // 8) + bytes(size - 18) + vector


add("rom/accept-4k", rom(0))
add("rom/accept-8k", rom(0, 8192))
add("rom/reject-64k-in-fuzz", rom(65536 - 32, 32))
add("rom/reject-256k-in-fuzz", rom(262144 - 32, 32))
add("rom/reject-512k-in-fuzz", rom(524288 - 32, 32))
add("rom/reject-half-page", rom(0, 2048))
add("rom/reject-erased", bytes(4096))


# elf: System V ABI, "ELF Header" and "Program Header"

def segment32(offset, vaddr, paddr, filesz, memsz, kind=1):
    return struct.pack("<8I", kind, offset, vaddr, paddr, filesz, memsz, 7, 0x1000)


def segment64(offset, vaddr, paddr, filesz, memsz, kind=1):
    return struct.pack("<IIQQQQQQ", kind, 7, offset, vaddr, paddr, filesz, memsz, 0x1000)


def elf32(entry, segments, code=CODE, machine=3):
    header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, machine, 1, entry, 52, 0, 0,
                         52, 32, len(segments), 40, 0, 0)
    return (header + b"".join(segments)).ljust(0x100, b"\0") + code


def elf64(entry, segments, code=CODE, machine=62):
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, entry, 64, 0, 0,
                         64, 56, len(segments), 64, 0, 0)
    return (header + b"".join(segments)).ljust(0x100, b"\0") + code


MIB = 0x100000
HIGH = 0xFFFFFFFF80000000
one32 = elf32(MIB, [segment32(0x100, MIB, MIB, 3, 0x2000)])
one64 = elf64(MIB, [segment64(0x100, MIB, MIB, 3, 0x2000)])
add("elf/accept-32", one32)
add("elf/accept-64", one64)
add("elf/accept-low", elf64(0x2000, [segment64(0x100, 0x2000, 0x2000, 3, 3)]))
add("elf/accept-high-half", elf64(HIGH + MIB, [segment64(0x100, HIGH + MIB, MIB, 3, 3)]))
add("elf/accept-two-segments", elf64(MIB, [segment64(0x100, MIB, MIB, 3, 0x1000),
                                           segment64(0, MIB + 0x1000, MIB + 0x1000, 0x40, 0x40)]))
add("elf/accept-note", elf64(MIB, [segment64(0x100, 0, 0, 3, 3, 4),
                                   segment64(0x100, MIB, MIB, 3, 3)]))
add("elf/reject-overlap", elf64(MIB, [segment64(0x100, MIB, MIB, 3, 0x1001),
                                      segment64(0, MIB + 0x1000, MIB + 0x1000, 0x40, 0x40)]))
add("elf/reject-interpreter", elf64(MIB, [segment64(0x100, MIB, MIB, 3, 3),
                                          segment64(0x100, 0, 0, 1, 1, 3)]))
add("elf/reject-wraps", elf64(2**64 - 1, [segment64(0x100, 2**64 - 1, 2**64 - 1, 3, 3)]))
add("elf/reject-offset-wraps", elf64(MIB, [segment64(2**64 - 2, MIB, MIB, 3, 3)]))
add("elf/reject-memory-size", elf64(MIB, [segment64(0x100, MIB, MIB, 3, 2**64 - 1)]))
add("elf/reject-riscv", elf64(MIB, [segment64(0x100, MIB, MIB, 3, 3)], machine=243))
add("elf/reject-dynamic", patched(one64, (16, "H", 3)))
add("elf/reject-big-endian", patched(one64, (5, "B", 2)))
add("elf/reject-many-headers", patched(one64, (56, "H", 0xFFFF)))
add("elf/reject-far-headers", patched(one64, (32, "Q", 2**64 - 8)))
add("elf/reject-short", one64[:40])


# multiboot: Multiboot Specification 0.6.96, section 3.1

def multiboot(flags, *addresses):
    return struct.pack("<III", 0x1BADB002, flags, -(0x1BADB002 + flags) % 2**32) + \
        struct.pack("<5I", *(addresses or [0] * 5))


def kludge(header_addr, load, load_end, bss_end, entry, flags=0x10003, before=4):
    return bytes(before) + multiboot(flags, header_addr, load, load_end, bss_end, entry) + CODE


add("multiboot/accept-addresses", kludge(MIB + 4, MIB, 0, 0, MIB + 36))
add("multiboot/accept-bss", kludge(MIB + 4, MIB, MIB + 39, MIB + 0x4000, MIB + 36))
add("multiboot/accept-part", kludge(MIB, MIB, MIB + 35, 0, MIB + 32))
add("multiboot/accept-low", kludge(0x2004, 0x2000, 0, 0x3000, 0x2024))
add("multiboot/accept-elf-32", elf32(MIB, [segment32(0, MIB, MIB, 0x123, 0x2000)],
                                     CODE + bytes(1) + multiboot(3)))
add("multiboot/accept-elf-64", elf64(MIB, [segment64(0, MIB, MIB, 0x123, 0x2000)],
                                     CODE + bytes(1) + multiboot(3)))
add("multiboot/accept-second-header", struct.pack("<III", 0x1BADB002, 1, 2) +
    kludge(MIB, MIB, 0, 0, MIB + 32))
add("multiboot/reject-video", kludge(MIB + 4, MIB, 0, 0, MIB + 36, flags=0x10007))
add("multiboot/reject-requirement", kludge(MIB + 4, MIB, 0, 0, MIB + 36, flags=0x18000))
add("multiboot/reject-before-the-file", kludge(MIB + 5, MIB, 0, 0, MIB + 36))
add("multiboot/reject-wraps", kludge(2**32 - 1, 2**32 - 5, 0, 0, 2**32 - 1))
add("multiboot/reject-load-end", kludge(MIB + 4, MIB, 2**32 - 1, 0, MIB + 36))
add("multiboot/reject-bss-end", kludge(MIB + 4, MIB, 0, MIB + 1, MIB + 36))
add("multiboot/reject-entry", kludge(MIB + 4, MIB, 0, 0, MIB + 39))
add("multiboot/reject-no-elf", kludge(0, 0, 0, 0, 0, flags=3))
add("multiboot/reject-short", multiboot(0x10000)[:20])
add("multiboot/reject-two", struct.pack("<II", 0xE85250D6, 0))


# linux: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"

def bzimage(*patches):
    data = patched(bytes(0x220 + 1024),
                   (0x1F1, "B", 1), (0x1F4, "I", 0x22), (0x1FE, "H", 0xAA55), (0x200, "H", 0x6AEB),
                   (0x202, "4s", b"HdrS"), (0x206, "H", 0x20F), (0x211, "B", 1),
                   (0x214, "I", MIB), (0x22C, "I", 0x7FFFFFFF), (0x230, "I", MIB), (0x234, "B", 1),
                   (0x236, "H", 1), (0x238, "I", 2047), (0x258, "Q", MIB), (0x260, "I", 0x8000))
    return patched(data, *patches)


add("linux/accept-64", bzimage())
add("linux/accept-32", bzimage((0x236, "H", 0)))
add("linux/accept-immovable", bzimage((0x234, "B", 0)))
add("linux/accept-old", bzimage((0x206, "H", 0x206)))
add("linux/accept-short-header", bzimage((0x201, "B", 0x3A)))
add("linux/reject-older", bzimage((0x206, "H", 0x205)))
add("linux/reject-zimage", bzimage((0x211, "B", 0)))
add("linux/reject-header-end", bzimage((0x201, "B", 0x39)))
add("linux/reject-setup-sects", bzimage((0x1F1, "B", 255)))
add("linux/reject-syssize", bzimage((0x1F4, "I", 2**32 - 1)))
add("linux/reject-alignment", bzimage((0x230, "I", 3)))
add("linux/reject-preference", bzimage((0x258, "Q", 2**64 - 1)))
add("linux/reject-init-size", bzimage((0x260, "I", 2**32 - 1)))
add("linux/reject-low", bzimage((0x258, "Q", 0x1000), (0x230, "I", 0x1000), (0x260, "I", 0x9F000)))
add("linux/reject-short", bzimage()[:0x220])

for name, data in samples.items():
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
