/*
 * Register dump: a vCPU's registers by name, the same shape on every architecture.
 *
 * Part of the state file (shared/vm_file.h): its layout is fixed.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

enum { REGISTER_DUMP_MAX = 48, REGISTER_NAME_SIZE = 8, REGISTER_DUMP_CODE_MAX = 16 };

struct register_value {
    char name[REGISTER_NAME_SIZE]; /* the architecture's own, lower case, NUL-terminated: "rip" */
    uint64_t value;
};

struct register_dump {
    uint64_t count; /* rows in use */
    struct register_value rows[REGISTER_DUMP_MAX];
    uint64_t code_address; /* of the instruction that is next, as the guest's program sees it */
    uint32_t code_bits;    /* what kind of code it is: 16, 32 or 64 */
    uint32_t code_size;    /* bytes known of it and those behind it; 0: none */
    uint8_t code[REGISTER_DUMP_CODE_MAX];
};

static_assert(sizeof(struct register_dump) ==
                  8 + REGISTER_DUMP_MAX * 16 + 16 + REGISTER_DUMP_CODE_MAX,
              "layout of state files");

/* Adds a row; a dump that is full stays as it is. name: shorter than REGISTER_NAME_SIZE. */
void register_dump_add(struct register_dump *dump, const char *name, uint64_t value);
