/*
 * Linker script of the flat guests: one image, first byte entered, linked for where it is loaded.
 */
#include "guests/riscv64/board.h"

OUTPUT_ARCH(riscv)
ENTRY(_start)

SECTIONS
{
    . = GUEST_MEMORY_BASE;
    .image : { *(.text.start) *(.text .text.*) *(.rodata .rodata.*) *(.data .data.*) }
    .bss : { *(.bss .bss.*) } /* not in the image: memory is zero at the start */
    /DISCARD/ : { *(*) }
}
