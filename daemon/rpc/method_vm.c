/*
 * Methods of a VM's life: start, stop, list, get, stats, wait, remove.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <json-c/json.h>

#include "kvm/machine.h"
#include "protocol/base64.h"
#include "protocol/json_builder.h"
#include "protocol/limits.h"
#include "rpc/call.h"
#include "rpc/context.h"
#include "rpc/method.h"
#include "rpc/record_json.h"
#include "rpc/vm_waiter.h"
#include "util/cleanup.h"
#include "util/closer.h"
#include "vm/registry.h"

/* A guest of its own needs room below the image, and the tools' smallest is no smaller. */
#define MEMORY_MIN UINT64_C(65536)

#define NOT_GIVEN UINT64_MAX /* of an address that has no fixed default */
#define AUTO      UINT_MAX   /* of a word: none of the enum's */

static const struct rpc_word format_words[] = {
    { "auto", IMAGE_AUTO },
    { "flat", IMAGE_FLAT },
    { "rom", IMAGE_ROM },
    { "multiboot", IMAGE_MULTIBOOT },
    { "elf", IMAGE_ELF },
    { "linux", IMAGE_LINUX },
    { 0 },
};

/* Not BOOT_RESET, which is a ROM's alone. */
static const struct rpc_word mode_words[] = {
    { "auto", AUTO },
    { "real", BOOT_REAL },
    { "protected", BOOT_PROTECTED },
    { "long", BOOT_LONG },
    { "supervisor", BOOT_SUPERVISOR },
    { 0 },
};

static const struct rpc_word machine_words[] = {
    { "auto", AUTO }, { "bare", BOARD_BARE }, { "pc", BOARD_PC }, { "virt", BOARD_VIRT }, { 0 },
};

struct start_params {
    struct rpc_image image;
    const char *name;
    unsigned format; /* enum image_format */
    unsigned mode;   /* enum boot_mode, or AUTO */
    uint64_t load;
    uint64_t memory;
    uint64_t timeout_ms;
    uint64_t ring;
    bool coalesce;
    uint64_t entry;
    unsigned machine; /* enum board_kind, or AUTO */
    uint64_t cpus;
    const char *append;
    struct rpc_image initrd;
    struct rpc_images modules;
};

#define AT(field) offsetof(struct start_params, field)

const struct rpc_param vm_start_params[] = {
    { "image", RPC_IMAGE, AT(image), .requirement = RPC_REQUIRED },
    { "name", RPC_TEXT, AT(name), .requirement = RPC_OPTIONAL },
    { "format", RPC_WORD, AT(format), .requirement = RPC_OPTIONAL, .words = format_words,
      .fallback = IMAGE_AUTO },
    { "mode", RPC_WORD, AT(mode), .requirement = RPC_OPTIONAL, .words = mode_words,
      .fallback = AUTO },
    { "load", RPC_UINT, AT(load), .requirement = RPC_OPTIONAL, .max = INT64_MAX,
      .fallback = NOT_GIVEN },
    { "memory", RPC_UINT, AT(memory), .requirement = RPC_OPTIONAL, .min = MEMORY_MIN,
      .max = INT64_MAX },
    { "timeout_ms", RPC_UINT, AT(timeout_ms), .requirement = RPC_OPTIONAL, .max = INT64_MAX },
    { "ring", RPC_UINT, AT(ring), .requirement = RPC_OPTIONAL, .min = OUTPUT_RING_CAPACITY_MIN,
      .max = INT64_MAX },
    { "coalesce", RPC_BOOL, AT(coalesce), .requirement = RPC_OPTIONAL, .fallback = true },
    { "entry", RPC_UINT, AT(entry), .requirement = RPC_OPTIONAL, .max = INT64_MAX,
      .fallback = NOT_GIVEN },
    { "machine", RPC_WORD, AT(machine), .requirement = RPC_OPTIONAL, .words = machine_words,
      .fallback = AUTO },
    { "cpus", RPC_UINT, AT(cpus), .requirement = RPC_OPTIONAL, .min = 1, .max = MACHINE_CPUS_MAX,
      .fallback = 1 },
    { "append", RPC_TEXT, AT(append), .requirement = RPC_OPTIONAL },
    { "initrd", RPC_IMAGE, AT(initrd), .requirement = RPC_OPTIONAL },
    { "modules", RPC_IMAGES, AT(modules), .requirement = RPC_OPTIONAL, .max = VM_MODULES_MAX },
    RPC_PARAMS_END,
};

