"""ELF files that a test makes of a few bytes."""
import struct

X86_64, RISCV = 62, 243  # e_machine


def elf64(content: bytes, entry: int, address: int, machine: int = X86_64) -> bytes:
    """One segment, the whole file, at the address; the content is 0x100 bytes in."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, entry, 64, 0, 0,
                         64, 56, 1, 64, 0, 0)
    size = 0x100 + len(content)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 0, address, address, size, size, 4096)
    return (header + segment).ljust(0x100, b"\0") + content
