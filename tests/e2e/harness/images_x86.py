"""What images.py has, for x86: flat images, entered at 0x1000 in real mode. Listings have AT&T syntax."""
from harness.listing import code

ENDED = "halted"  # how those of guests/ end that have no other way
MEMORY, LOAD, OTHER_LOAD = 0, 0x1000, 0x7C00  # where it begins; where a flat image goes, and may go
KERNEL_MACHINE = "pc"  # the one that kernels get
MODE = "real"
HELLO_SIZE = 28
CALLS_SHOWN = r"^port +0x500 +out +720 "  # by `vmmctl stats` of multiplication.bin
PROGRAM_COUNTER = "rip"
SPIN_SHOWN = (r"\brip +0x1000\b", r"^0x1000 +eb fe +jmp\b")  # by `vmmctl status --registers`
# on AMD, KVM resets a CPU that shuts down: arch/x86/kvm/svm/svm.c, shutdown_interception()
CRASH_SHOWN = r"\brip +0xfff0\b|^0x[0-9a-f]+ +([0-9a-f]{2} )+"

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

# Prints the low 16 bits of the address that it runs at, the lowest byte first.
PRINT_PLACE = code(
    """
    e8 00 00    ; call next
    58          ; next: pop %ax
    83 e8 03    ; sub $3, %ax
    ba f8 03    ; mov $0x3f8, %dx
    ee          ; out %al, (%dx)
    88 e0       ; mov %ah, %al
    ee          ; out %al, (%dx)
    f4          ; hlt
    """
)

# One hypercall, HC_EXIT.
EXIT = code(
    """
    30 c0       ; xor %al, %al
    ba 00 05    ; mov $0x500, %dx
    ee          ; out %al, (%dx)
    """
)

# Copies input to output, 4 KiB at a time, until the end of input: HC_READ and HC_WRITE, and
# HC_GETCHAR to wait. Much input takes it little time.
COPY = code(
    """
    be 00 20    ; again: mov $0x2000, %si
    b9 00 10    ; mov $0x1000, %cx
    b0 06       ; mov $HC_READ, %al
    ba 00 05    ; mov $0x500, %dx
    ee          ; out %al, (%dx)
    85 c0       ; test %ax, %ax
    74 07       ; jz wait
    89 c1       ; mov %ax, %cx
    b0 05       ; mov $HC_WRITE, %al
    ee          ; out %al, (%dx)
    eb e9       ; jmp again
    b0 07       ; wait: mov $HC_GETCHAR, %al
    ee          ; out %al, (%dx)
    84 e4       ; test %ah, %ah
    75 07       ; jnz end
    88 c3       ; mov %al, %bl
    b0 01       ; mov $HC_PUTCHAR, %al
    ee          ; out %al, (%dx)
    eb db       ; jmp again
    30 c0       ; end: xor %al, %al
    ee          ; out %al, (%dx)
    """
)

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


