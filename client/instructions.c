#include "instructions.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "table.h"

#if HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

enum { BYTES_MAX = 64 };

struct listing {
    struct table *table;
    uint8_t bytes[BYTES_MAX];
    size_t size;
    uint64_t address; /* of bytes[0] */
};

static const struct table_column columns[] = {
    { "ADDRESS", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "BYTES", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "INSTRUCTION", TABLE_WORD, TABLE_RANK_ALWAYS },
};

static void read_bytes(struct listing *listing, const char *digits)
{
    unsigned byte;

    while (listing->size < BYTES_MAX && sscanf(digits, "%2x", &byte) == 1) {
        listing->bytes[listing->size++] = (uint8_t)byte;
        digits += strnlen(digits, 2);
    }
}

static void add_row(struct listing *listing, size_t start, size_t size, const char *text)
{
    char bytes[3 * BYTES_MAX + 1] = "";

    for (size_t i = 0; i < size; i++)
        snprintf(bytes + strlen(bytes), sizeof(bytes) - strlen(bytes), "%s%02x", i ? " " : "",
                 listing->bytes[start + i]);
    table_row(listing->table);
    table_cell(listing->table, "0x%" PRIx64, listing->address + start);
    table_cell(listing->table, "%s", bytes);
    table_cell(listing->table, "%s", text);
}

#if HAVE_CAPSTONE
/* Finds out, by the registers' names, whose instructions these are. */
static cs_err open_capstone(struct json_object *registers, int64_t bits, csh *ret)
{
    cs_mode x86_mode = bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16;
    cs_err result;

    if (field_get(registers, "rip")) {
        result = cs_open(CS_ARCH_X86, x86_mode, ret);
        if (result == CS_ERR_OK)
            cs_option(*ret, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT); /* as guests are written here */
        return result;
    }
#if CS_API_MAJOR >= 5
    if (field_get(registers, "stvec"))
        return cs_open(CS_ARCH_RISCV, CS_MODE_RISCV64 | CS_MODE_RISCVC, ret);
#endif
    return CS_ERR_ARCH;
}

/* A row for each instruction that is whole; returns how many bytes those have. */
static size_t disassemble(struct listing *listing, struct json_object *registers, int64_t bits)
{
    const uint8_t *next = listing->bytes;
    size_t left = listing->size;
    uint64_t address = listing->address;
    cs_insn *instruction;
    csh capstone;

    if (open_capstone(registers, bits, &capstone) != CS_ERR_OK)
        return 0;
    instruction = cs_malloc(capstone);
    while (instruction && cs_disasm_iter(capstone, &next, &left, &address, instruction)) {
        char text[sizeof(instruction->mnemonic) + sizeof(instruction->op_str) + 1];

        snprintf(text, sizeof(text), "%s%s%s", instruction->mnemonic,
                 instruction->op_str[0] ? " " : "", instruction->op_str);
        add_row(listing, (size_t)(instruction->address - listing->address), instruction->size,
                text);
    }
    if (instruction)
        cs_free(instruction, 1);
    cs_close(&capstone);
    return listing->size - left;
}
#else
static size_t disassemble(struct listing *listing, struct json_object *registers, int64_t bits)
{
    (void)listing;
    (void)registers;
    (void)bits;
    return 0;
}
#endif

void instructions_print(struct json_object *instructions, struct json_object *registers)
{
    _cleanup_(table_freep) struct table *table = table_new(columns, 3);
    struct listing listing = {
        .table = table,
        .address = strtoull(field_text(instructions, "address"), NULL, 16),
    };
    size_t known;

    table_make_block(table);
    read_bytes(&listing, field_text(instructions, "bytes"));
    known = disassemble(&listing, registers, field_integer(instructions, "bits"));
    if (known < listing.size)
        add_row(&listing, known, listing.size - known, "");
    table_print(table);
}
