/*
 * multiboot: a kernel in C for the Multiboot specification, version 0.6.96. It prints what its
 * loader tells it: the command line, the map of memory, the modules; and ends.
 *
 *   vmmctl run --append 'quiet root=none' build/guests/multiboot.elf
 *
 * Exits: an HC_WRITE for each piece of text, and HC_EXIT_CODE.
 */
#include "guests/x86/guest.h"

#define MULTIBOOT_HEADER_MAGIC 0x1badb002u
#define MULTIBOOT_LOADER_MAGIC 0x2badb002u
#define MULTIBOOT_MEMORY_INFO  0x00000002u /* of the header: the kernel wants to know of memory */

/* Section 3.1.1, "The layout of Multiboot header": within the file's first 8 KiB. */
__attribute__((section(".header"), used)) static const struct {
    uint32_t magic, flags, checksum;
} header = {
    MULTIBOOT_HEADER_MAGIC,
    MULTIBOOT_MEMORY_INFO,
    -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_MEMORY_INFO),
};

/* Section 3.3, "Boot information format"; flags tell which fields are there. */
enum { HAS_COMMAND_LINE = 1 << 2, HAS_MODULES = 1 << 3, HAS_MAP = 1 << 6 };

struct information {
    uint32_t flags;
    uint32_t memory_lower, memory_upper;
    uint32_t boot_device;
    uint32_t command_line;
    uint32_t module_count, modules;
    uint32_t symbols[4];
    uint32_t map_size, map;
};

struct module {
    uint32_t start, end;
    uint32_t text;
    uint32_t reserved;
};

struct map_entry {
    uint32_t size; /* of what follows */
    uint64_t base;
    uint64_t length;
    uint32_t type;
} __attribute__((packed));

enum { MAP_AVAILABLE = 1 };

static const void *at(uint32_t address)
{
    return (const void *)(uintptr_t)address;
}

static void print_range(const char *what, uint64_t start, uint64_t end)
{
    print(what);
    print_hex(start);
    print(" to ");
    print_hex(end);
    print(": ");
}

static void print_map(const struct information *information)
{
    uint32_t next = information->map, end = next + information->map_size;

    while (next < end) {
        const struct map_entry *entry = at(next);

        print_range("memory ", entry->base, entry->base + entry->length - 1);
        print(entry->type == MAP_AVAILABLE ? "available\n" : "reserved\n");
        next += entry->size + sizeof(entry->size);
    }
}

static void print_modules(const struct information *information)
{
    const struct module *modules = at(information->modules);

    for (uint32_t i = 0; i < information->module_count; i++) {
        print_range("module ", modules[i].start, modules[i].end - 1);
        print(at(modules[i].text));
        print("\n");
    }
}

__attribute__((used)) void kernel_main(uint32_t magic, const struct information *information)
{
    if (magic != MULTIBOOT_LOADER_MAGIC) {
        print("this is no Multiboot loader\n");
        guest_exit(1);
    }
    if (information->flags & HAS_COMMAND_LINE) {
        print("command line: ");
        print(at(information->command_line));
        print("\n");
    }
    if (information->flags & HAS_MAP)
        print_map(information);
    if (information->flags & HAS_MODULES)
        print_modules(information);
    guest_exit(0);
}

/* Section 3.2, "Machine state": EAX and EBX have the arguments, and there is no stack yet. */
__attribute__((used)) static _Alignas(16) char stack[4096];

__asm__(".globl _start\n"
        "_start:\n"
        "    mov $stack + 4096, %esp\n"
        "    push %ebx\n"
        "    push %eax\n"
        "    call kernel_main\n");
