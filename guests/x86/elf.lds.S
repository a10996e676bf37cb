/*
 * Linker script of the guests that are ELF files: linked for 1 MiB, where kernels are put. What a
 * loader looks for in the file's first bytes comes first.
 */
ENTRY(_start)

SECTIONS
{
    . = 0x100000;
    .text : { *(.header) *(.text .text.*) }
    .rodata : { *(.rodata .rodata.*) }
    . = ALIGN(0x1000); /* a segment of its own: writable, not code */
    .data : { *(.data .data.*) }
    .bss : { *(.bss .bss.*) }
    /DISCARD/ : { *(.note .note.* .comment) }
}
