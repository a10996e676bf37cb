#include "shared/definition.h"

#include <assert.h>

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
