/*
 * hello64: C in long mode. It starts with the page tables it is given, which map the first 4 GiB at
 * their own addresses, makes tables of its own that map one page in the upper half as well, and
 * shows that what it writes there is seen in the page itself.
 *
 *   vmmctl run --mode long build/guests/hello64.bin
 *
 * Exits: 9 (8 HC_WRITE, HC_EXIT_CODE).
 *
 * Built without SSE, because the kernel of a machine has to switch that on first, and without a red
 * zone, because an interrupt would put its frame there.
 */
#include "guests/x86/guest.h"

/* Intel SDM vol. 3A, "4-Level Paging and 5-Level Paging". */
#define ENTRIES      512
#define PRESENT      0x1
#define WRITABLE     0x2
#define ADDRESS_MASK 0x000ffffffffff000

#define UPPER_HALF 0xffff800000000000 /* the first address of entry 256 of the top table */

static _Alignas(4096) uint64_t top[ENTRIES], pointers[ENTRIES], directory[ENTRIES], table[ENTRIES];
static _Alignas(4096) char page[4096];

static uint64_t entry_for(const void *target)
{
    return (uintptr_t)target | PRESENT | WRITABLE;
}

static uint64_t *tables_in_use(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return (uint64_t *)(cr3 & ADDRESS_MASK);
}

/* Maps page at UPPER_HALF, and all else as it was. */
static void map_page(void)
{
    top[0] = tables_in_use()[0]; /* the first 512 GiB */
    top[256] = entry_for(pointers);
    pointers[0] = entry_for(directory);
    directory[0] = entry_for(table);
    table[0] = entry_for(page);
    __asm__ volatile("mov %0, %%cr3" : : "r"(top) : "memory");
}

static void copy_text(char *to, const char *from)
{
    while ((*to++ = *from++))
        ;
}

static void print_address(const char *what, const volatile void *address)
{
    print(what);
    print_hex((uintptr_t)address);
    print("\n");
}

GUEST_ENTRY void _start(void) /* NOLINT(bugprone-reserved-identifier): the linker's */
{
    print("Hello, long mode!\n");
    map_page();
    copy_text((char *)UPPER_HALF, "written above, read below\n");
    print_address("the page is at ", page);
    print_address("and at         ", (void *)UPPER_HALF);
    print(page);
    guest_exit(0);
}
