#include "rpc/param.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/json_writer.h"
#include "util/cleanup.h"
#include "util/word_list.h"
#include "vm/registry.h"

/* Stores a value of the row's type at ret; on failure says what would have been accepted. */
typedef int (*reader_fn)(const struct rpc_param *row, struct json_object *value,
                         const struct registry *registry, void *ret, struct error *err);

/* "parameter 'x' must be <what>, not <value>"; a value that is long is cut. */
static int must_be(const struct rpc_param *row, struct json_object *value, struct error *err,
                   const char *what)
{
    size_t length;
    _cleanup_free_ char *shown = json_write(value, &length);

    if (!shown)
        return error_set(err, -ENOMEM, "out of memory");
    return error_set(err, -EINVAL, "parameter '%s' must be %s, not %.64s", row->name, what, shown);
}

/* A string without NUL inside, or NULL. */
static const char *text_of(struct json_object *value)
{
    const char *text;

    if (!json_object_is_type(value, json_type_string))
        return NULL;
    text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static int read_bool(const struct rpc_param *row, struct json_object *value,
                     const struct registry *registry, void *ret, struct error *err)
{
    (void)registry;
    if (!json_object_is_type(value, json_type_boolean))
        return must_be(row, value, err, "true or false");
    *(bool *)ret = json_object_get_boolean(value);
    return 0;
}

/* An integer that is not negative. */
static bool read_natural(struct json_object *value, uint64_t *ret)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    *ret = json_object_get_uint64(value);
    return *ret > INT64_MAX || json_object_get_int64(value) >= 0;
}

static int read_uint(const struct rpc_param *row, struct json_object *value,
                     const struct registry *registry, void *ret, struct error *err)
{
    uint64_t number;
    char what[96];

    (void)registry;
    if (!read_natural(value, &number) || number < row->min || number > row->max) {
        snprintf(what, sizeof(what), "an integer from %" PRIu64 " to %" PRIu64, row->min, row->max);
        return must_be(row, value, err, what);
    }
    *(uint64_t *)ret = number;
    return 0;
}

static int read_text(const struct rpc_param *row, struct json_object *value,
                     const struct registry *registry, void *ret, struct error *err)
{
    const char *text = text_of(value);

    (void)registry;
    if (!text)
        return must_be(row, value, err, "a string without NUL");
    *(const char **)ret = text;
    return 0;
}

static int read_word(const struct rpc_param *row, struct json_object *value,
                     const struct registry *registry, void *ret, struct error *err)
{
    const char *text = text_of(value);
    char list[192] = "", what[sizeof("one of ") + sizeof(list)];
    struct word_list words = WORD_LIST(list);

    (void)registry;
    for (const struct rpc_word *known = row->words; known->word; known++) {
        if (text && strcmp(text, known->word) == 0) {
            *(unsigned *)ret = known->value;
            return 0;
        }
        word_list_add(&words, "\"%s\"", known->word);
    }
    snprintf(what, sizeof(what), "one of %s", list);
    return must_be(row, value, err, what);
}

static int no_vm(struct json_object *value, struct error *err)
{
    size_t length;
    _cleanup_free_ char *shown = json_write(value, &length);

    if (!shown)
        return error_set(err, -ENOMEM, "out of memory");
    return error_set(err, -ESRCH, "there is no VM %.80s", shown);
}

static int read_vm(const struct rpc_param *row, struct json_object *value,
                   const struct registry *registry, void *ret, struct error *err)
{
    const char *text = text_of(value);
    struct vm *vm;
    uint64_t id;

    if (text)
        vm = registry_find(registry, text);
    else if (read_natural(value, &id))
        vm = registry_find_id(registry, id);
    else
        return must_be(row, value, err, "a VM's id or name");
    if (!vm)
        return no_vm(value, err);
    *(struct vm **)ret = vm;
    return 0;
}

