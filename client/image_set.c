#include "image_set.h"

#include <string.h>
#include <unistd.h>

#include "exit_code.h"
#include "field.h"
#include "image_file.h"
#include "report.h"

struct image_set {
    struct passed_fds *passed;
    bool stdin_taken;
};

static int open_file(struct image_set *set, const char *path, struct json_object **ret)
{
    const char *name;
    struct error err;

    if (set->passed->count == PROTOCOL_FDS_MAX) {
        report("a VM can be made of %d files at most", PROTOCOL_FDS_MAX);
        return EXIT_CODE_USAGE;
    }
    if (strcmp(path, "-") == 0 && set->stdin_taken) {
        report("only one of a VM's files can be standard input");
        return EXIT_CODE_USAGE;
    }
    if (image_file_open(path, &set->passed->fds[set->passed->count], &name, &err) < 0) {
        report("%s", err.text);
        return EXIT_CODE_FAILED;
    }
    set->passed->count++;
    set->stdin_taken = set->stdin_taken || strcmp(path, "-") == 0;
    *ret = json_object_new_object();
    json_object_object_add(*ret, "fd", json_object_new_boolean(true));
    json_object_object_add(*ret, "name", field_new_text(name));
    return EXIT_CODE_OK;
}

/* FILE, or FILE,ARGUMENTS. */
static int open_module(struct image_set *set, const char *text, struct json_object **ret)
{
    size_t length = strcspn(text, ",");
    _cleanup_free_ char *path = strndup(text, length);
    int code;

    if (!path) {
        report("out of memory");
        return EXIT_CODE_FAILED;
    }
    code = open_file(set, path, ret);
    if (code == EXIT_CODE_OK && text[length] == ',')
        json_object_object_add(*ret, "arguments", field_new_text(text + length + 1));
    return code;
}

static int open_modules(struct image_set *set, struct json_object *texts,
                        struct json_object *params)
{
    struct json_object *modules = json_object_new_array();

    json_object_object_add(params, "modules", modules);
    for (size_t i = 0; i < json_object_array_length(texts); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(texts, i));
        struct json_object *module;
        int code = open_module(set, text, &module);

        if (code != EXIT_CODE_OK)
            return code;
        json_object_array_add(modules, module);
    }
    return EXIT_CODE_OK;
}

/* The descriptors stand in the order in which vm.start takes them: openrpc.json. */
int image_set_open(const struct arguments *arguments, struct json_object *params,
                   struct passed_fds *passed)
{
    struct image_set set = { .passed = passed };
    struct json_object *modules = field_get(arguments->options, "module"), *file;
    int code = open_file(&set, arguments->operands[0], &file);

    if (code != EXIT_CODE_OK)
        return code;
    json_object_object_add(params, "image", file);
    if (field_get(arguments->options, "initrd")) {
        code = open_file(&set, field_text(arguments->options, "initrd"), &file);
        if (code != EXIT_CODE_OK)
            return code;
        json_object_object_add(params, "initrd", file);
    }
    return modules ? open_modules(&set, modules, params) : EXIT_CODE_OK;
}

void image_set_close(struct passed_fds *passed)
{
    for (size_t i = 0; i < passed->count; i++)
        close(passed->fds[i]);
    passed->count = 0;
}