#undef AT

static_assert((int)VM_MODULES_MAX + 2 <= (int)PROTOCOL_FDS_MAX, "each can come as a descriptor");

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* The image's bytes from the request, as a file, which is what loaders read. */
static int image_from_data(const char *parameter, struct json_object *data, struct error *err)
{
    size_t length = (size_t)json_object_get_string_len(data), size;
    _cleanup_free_ char *bytes = malloc(length + 1);
    _cleanup_close_ int fd = memfd_create("image", MFD_CLOEXEC);

    if (!bytes || fd < 0)
        return error_set(err, -ENOMEM, "no memory for the image: %s", strerror(errno));
    if (base64_decode(json_object_get_string(data), length, bytes, &size) < 0)
        return error_set_about(
            err, parameter, -EINVAL,
            "parameter '%s': \"data\" must be base64 (RFC 4648 section 4, padded, "
            "no white space)",
            parameter);
    if (write_all(fd, bytes, size) < 0)
        return error_set(err, -ENOMEM, "no memory for the image: %s", strerror(errno));
    return TAKE_FD(fd);
}

/* Takes what it opens into ret. parameter: for sentences. Errors: ret is to be released. */
static int take_source(struct connection *connection, const char *parameter,
                       const struct rpc_image *image, struct vm_source *ret, struct error *err)
{
    const char *name = image->name;

    switch (image->kind) {
    case RPC_IMAGE_FD:
        ret->fd = connection_take_fd(connection);
        if (ret->fd < 0)
            return error_set_about(
                err, parameter, -EINVAL,
                "parameter '%s': \"fd\" is true, but no descriptor came with the "
                "line (SCM_RIGHTS), or vmmd has none left",
                parameter);
        break;
    case RPC_IMAGE_DATA:
        ret->fd = image_from_data(parameter, image->data, err);
        if (ret->fd < 0)
            return ret->fd;
        break;
    case RPC_IMAGE_PATH:
        ret->path = strdup(image->path);
        if (!ret->path)
            return error_set(err, -ENOMEM, "out of memory");
        if (!name)
            name = image->path;
        break;
    }
    if (name && strlen(name) > VM_IMAGE_MAX)
        return error_set_about(err, parameter, -EINVAL,
                               "parameter '%s': the name has %zu bytes; at most %d are kept",
                               parameter, strlen(name), VM_IMAGE_MAX);
    ret->name = strdup(name ? name : "");
    if (image->arguments)
        ret->arguments = strdup(image->arguments);
    if (!ret->name || (image->arguments && !ret->arguments))
        return error_set(err, -ENOMEM, "out of memory");
    return 0;
}

/* In the order in which their descriptors come. */
static int take_sources(struct rpc_call *call, const struct start_params *params,
                        struct vm_config *config, struct error *err)
{
    struct connection *connection = &call->peer->connection;
    int r = take_source(connection, "image", &params->image, &config->image, err);

    config->has_initrd = rpc_params_value(call->table, call->params, "initrd") != NULL;
    if (r == 0 && config->has_initrd)
        r = take_source(connection, "initrd", &params->initrd, &config->initrd, err);
    for (size_t i = 0; r == 0 && i < params->modules.count; i++) {
        struct rpc_image module = rpc_images_at(&params->modules, i);
        struct vm_source *source = &config->modules[config->module_count++];

        source->fd = -1;
        r = take_source(connection, "modules", &module, source, err);
    }
    if (r == 0 && params->append) {
        config->append = strdup(params->append);
        if (!config->append)
            r = error_set(err, -ENOMEM, "out of memory");
    }
    return r;
}

