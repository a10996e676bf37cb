"""Guests that the tests need beside those of guests/: flat images, entered at 0x1000 in real mode.

A listing has the bytes of an instruction in hex, then ';' and what they mean (AT&T syntax).
"""


def code(listing: str) -> bytes:
    return bytes.fromhex("".join(line.partition(";")[0] for line in listing.splitlines()))


HALT = code("f4 ; hlt")

HALT_FOR_EVER = code("fa f4 ; cli; hlt")  # on a PC, whose HLT waits for an interrupt

SPIN = code("eb fe ; jmp .")

# Prints "AB" through the UART, then makes no exit ever again. KVM gathers the B (coalesced I/O).
PRINT_THEN_SPIN = code(
    """
    ba f8 03    ; mov $0x3f8, %dx
    b0 41       ; mov $'A', %al
    ee          ; out %al, (%dx)
    b0 42       ; mov $'B', %al
    ee          ; out %al, (%dx)
    eb fe       ; jmp .
    """
)

# An undefined instruction, without a table of interrupts for it or for the fault of that: the CPU
# looks at the table's limit; KVM, where it emulates real mode, only at the table, outside memory.
TRIPLE_FAULT = code(
    """
    ba f8 03            ; mov $0x3f8, %dx
    b0 21 ee            ; mov $'!', %al; out %al, (%dx)
    0f 01 1e 0d 10      ; lidt 0x100d
    0f 0b               ; ud2
    00 00 00 00 ff 00   ; 0x100d: limit 0, base 0xff0000
    """
)

# Goes on where there is no memory (with 64 KiB of it): KVM has no instruction to run or to emulate.
JUMP_OUT_OF_MEMORY = code("ea 00 00 00 20 ; ljmp $0x2000, $0")

# One hypercall, HC_EXIT.
EXIT = code(
    """
    30 c0       ; xor %al, %al
    ba 00 05    ; mov $0x500, %dx
    ee          ; out %al, (%dx)
    """
)

STREAM_PERIOD = 251  # a prime: no gap of a round number of bytes goes unnoticed


def stream_bytes(start: int, size: int) -> bytes:
    """What the streams have from byte start on: each byte is its offset modulo the period."""
    period = bytes(range(STREAM_PERIOD))
    skip = start % STREAM_PERIOD
    return (period * ((skip + size) // STREAM_PERIOD + 1))[skip : skip + size]


# Prints the stream without end, through the UART.
STREAM_ENDLESS = code(
    """
    ba f8 03    ; mov $0x3f8, %dx
    30 c0       ; again: xor %al, %al
    ee          ; next: out %al, (%dx)
    fe c0       ; inc %al
    3c fb       ; cmp $251, %al
    72 f9       ; jb next
    eb f5       ; jmp again
    """
)


def stream_of(size: int, then: bytes = HALT) -> bytes:
    """Prints size bytes of the stream (1 to 65536), then goes on with an instruction of its own."""
    assert 1 <= size <= 65536
    return (
        code("ba f8 03 ; mov $0x3f8, %dx")
        + code("b9")  # mov $size, %cx; 0 makes 65536 rounds of the loop
        + (size % 65536).to_bytes(2, "little")
        + code(
            """
            30 c0       ; xor %al, %al
            ee          ; next: out %al, (%dx)
            fe c0       ; inc %al
            3c fb       ; cmp $251, %al
            72 02       ; jb more
            30 c0       ; xor %al, %al
            e2 f5       ; more: loop next
            """
        )
        + then
    )


def print_text(text: bytes, then: bytes = HALT) -> bytes:
    """Prints a text by one string instruction, then goes on with an instruction of its own."""
    start = code("ba f8 03 ; mov $0x3f8, %dx")
    count = len(text).to_bytes(2, "little")
    # after the start: mov $text, %si (3 bytes), mov $count, %cx (3), rep outsb (2)
    address = 0x1000 + len(start) + 8 + len(then)
    return (
        start
        + code("be")
        + address.to_bytes(2, "little")
        + code("b9")
        + count
        + code("f3 6e ; rep outsb")
        + then
        + text
    )
