/*
 * Fuzz target: what a client gives as parameters, against the table of each method.
 *
 * What is accepted is looked at as the methods look at it: texts to their ends, words in their
 * list, numbers in their range. What is refused has a sentence.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "protocol/message.h"
#include "rpc/method.h"
#include "rpc/param.h"
#include "util/closer.h"
#include "util/work_queue.h"
#include "vm/registry.h"

/* Of a daemon that has no VMs, nor workers that last. It stays for the process's life. */
static const struct registry *empty_registry(void)
{
    static const struct vm_limits limits;
    static const struct worker_pool_limits worker_limits = { .worker_vms = 1 };
    static struct registry *registry;
    static char directory[] = "/tmp/vmmd-fuzz-XXXXXX";
    struct registry_setup setup = {
        .limits = &limits,
        .worker_limits = &worker_limits,
        .state_dir = directory,
        .worker_binary = "/bin/true",
    };
    struct error err;

    if (!registry) {
        REQUIRE(mkdtemp(directory));
        setup.base = event_base_new();
        REQUIRE(work_queue_new(&setup.work_queue) == 0 && closer_new(&setup.closer) == 0);
        REQUIRE(registry_new(&setup, &registry, &err) == 0);
    }
    return registry;
}

/* Reads each byte of it, for the sanitizer to see. */
static void look_at_text(const char *text)
{
    REQUIRE(!text || strlen(text) < SIZE_MAX);
}

static void look_at_image(const struct rpc_image *image)
{
    look_at_text(image->name);
    look_at_text(image->arguments);
    if (image->kind == RPC_IMAGE_PATH)
        look_at_text(image->path);
    if (image->kind == RPC_IMAGE_DATA && image->data)
        look_at_text(json_object_get_string(image->data));
}

static void look_at(const struct rpc_param *row, const void *at)
{
    const struct rpc_images *images = at;
    const struct rpc_word *word = row->words;

    switch (row->type) {
    case RPC_TEXT:
        look_at_text(*(const char *const *)at);
        break;
    case RPC_WORD:
        while (word->word && word->value != *(const unsigned *)at)
            word++;
        REQUIRE(word->word || *(const unsigned *)at == row->fallback);
        break;
    case RPC_UINT:
        REQUIRE(*(const uint64_t *)at == row->fallback ||
                (*(const uint64_t *)at >= row->min && *(const uint64_t *)at <= row->max));
        break;
    case RPC_POSITION:
        REQUIRE(((const struct rpc_position *)at)->kind <= RPC_FROM_LAST);
        break;
    case RPC_IMAGE:
        look_at_image(at);
        break;
    case RPC_IMAGES:
        REQUIRE(images->count <= row->max);
        for (size_t i = 0; i < images->count; i++) {
            struct rpc_image image = rpc_images_at(images, i);

            look_at_image(&image);
        }
        break;
    case RPC_BOOL:
    case RPC_VM:
    case RPC_END:
        break;
    }
}

static void read_as(const struct rpc_method *method, struct json_object *params)
{
    _Alignas(16) char values[RPC_PARAMS_SIZE_MAX];
    struct rpc_param_fault fault;
    int r =
        rpc_params_read(method->params, params, empty_registry(), values, sizeof(values), &fault);

    if (r < 0) {
        REQUIRE(r == -EINVAL || r == -ESRCH);
        REQUIRE(fault.error.code == r && strlen(fault.error.text) > 0);
        return;
    }
    for (const struct rpc_param *row = method->params; row->type != RPC_END; row++) {
        look_at(row, values + row->offset);
        rpc_params_value(method->params, params, row->name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rpc_method *method;
    struct json_object *params;
    struct json_text_fault fault;

    if (message_parse((const char *)data, size, &params, &fault) < 0)
        return 0;
    if (!params || json_object_is_type(params, json_type_array) ||
        json_object_is_type(params, json_type_object))
        for (size_t i = 0; (method = rpc_method_at(i)); i++)
            read_as(method, params);
    json_object_put(params);
    return 0;
}
