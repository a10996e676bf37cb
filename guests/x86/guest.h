/*
 * What a guest in C has of the machine: ports and hypercalls. For 32-bit and 64-bit code without an
 * operating system: -ffreestanding, no library.
 *
 * A hypercall's number goes in AL and its result comes back in the same register, so each is one
 * instruction for the compiler.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guests/hypercall.h"
#include "guests/x86/board.h"

/* For the function that the image begins with; flat.lds.S puts it there. */
#define GUEST_ENTRY __attribute__((section(".text.start"), used))

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* Any hypercall: argument is BX, buffer and size are SI and CX. Returns AX. */
static inline size_t hypercall(uint8_t number, size_t argument, const void *buffer, size_t size)
{
    size_t result = number;

    __asm__ volatile("outb %%al, %w1"
                     : "+a"(result)
                     : "d"(HYPERCALL_PORT), "b"(argument), "S"(buffer), "c"(size)
                     : "memory");
    return result;
}

/* Prints bytes of memory. A guest that wants every byte out calls until all were taken. */
static inline void print_bytes(const char *bytes, size_t size)
{
    while (size > 0) {
        size_t taken = hypercall(HC_WRITE, 0, bytes, size);

        if (taken > size)
            return; /* all ones: the address is wrong */
        bytes += taken;
        size -= taken;
    }
}

static inline void print(const char *text)
{
    size_t size = 0;

    while (text[size])
        size++;
    print_bytes(text, size);
}

/* With 0x before it and no leading zeros. */
static inline void print_hex(uint64_t value)
{
    char text[18];
    size_t at = sizeof(text);

    do {
        text[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    text[--at] = 'x';
    text[--at] = '0';
    print_bytes(text + at, sizeof(text) - at);
}

static inline _Noreturn void guest_exit(uint8_t code)
{
    hypercall(HC_EXIT_CODE, code, NULL, 0);
    for (;;)
        __asm__ volatile("cli; hlt"); /* where there is no hypercall */
}
