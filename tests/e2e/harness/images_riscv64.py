"""What images.py has, for riscv64: flat images, entered in supervisor mode; they run wherever they are."""
from harness.listing import code

ENDED = "guest-exit"  # how those of guests/ end that have no other way
MEMORY, LOAD, OTHER_LOAD = 0x80000000, 0x80000000, 0x80008000  # as on x86
KERNEL_MACHINE = "virt"  # the one that kernels get
MODE = "supervisor"
HELLO_SIZE = 56
CALLS_SHOWN = r"^riscv_sbi +721$"  # by `vmmctl stats` of multiplication.bin
PROGRAM_COUNTER = "pc"
SPIN_SHOWN = (r"\bpc +0x80000000\b", r"^0x80000000 +6f 00 00 00 +j\b")  # by `vmmctl status --registers`
CRASH_SHOWN = r"\bpc +0x40000000\b"  # where its handler would be: there are no instructions to show

HALT = code(
    """
    73 00 50 10 ; again: wfi
    6f f0 df ff ; j again
    """
)

HALT_FOR_EVER = HALT  # it waits in KVM on any machine

SPIN = code("6f 00 00 00 ; j .")

# Prints "AB" through the UART, then makes no exit ever again. KVM gathers the B (coalesced MMIO).
PRINT_THEN_SPIN = code(
    """
    b7 02 00 10 ; lui t0, 0x10000
    13 03 10 04 ; li t1, 'A'
    23 80 62 00 ; sb t1, (t0)
    13 03 20 04 ; li t1, 'B'
    23 80 62 00 ; sb t1, (t0)
    6f 00 00 00 ; j .
    """
)

# Prints "!", then has a trap whose handler is where no memory is.
TRIPLE_FAULT = code(
    """
    b7 02 00 10 ; lui t0, 0x10000
    13 03 10 02 ; li t1, '!'
    23 80 62 00 ; sb t1, (t0)
    73 10 50 10 ; csrw stvec, zero
    73 10 00 c0 ; unimp
    """
)

# What KVM gives up on: an instruction for memory that is none, and that it does not emulate.
JUMP_OUT_OF_MEMORY = code(
    """
    b7 02 00 10 ; lui t0, 0x10000
    2f a0 02 00 ; amoadd.w zero, zero, (t0)
    """
)

# Prints the low 16 bits of the address that it runs at, the lowest byte first.
PRINT_PLACE = (
    code(
        """
        17 03 00 00 ; auipc t1, 0
        b7 02 00 10 ; lui t0, 0x10000
        23 80 62 00 ; sb t1, (t0)
        13 53 83 00 ; srli t1, t1, 8
        23 80 62 00 ; sb t1, (t0)
        """
    )
    + HALT
)

# One hypercall, HC_EXIT.
EXIT = code(
    """
    13 08 00 00 ; li a6, HC_EXIT
    b7 08 00 09 ; lui a7, 0x9000
    93 88 08 50 ; addi a7, a7, 0x500
    73 00 00 00 ; ecall
    """
)

# Copies input to output, 4 KiB at a time, until the end of input: HC_READ and HC_WRITE, and
# HC_GETCHAR to wait. Much input takes it little time.
COPY = code(
    """
    17 24 00 00 ; auipc s0, 2
    b7 08 00 09 ; lui a7, 0x9000
    93 88 08 50 ; addi a7, a7, 0x500
    13 05 04 00 ; again: mv a0, s0
    b7 15 00 00 ; lui a1, 1
    13 08 60 00 ; li a6, HC_READ
    73 00 00 00 ; ecall
    63 8a 05 00 ; beqz a1, wait
    13 05 04 00 ; mv a0, s0
    13 08 50 00 ; li a6, HC_WRITE
    73 00 00 00 ; ecall
    6f f0 1f fe ; j again
    13 08 70 00 ; wait: li a6, HC_GETCHAR
    73 00 00 00 ; ecall
    63 ca 05 00 ; bltz a1, end
    13 85 05 00 ; mv a0, a1
    13 08 10 00 ; li a6, HC_PUTCHAR
    73 00 00 00 ; ecall
    6f f0 5f fc ; j again
    13 08 00 00 ; end: li a6, HC_EXIT
    73 00 00 00 ; ecall
    """
)