static void discard_config(struct closer *closer, struct vm_config *config)
{
    closer_close(closer, TAKE_FD(config->image.fd));
    closer_close(closer, TAKE_FD(config->initrd.fd));
    for (size_t i = 0; i < config->module_count; i++)
        closer_close(closer, TAKE_FD(config->modules[i].fd));
    vm_config_deinit(config);
}

/* What a failed start failed for, and the VM that remains to tell of it. */
static void fail_start(struct rpc_call *call, struct vm *vm)
{
    struct json_object *data = json_object_new_object();
    struct error err;

    error_set_about(&err, vm_start_about(vm), vm_start_error(vm), "cannot start VM '%s': %s",
                    vm_name(vm), vm_record(vm)->end.message);
    json_add_unsigned(&data, "vm", vm_id(vm));
    rpc_call_fail_error_with(call, &err, data);
}

static int has_started(const struct vm *vm)
{
    return vm_ring(vm) || vm_has_ended(vm);
}

static void answer_started(struct rpc_call *call, struct vm *vm)
{
    struct json_object *result;

    if (vm_has_ended(vm) && vm_start_error(vm)) {
        fail_start(call, vm);
        return;
    }
    result = json_object_new_object();
    json_add_unsigned(&result, "id", vm_id(vm));
    json_add_text(&result, "name", vm_name(vm));
    json_add_text(&result, "state", vm_state_to_string(vm_state(vm)));
    rpc_call_answer(call, result);
}

void method_vm_start(struct rpc_call *call, const void *context)
{
    static const struct vm_waiter_kind until_started = { has_started, answer_started };
    const struct start_params *params = context;
    struct peer *peer = call->peer;
    struct vm_config config = VM_CONFIG_NONE;
    struct error err;
    struct vm *vm;
    int r;

    config.named = params->name != NULL;
    config.format = (enum image_format)params->format;
    config.mode_given = params->mode != AUTO;
    if (config.mode_given)
        config.mode = (enum boot_mode)params->mode;
    config.load_given = params->load != NOT_GIVEN;
    config.load = params->load;
    config.entry_given = params->entry != NOT_GIVEN;
    config.entry = params->entry;
    config.board_given = params->machine != AUTO;
    if (config.board_given)
        config.board = (enum board_kind)params->machine;
    config.cpus = (unsigned)params->cpus;
    config.memory_bytes = params->memory;
    config.ring_capacity = params->ring;
    config.timeout_ms = params->timeout_ms;
    config.coalesce = params->coalesce;
    /* cut, a name that is too long is still too long, and refused as such */
    snprintf(config.name, sizeof(config.name), "%s", config.named ? params->name : "");
    r = take_sources(call, params, &config, &err);
    if (r == 0)
        r = registry_start_vm(peer->context->registry, &config, &peer->credentials, &vm, &err);
    if (r < 0) {
        discard_config(peer->context->closer, &config);
        rpc_call_fail_error(call, &err);
    } else {
        vm_waiter_start(call, vm, &until_started, UINT64_MAX);
    }
}

/* Stop and wait. */

static int has_ended(const struct vm *vm)
{
    return vm_has_ended(vm);
}

static void answer_record(struct rpc_call *call, struct vm *vm)
{
    rpc_call_answer(call, record_json(vm));
}

static const struct vm_waiter_kind until_ended = { has_ended, answer_record };

struct stop_params {
    struct vm *vm;
    bool force;
};

const struct rpc_param vm_stop_params[] = {
    { "vm", RPC_VM, offsetof(struct stop_params, vm), .requirement = RPC_REQUIRED },
    { "force", RPC_BOOL, offsetof(struct stop_params, force), .requirement = RPC_OPTIONAL },
    RPC_PARAMS_END,
};

void method_vm_stop(struct rpc_call *call, const void *context)
{
    const struct stop_params *params = context;

    vm_stop(params->vm, params->force ? GUEST_END_KILLED : GUEST_END_STOPPED,
            &call->peer->credentials);
    vm_waiter_start(call, params->vm, &until_ended, UINT64_MAX);
}

