/*
 * Linker script of the flat guests: one image, first byte entered, linked for where it is loaded.
 *
 * A guest that defines guest_size says how long its image must be; any other length is an error.
 */
#include "guests/x86/board.h"

OUTPUT_FORMAT(binary)
ENTRY(_start)

SECTIONS
{
    . = GUEST_LOAD_ADDRESS;
    .image : { *(.text.start) *(.text .text.*) *(.rodata .rodata.*) *(.data .data.*) }
    .bss : { *(.bss .bss.*) } /* not in the image: memory is zero at the start */
    /DISCARD/ : { *(*) }
}

ASSERT(DEFINED(guest_size) ? guest_size == SIZEOF(.image) : 1, "the image is not guest_size long")