# Prints the stream without end, through the UART.
STREAM_ENDLESS = code(
    """
    b7 02 00 10 ; lui t0, 0x10000
    93 03 b0 0f ; li t2, 251
    13 03 00 00 ; again: li t1, 0
    23 80 62 00 ; next: sb t1, (t0)
    13 03 13 00 ; addi t1, t1, 1
    e3 6c 73 fe ; bltu t1, t2, next
    6f f0 1f ff ; j again
    """
)


def stream_of(size: int, then: bytes = HALT) -> bytes:
    """Prints size bytes of the stream, then goes on with an instruction of its own."""
    assert size >= 1
    return (
        code(
            """
            17 0e 00 00 ; auipc t3, 0
            03 2e 0e 03 ; lw t3, 48(t3)
            b7 02 00 10 ; lui t0, 0x10000
            93 03 b0 0f ; li t2, 251
            13 03 00 00 ; li t1, 0
            23 80 62 00 ; next: sb t1, (t0)
            13 03 13 00 ; addi t1, t1, 1
            63 64 73 00 ; bltu t1, t2, more
            13 03 00 00 ; li t1, 0
            13 0e fe ff ; more: addi t3, t3, -1
            e3 16 0e fe ; bnez t3, next
            6f 00 80 00 ; j over
            """
        )
        + size.to_bytes(4, "little")
        + then
    )


def print_text(text: bytes, then: bytes = HALT) -> bytes:
    """Prints a text through the UART, then goes on with an instruction of its own."""
    start = code(
        """
        17 03 00 00 ; auipc t1, 0
        83 23 c3 02 ; lw t2, 44(t1)     where the text is
        03 2e 03 03 ; lw t3, 48(t1)     how long it is
        33 03 73 00 ; add t1, t1, t2
        b7 02 00 10 ; lui t0, 0x10000
        63 00 0e 02 ; next: beqz t3, done
        83 4e 03 00 ; lbu t4, (t1)
        23 80 d2 01 ; sb t4, (t0)
        13 03 13 00 ; addi t1, t1, 1
        13 0e fe ff ; addi t3, t3, -1
        6f f0 df fe ; j next
        """
    )
    address = len(start) + 8 + len(then)
    return start + address.to_bytes(4, "little") + len(text).to_bytes(4, "little") + then + text


# Registers, by number.
A0, A1, A2, A6, A7, S1, S2 = 10, 11, 12, 16, 17, 9, 18

HYPERCALLS = 0x09000500  # extensions of the SBI
BASE = 0x10
DBCN = 0x4442434E
HSM = 0x48534D
SRST = 0x53525354
TIME = 0x54494D45

ECALL = code("73 00 00 00 ; ecall")


def word(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def addi(register: int, source: int, number: int) -> bytes:
    return word(number << 20 | source << 15 | register << 7 | 0x13)


def upper(opcode: int, register: int, number: int) -> bytes:
    """LUI or AUIPC, and the ADDI that a number of 31 bits and a sign takes besides."""
    low = ((number & 0xFFF) ^ 0x800) - 0x800  # addi extends the sign
    first = word((number - low) & 0xFFFFF000 | register << 7 | opcode)
    return first + addi(register, register, low)


def li(register: int, number: int) -> bytes:
    return upper(0x37, register, number)


def mv(register: int, source: int) -> bytes:
    return addi(register, source, 0)


def address_of(register: int, offset: int) -> bytes:
    """What lies `offset` bytes after the first of these two instructions."""
    return upper(0x17, register, offset)


def call(extension: int, function: int) -> bytes:
    """To the SBI. a0 and a1 are its results, error and value."""
    return li(A7, extension) + li(A6, function) + ECALL


def hypercall(number: int) -> bytes:
    return call(HYPERCALLS, number)


def print_number(register: int) -> bytes:
    """In decimal, and a line feed. Not a0 itself, nor a6 nor a7; a0 and a1 are lost."""
    return mv(A0, register) + hypercall(2) + hypercall(3)


def print_results() -> bytes:
    """a0, an error whose sign is turned, and a1, the value."""
    return (
        mv(S1, A1)
        + code("33 05 a0 40 ; neg a0, a0")
        + hypercall(2)
        + hypercall(3)
        + print_number(S1)
    )


def exit_code(number: int) -> bytes:
    return li(A0, number) + hypercall(4)


def start_hart(hart: int, then: bytes, others: bytes) -> bytes:
    """Starts a hart on `others`, with its number in a0, and goes on."""
    rest = li(A0, hart) + call(HSM, 0) + then
    return address_of(A1, 8 + len(rest)) + rest + others


EXIT_7_FLAT = exit_code(7)