static int read_position(const struct rpc_param *row, struct json_object *value,
                         const struct registry *registry, void *ret, struct error *err)
{
    const char *text = text_of(value);
    struct rpc_position *position = ret;
    uint64_t number;

    (void)registry;
    if (text && strcmp(text, "start") == 0)
        position->kind = RPC_FROM_START;
    else if (text && strcmp(text, "end") == 0)
        position->kind = RPC_FROM_END;
    else if (read_natural(value, &number))
        *position = (struct rpc_position){ .kind = RPC_FROM_OFFSET, .value = number };
    else if (json_object_is_type(value, json_type_int))
        *position = (struct rpc_position){ .kind = RPC_FROM_LAST,
                                           .value = -(uint64_t)json_object_get_int64(value) };
    else
        return must_be(row, value, err,
                       "\"start\", \"end\", an offset, or minus a number of bytes");
    return 0;
}

/* What an image may say, and no more. arguments: whether it may have those. */
static bool parse_image(struct json_object *value, bool arguments, struct rpc_image *image)
{
    int sources = 0;

    if (!json_object_is_type(value, json_type_object))
        return false;
    json_object_object_foreach(value, name, field) {
        const char *text = text_of(field);

        if (strcmp(name, "fd") == 0 && json_object_is_type(field, json_type_boolean)) {
            if (json_object_get_boolean(field)) {
                image->kind = RPC_IMAGE_FD;
                sources++;
            }
        } else if (strcmp(name, "data") == 0 && text) {
            image->kind = RPC_IMAGE_DATA;
            image->data = field;
            sources++;
        } else if (strcmp(name, "path") == 0 && text) {
            image->kind = RPC_IMAGE_PATH;
            image->path = text;
            sources++;
        } else if (strcmp(name, "name") == 0 && text) {
            image->name = text;
        } else if (arguments && strcmp(name, "arguments") == 0 && text) {
            image->arguments = text;
        } else {
            return false;
        }
    }
    return sources == 1;
}

static int read_image(const struct rpc_param *row, struct json_object *value,
                      const struct registry *registry, void *ret, struct error *err)
{
    (void)registry;
    if (parse_image(value, false, ret))
        return 0;
    return error_set(err, -EINVAL,
                     "parameter '%s' must be an object with exactly one of \"fd\": true, \"data\": "
                     "base64 and \"path\": file, and optionally \"name\"",
                     row->name);
}

static int read_images(const struct rpc_param *row, struct json_object *value,
                       const struct registry *registry, void *ret, struct error *err)
{
    struct rpc_images *images = ret;
    bool valid =
        json_object_is_type(value, json_type_array) && json_object_array_length(value) <= row->max;

    (void)registry;
    for (size_t i = 0; valid && i < json_object_array_length(value); i++)
        valid = parse_image(json_object_array_get_idx(value, i), true, &(struct rpc_image){ 0 });
    if (!valid)
        return error_set(err, -EINVAL,
                         "parameter '%s' must be an array of at most %" PRIu64
                         " objects with exactly one of \"fd\": true, \"data\": base64 and "
                         "\"path\": file, and optionally \"name\" and \"arguments\"",
                         row->name, row->max);
    *images = (struct rpc_images){ .array = value, .count = json_object_array_length(value) };
    return 0;
}

struct rpc_image rpc_images_at(const struct rpc_images *images, size_t index)
{
    struct rpc_image image = { 0 };

    parse_image(json_object_array_get_idx(images->array, index), true, &image);
    return image;
}

static const reader_fn readers[] = {
    /* none for RPC_END */
    [RPC_BOOL] = read_bool,   [RPC_UINT] = read_uint,     [RPC_TEXT] = read_text,
    [RPC_WORD] = read_word,   [RPC_VM] = read_vm,         [RPC_POSITION] = read_position,
    [RPC_IMAGE] = read_image, [RPC_IMAGES] = read_images,
};

static_assert(sizeof(readers) / sizeof(readers[0]) == RPC_PARAM_TYPE_COUNT, "one for each type");

