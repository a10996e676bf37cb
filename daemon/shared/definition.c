#include "shared/definition.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char *const format_words[] = {
    [IMAGE_AUTO] = "auto",           [IMAGE_FLAT] = "flat", [IMAGE_ROM] = "rom",
    [IMAGE_MULTIBOOT] = "multiboot", [IMAGE_ELF] = "elf",   [IMAGE_LINUX] = "linux",
};

static const char *const mode_words[] = {
    [BOOT_REAL] = "real",   [BOOT_PROTECTED] = "protected",   [BOOT_LONG] = "long",
    [BOOT_RESET] = "reset", [BOOT_SUPERVISOR] = "supervisor",
};

static const char *const board_words[] = {
    [BOARD_BARE] = "bare",
    [BOARD_PC] = "pc",
    [BOARD_VIRT] = "virt",
};

static_assert(sizeof(format_words) / sizeof(format_words[0]) == IMAGE_FORMAT_COUNT, "words");
static_assert(sizeof(mode_words) / sizeof(mode_words[0]) == BOOT_MODE_COUNT, "words");
static_assert(sizeof(board_words) / sizeof(board_words[0]) == BOARD_KIND_COUNT, "words");

const char *image_format_to_string(enum image_format format)
{
    return format_words[format];
}

const char *boot_mode_to_string(enum boot_mode mode)
{
    return mode_words[mode];
}

const char *board_kind_to_string(enum board_kind kind)
{
    return board_words[kind];
}

size_t definition_source_count(const struct definition *definition)
{
    return 1 + (definition->flags & DEFINITION_INITRD ? 1 : 0) + definition->module_count;
}

int definition_check(const struct definition *definition)
{
    bool sound = definition->format < IMAGE_FORMAT_COUNT && definition->mode < BOOT_MODE_COUNT &&
                 definition->board < BOARD_KIND_COUNT && definition->cpus >= 1 &&
                 definition->cpus <= DEFINITION_CPUS_MAX &&
                 definition->module_count <= DEFINITION_MODULES_MAX &&
                 definition->memory_bytes > 0 && definition->kernel_memory_bytes > 0 &&
                 definition->ring_capacity > 0 &&
                 (definition->ring_capacity & (definition->ring_capacity - 1)) == 0;

    return sound ? 0 : -EINVAL;
}

static int pack_text(const char *text, char *block, size_t size, size_t *used)
{
    size_t length = strlen(text) + 1;

    if (length > size - *used)
        return -E2BIG;
    memcpy(block + *used, text, length);
    *used += length;
    return 0;
}

int definition_pack(const struct definition *definition, const struct definition_texts *texts,
                    char *block, size_t size, size_t *ret_size)
{
    size_t used = 0, count = definition_source_count(definition);
    int r = pack_text(texts->append, block, size, &used);

    for (size_t i = 0; r == 0 && i < count; i++) {
        r = pack_text(texts->sources[i].name, block, size, &used);
        if (r == 0)
            r = pack_text(texts->sources[i].arguments, block, size, &used);
    }
    if (r == 0)
        *ret_size = used;
    return r;
}

/* The next text of a block; NULL: there is none. */
static const char *next_text(const char **block, size_t *size)
{
    const char *text = *block, *end = *size > 0 ? memchr(text, '\0', *size) : NULL;

    if (!end)
        return NULL;
    *size -= (size_t)(end + 1 - text);
    *block = end + 1;
    return text;
}

int definition_unpack(const struct definition *definition, const char *block, size_t size,
                      struct definition_texts *ret)
{
    size_t count = definition_source_count(definition);
    struct definition_texts texts = { .append = next_text(&block, &size) };

    if (!texts.append)
        return -EBADMSG;
    for (size_t i = 0; i < count; i++) {
        texts.sources[i].name = next_text(&block, &size);
        texts.sources[i].arguments = next_text(&block, &size);
        if (!texts.sources[i].name || !texts.sources[i].arguments)
            return -EBADMSG;
    }
    *ret = texts;
    return 0;
}
