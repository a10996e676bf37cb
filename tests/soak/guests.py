"""Guests that no other test needs: streams that are printed by other means than the UART."""
from collections.abc import Callable

from harness.images import STREAM_ENDLESS, code, open_ring, stream_bytes

Expected = Callable[[int, int], bytes]  # what a guest prints: offset, size

STREAM_BY_HYPERCALL = code(
    """
    ba 00 05    ; mov $0x500, %dx
    30 db       ; again: xor %bl, %bl
    b0 01       ; next: mov $HC_PUTCHAR, %al
    ee          ; out %al, (%dx)
    fe c3       ; inc %bl
    80 fb fb    ; cmp $251, %bl
    72 f6       ; jb next
    eb f2       ; jmp again
    """
)

# Each byte is told at once: what the ring holds is printed whenever the VMM looks.
STREAM_BY_RING = open_ring() + code(
    """
    66 31 ff                ; xor %edi, %edi        the producer to be
    30 c0                   ; again: xor %al, %al
    66 89 f9                ; next: mov %edi, %ecx
    66 2b 0e 80 20          ; sub 0x2080, %ecx      the consumer
    66 81 f9 00 10 00 00    ; cmp $4096, %ecx
    72 0a                   ; jb put
    50                      ; push %ax
    b0 09                   ; mov $HC_NOTIFY, %al
    ba 00 05                ; mov $0x500, %dx
    ee                      ; out %al, (%dx)
    58                      ; pop %ax
    eb e5                   ; jmp next
    89 fe                   ; put: mov %di, %si
    81 e6 ff 0f             ; and $4095, %si
    88 84 00 30             ; mov %al, 0x3000(%si)
    66 47                   ; inc %edi
    66 89 3e 40 20          ; mov %edi, 0x2040      the producer
    fe c0                   ; inc %al
    3c fb                   ; cmp $251, %al
    72 ce                   ; jb next
    eb ca                   ; jmp again
    """
)

RING_OPENED = b"0\n"  # what open_ring() itself prints


def after(prefix: bytes) -> Expected:
    """A text, and the stream behind it."""

    def expected(offset: int, size: int) -> bytes:
        head = prefix[offset : offset + size]
        return head + stream_bytes(max(0, offset - len(prefix)), size - len(head))

    return expected


ENDLESS: dict[str, tuple[bytes, Expected]] = {
    "uart": (STREAM_ENDLESS, after(b"")),
    "hypercall": (STREAM_BY_HYPERCALL, after(b"")),
    "ring": (STREAM_BY_RING, after(RING_OPENED)),
}