static void store_fallback(const struct rpc_param *row, void *at)
{
    if (row->type == RPC_UINT)
        *(uint64_t *)at = row->fallback;
    else if (row->type == RPC_BOOL)
        *(bool *)at = row->fallback != 0;
    else if (row->type == RPC_WORD)
        *(unsigned *)at = (unsigned)row->fallback;
}

static size_t count_rows(const struct rpc_param *table)
{
    size_t count = 0;

    while (table[count].type != RPC_END)
        count++;
    return count;
}

/* Whether every name in params is in the table, and there are not more values than rows. */
static int check_names(const struct rpc_param *table, struct json_object *params,
                       struct rpc_param_fault *fault)
{
    size_t count = count_rows(table);

    if (json_object_is_type(params, json_type_array)) {
        if (json_object_array_length(params) <= count)
            return 0;
        return error_set(&fault->error, -EINVAL, "the method takes %zu parameter%s, not %zu", count,
                         count == 1 ? "" : "s", json_object_array_length(params));
    }
    json_object_object_foreach(params, name, value) {
        bool known = false;

        for (size_t i = 0; i < count && !known; i++)
            known = strcmp(table[i].name, name) == 0;
        if (!known) {
            fault->parameter = name;
            fault->value = value;
            return error_set(&fault->error, -EINVAL, "there is no parameter '%.64s'", name);
        }
    }
    return 0;
}

/* The value given for a row, by name or position; null by position skips. */
static bool find_value(const struct rpc_param *table, size_t index, struct json_object *params,
                       struct json_object **ret)
{
    *ret = NULL;
    if (json_object_is_type(params, json_type_object))
        return json_object_object_get_ex(params, table[index].name, ret);
    if (!json_object_is_type(params, json_type_array) || index >= json_object_array_length(params))
        return false;
    *ret = json_object_array_get_idx(params, index);
    return *ret || table[index].requirement == RPC_REQUIRED;
}

int rpc_params_read(const struct rpc_param *table, struct json_object *params,
                    const struct registry *registry, void *ret, size_t size,
                    struct rpc_param_fault *fault)
{
    int r = 0;

    memset(ret, 0, size);
    *fault = (struct rpc_param_fault){ 0 };
    if (params)
        r = check_names(table, params, fault);
    for (size_t i = 0; r == 0 && table[i].type != RPC_END; i++) {
        const struct rpc_param *row = &table[i];
        void *at = (char *)ret + row->offset;
        struct json_object *value;

        store_fallback(row, at);
        fault->parameter = row->name;
        fault->value = NULL;
        if (find_value(table, i, params, &value)) {
            fault->value = value;
            r = readers[row->type](row, value, registry, at, &fault->error);
        } else if (row->requirement == RPC_REQUIRED) {
            r = error_set(&fault->error, -EINVAL, "parameter '%s' is missing", row->name);
        }
    }
    return r;
}

struct json_object *rpc_params_value(const struct rpc_param *table, struct json_object *params,
                                     const char *name)
{
    struct json_object *value;

    for (size_t i = 0; params && table[i].type != RPC_END; i++)
        if (strcmp(table[i].name, name) == 0 && find_value(table, i, params, &value))
            return value;
    return NULL;
}

int rpc_position_resolve(const struct rpc_position *position, const struct vm *vm,
                         uint64_t *ret_offset, struct error *err)
{
    const struct output_ring *ring = vm_ring(vm);
    uint64_t end = ring ? output_ring_end(ring) : 0;

    switch (position->kind) {
    case RPC_FROM_START:
        *ret_offset = 0;
        return 0;
    case RPC_FROM_END:
        *ret_offset = end;
        return 0;
    case RPC_FROM_LAST:
        *ret_offset = position->value < end ? end - position->value : 0;
        return 0;
    case RPC_FROM_OFFSET:
        break;
    }
    if (position->value > end)
        return error_set_about(err, "from", -ERANGE,
                               "offset %" PRIu64 " does not exist yet: VM '%s' has written %" PRIu64
                               " bytes",
                               position->value, vm_name(vm), end);
    *ret_offset = position->value;
    return 0;
}