struct wait_params {
    struct vm *vm;
    uint64_t timeout_ms;
};

const struct rpc_param vm_wait_params[] = {
    { "vm", RPC_VM, offsetof(struct wait_params, vm), .requirement = RPC_REQUIRED },
    { "timeout_ms", RPC_UINT, offsetof(struct wait_params, timeout_ms), .requirement = RPC_OPTIONAL,
      .max = INT64_MAX, .fallback = UINT64_MAX },
    RPC_PARAMS_END,
};

void method_vm_wait(struct rpc_call *call, const void *context)
{
    const struct wait_params *params = context;

    vm_waiter_start(call, params->vm, &until_ended, params->timeout_ms);
}

/* Pausing. */

struct vm_only_params {
    struct vm *vm;
};

const struct rpc_param vm_params[] = {
    { "vm", RPC_VM, offsetof(struct vm_only_params, vm), .requirement = RPC_REQUIRED },
    RPC_PARAMS_END,
};

static int has_paused(const struct vm *vm)
{
    return vm_pause_is_over(vm);
}

static int has_resumed(const struct vm *vm)
{
    return vm_resume_is_over(vm);
}

/* It came to `wanted`, or else to something that was asked for later. */
static void answer_state(struct rpc_call *call, struct vm *vm, enum vm_state wanted)
{
    if (vm_state(vm) == wanted)
        answer_record(call, vm);
    else
        rpc_call_fail(call, RPC_WRONG_STATE, "VM '%s' is %s by now", vm_name(vm),
                      vm_state_to_string(vm_state(vm)));
}

static void answer_paused(struct rpc_call *call, struct vm *vm)
{
    answer_state(call, vm, VM_PAUSED);
}

static void answer_resumed(struct rpc_call *call, struct vm *vm)
{
    answer_state(call, vm, VM_RUNNING);
}

void method_vm_pause(struct rpc_call *call, const void *context)
{
    static const struct vm_waiter_kind until_paused = { has_paused, answer_paused };
    const struct vm_only_params *params = context;
    struct error err;

    if (vm_pause(params->vm, &err) < 0)
        rpc_call_fail_error(call, &err);
    else
        vm_waiter_start(call, params->vm, &until_paused, UINT64_MAX);
}

void method_vm_resume(struct rpc_call *call, const void *context)
{
    static const struct vm_waiter_kind until_resumed = { has_resumed, answer_resumed };
    const struct vm_only_params *params = context;
    struct error err;

    if (vm_resume(params->vm, &err) < 0)
        rpc_call_fail_error(call, &err);
    else
        vm_waiter_start(call, params->vm, &until_resumed, UINT64_MAX);
}

/* Asking. */

struct list_params {
    bool all;
};

const struct rpc_param vm_list_params[] = {
    { "all", RPC_BOOL, offsetof(struct list_params, all), .requirement = RPC_OPTIONAL },
    RPC_PARAMS_END,
};

void method_vm_list(struct rpc_call *call, const void *context)
{
    const struct list_params *params = context;
    struct json_object *records = json_object_new_array();

    LIST_FOR_EACH(registry_vms(call->peer->context->registry), link) {
        const struct vm *vm = vm_of_link(link);

        if (params->all || !vm_has_ended(vm))
            json_append(&records, record_json(vm));
    }
    rpc_call_answer(call, records);
}

void method_vm_get(struct rpc_call *call, const void *context)
{
    const struct vm_only_params *params = context;

    rpc_call_answer(call, record_json(params->vm));
}

void method_vm_stats(struct rpc_call *call, const void *context)
{
    const struct vm_only_params *params = context;

    rpc_call_answer(call, stats_json(params->vm));
}

void method_vm_remove(struct rpc_call *call, const void *context)
{
    const struct vm_only_params *params = context;
    struct error err;

    if (registry_remove(call->peer->context->registry, params->vm, &err) < 0)
        rpc_call_fail_error(call, &err);
    else
        rpc_call_answer(call, json_object_new_object());
}