def slow_stream(rounds: int = 0x400000) -> bytes:
    """Prints the stream without end, with so many rounds of a loop between two bytes. In protected
    mode: there are hosts whose KVM emulates real mode, instruction by instruction."""
    return (
        code(
            """
            ba f8 03 00 00  ; mov $0x3f8, %edx
            30 c0           ; again: xor %al, %al
            ee              ; next: out %al, (%dx)
            """
        )
        + code("b9")  # mov $rounds, %ecx
        + rounds.to_bytes(4, "little")
        + code(
            """
            e2 fe           ; loop .
            fe c0           ; inc %al
            3c fb           ; cmp $251, %al
            72 f2           ; jb next
            eb ee           ; jmp again
            """
        )
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


# In 32-bit code, flat: HC_EXIT_CODE with code 7.
EXIT_7_FLAT = code(
    """
    b3 07           ; mov $7, %bl
    b0 04           ; mov $4, %al
    ba 00 05 00 00  ; mov $0x500, %edx
    ee              ; out %al, (%dx)
    """
)

# What a CPU of smp() does: prints its APIC id by HC_PUTCHAR, and says that it was here. 16-bit code.
PRINT_CPU = code(
    """
    66 b8 01 00 00 00   ; mov $1, %eax
    0f a2               ; cpuid
    66 c1 eb 18         ; shr $24, %ebx
    80 c3 30            ; add $'0', %bl
    b0 01               ; mov $1, %al
    ba 00 05            ; mov $0x500, %dx
    ee                  ; out %al, (%dx)
    f0 fe 06 00 90      ; lock incb 0x9000
    """
)

SLEEP = code("fb f4 eb fd ; sti; again: hlt; jmp again")


def smp(others: bytes, count: int, then: bytes) -> bytes:
    """Starts all other CPUs, on `others` (16-bit code, at 0x8000), waits until `count` of them have
    increased the byte at 0x9000, and goes on with 32-bit code. For mode protected, machine pc."""
    start = code(
        """
        bf 00 80 00 00                  ; mov $0x8000, %edi
        b9 00 02 00 00                  ; mov $512, %ecx
        f3 a4                           ; rep movsb
        bb 00 00 e0 fe                  ; mov $0xfee00000, %ebx     the local APIC
        c7 83 f0 00 00 00 ff 01 00 00   ; movl $0x1ff, 0xf0(%ebx)   it is enabled
        c7 83 00 03 00 00 00 45 0c 00   ; movl $0xc4500, 0x300(%ebx)   INIT, to all others
        c7 83 00 03 00 00 08 46 0c 00   ; movl $0xc4608, 0x300(%ebx)   SIPI: at 0x8000
        f3 90                           ; wait: pause
        """
    )
    wait = code("80 3d 00 90 00 00") + bytes([count]) + code("75 f5 ; cmpb $count, 0x9000; jne wait")
    # after the first instruction: mov $others, %esi (5 bytes)
    address = 0x1000 + 5 + len(start) + len(wait) + len(then)
    return code("be") + address.to_bytes(4, "little") + start + wait + then + others


# Echoes its input, by HC_GETCHAR and HC_PUTCHAR; at the end of it, HC_EXIT_CODE with code 9.
ECHO = code(
    """
    ba 00 05    ; mov $0x500, %dx
    b0 07       ; next: mov $7, %al
    ee          ; out %al, (%dx)
    84 e4       ; test %ah, %ah
    75 07       ; jnz end
    88 c3       ; mov %al, %bl
    b0 01       ; mov $1, %al
    ee          ; out %al, (%dx)
    eb f2       ; jmp next
    b3 09       ; end: mov $9, %bl
    b0 04       ; mov $4, %al
    ee          ; out %al, (%dx)
    """
)

# Echoes its input, by the UART's registers, and asks for it again and again.
ECHO_BY_POLLING = code(
    """
    ba fd 03    ; next: mov $0x3fd, %dx
    ec          ; poll: in (%dx), %al
    a8 01       ; test $1, %al
    74 fb       ; jz poll
    ba f8 03    ; mov $0x3f8, %dx
    ec          ; in (%dx), %al
    ee          ; out %al, (%dx)
    eb f1       ; jmp next
    """
)

# Prints AX in decimal, and a line feed.
PRINT_AX = code(
    """
    ba 00 05    ; mov $0x500, %dx
    89 c3       ; mov %ax, %bx
    b0 02       ; mov $2, %al
    ee          ; out %al, (%dx)
    b0 03       ; mov $3, %al
    ee          ; out %al, (%dx)
    """
)


def word(number: int) -> bytes:
    return number.to_bytes(2, "little")


def long(number: int) -> bytes:
    return number.to_bytes(4, "little")


def call_with_buffer(number: int, segment: int, offset: int, count: int) -> bytes:
    """A hypercall with a buffer; what it returns is printed. In 16-bit code; DS is 0 after it."""
    return (
        code("b8")
        + word(segment)
        + code("8e d8 ; mov $segment, %ax; mov %ax, %ds")
        + code("be")
        + word(offset)
        + code("b9")  # mov $offset, %si; mov $count, %cx
        + word(count)
        + code("b0")
        + bytes([number])
        + code("ba 00 05 ee ; mov $number, %al; mov $0x500, %dx; out %al, (%dx)")
        + PRINT_AX
        + code("31 c0 8e d8 ; xor %ax, %ax; mov %ax, %ds")
    )


def store(address: int, value: int) -> bytes:
    """movl $value, address, in 16-bit code"""
    return code("66 c7 06") + word(address) + long(value)


RING, RING_DATA = 0x2000, 0x3000
RING_PRODUCER = RING + 64


def open_ring(magic: int = 0x474E4952, size: int = 4096, data: int = RING_DATA) -> bytes:
    """HC_RING; what it returns is printed. In 16-bit code."""
    return (
        store(RING, magic)
        + store(RING + 8, size)
        + store(RING + 16, data)
        + call_with_buffer(8, 0, RING, 0)
    )


def print_by_ring(text: bytes) -> bytes:
    """Four characters at a time, from the ring's first byte on. In 16-bit code."""
    assert len(text) % 4 == 0
    numbers = [int.from_bytes(text[i : i + 4], "little") for i in range(0, len(text), 4)]
    stores = (store(RING_DATA + 4 * i, number) for i, number in enumerate(numbers))
    return b"".join(stores) + store(RING_PRODUCER, len(text))
