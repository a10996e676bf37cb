/*
 * ELF executable: its program headers say what goes where (System V ABI, edition 4.1, chapters 4
 * and 5, "ELF Header" and "Program Header").
 */
#pragma once

#include "image/layout.h"
#include "image/loader.h"

enum { ELF_SEGMENTS_MAX = 64 };

/* How a file whose segments are in memory is to be entered. */
struct elf_entry {
    gpa_t address;
    enum boot_mode mode;
    uint64_t reach; /* see struct elf_target */
};

/* Whether the file begins with the magic. */
bool elf_recognise(const struct image_probe *probe);

/*
 * Enters every loadable segment in the layout, at its physical address, and copies it to memory.
 * Errors: -ENOEXEC (not an executable for this architecture, or a header that is not sound).
 */
int elf_load(const struct image_file *file, struct layout *layout, struct guest_memory *memory,
             struct elf_entry *ret, struct error *err);

/* Entered at e_entry, in the mode of its class, with a stack of its own. */
extern const struct image_loader elf_loader;
