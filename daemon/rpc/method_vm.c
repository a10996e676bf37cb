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

#include "protocol/base64.h"
#include "protocol/json_builder.h"
#include "protocol/limits.h"
#include "rpc/call.h"
#include "rpc/context.h"
#include "rpc/method.h"
#include "rpc/record_json.h"
#include "rpc/vm_waiter.h"
#include "util/cleanup.h"
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
    { "cpus", RPC_UINT, AT(cpus), .requirement = RPC_OPTIONAL, .min = 1, .max = DEFINITION_CPUS_MAX,
      .fallback = 1 },
    { "append", RPC_TEXT, AT(append), .requirement = RPC_OPTIONAL },
    { "initrd", RPC_IMAGE, AT(initrd), .requirement = RPC_OPTIONAL },
    { "modules", RPC_IMAGES, AT(modules), .requirement = RPC_OPTIONAL,
      .max = DEFINITION_MODULES_MAX },
    RPC_PARAMS_END,
};

#undef AT

static_assert((int)DEFINITION_MODULES_MAX + 2 <= (int)PROTOCOL_FDS_MAX,
              "each can come as a descriptor");

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

/* Where its bytes are to come from. Takes what it opens into ret. */
static int find_source(struct peer *peer, const char *parameter, const struct rpc_image *image,
                       struct vm_source *ret, struct error *err)
{
    switch (image->kind) {
    case RPC_IMAGE_FD:
        ret->kind = VM_SOURCE_CLIENT;
        if (!connection_delivery(&peer->connection))
            return error_set_about(
                err, parameter, -EINVAL,
                "parameter '%s': \"fd\" is true, but no descriptor came with the line (SCM_RIGHTS)",
                parameter);
        return 0;
    case RPC_IMAGE_DATA:
        ret->kind = VM_SOURCE_FILE;
        ret->fd = image_from_data(parameter, image->data, err);
        return ret->fd < 0 ? ret->fd : 0;
    case RPC_IMAGE_PATH:
        ret->kind = VM_SOURCE_PATH;
        if (strlen(image->path) >= PATH_MAX)
            return error_set_about(
                err, parameter, -EINVAL,
                "parameter '%s': the path has %zu bytes; at most %d are looked up", parameter,
                strlen(image->path), PATH_MAX - 1);
        ret->path = strdup(image->path);
        return ret->path ? 0 : error_set(err, -ENOMEM, "out of memory");
    }
    return -EINVAL;
}

/* The next source of the request, which owns it, whatever comes of it. */
static int add_source(struct peer *peer, const char *parameter, const struct rpc_image *image,
                      struct vm_request *request, struct error *err)
{
    struct vm_source *source = &request->sources[request->source_count++];
    const char *name = image->name;
    int r;

    *source = (struct vm_source){ .fd = -1 };
    if (!name)
        name = image->kind == RPC_IMAGE_PATH ? image->path : "";
    if (strlen(name) > VM_IMAGE_MAX)
        return error_set_about(err, parameter, -EINVAL,
                               "parameter '%s': the name has %zu bytes; at most %d are kept",
                               parameter, strlen(name), VM_IMAGE_MAX);
    r = find_source(peer, parameter, image, source, err);
    if (r < 0)
        return r;
    source->name = strdup(name);
    source->arguments = image->arguments ? strdup(image->arguments) : NULL;
    if (!source->name || (image->arguments && !source->arguments))
        return error_set(err, -ENOMEM, "out of memory");
    return 0;
}

/* In the order in which their descriptors come. */
static int add_sources(struct rpc_call *call, const struct start_params *params,
                       struct vm_request *request, struct error *err)
{
    struct peer *peer = call->peer;
    int r = add_source(peer, "image", &params->image, request, err);

    if (r == 0 && request->definition.flags & DEFINITION_INITRD)
        r = add_source(peer, "initrd", &params->initrd, request, err);
    for (size_t i = 0; r == 0 && i < params->modules.count; i++) {
        struct rpc_image module = rpc_images_at(&params->modules, i);

        r = add_source(peer, "modules", &module, request, err);
    }
    if (r == 0 && params->append) {
        request->append = strdup(params->append);
        if (!request->append)
            r = error_set(err, -ENOMEM, "out of memory");
    }
    return r;
}

static uint32_t flag(bool given, enum definition_flags bit)
{
    return given ? (uint32_t)bit : 0;
}

static void fill_definition(const struct rpc_call *call, const struct start_params *params,
                            struct definition *definition)
{
    bool has_initrd = rpc_params_value(call->table, call->params, "initrd") != NULL;

    *definition = (struct definition){
        .flags = flag(params->mode != AUTO, DEFINITION_MODE) |
                 flag(params->load != NOT_GIVEN, DEFINITION_LOAD) |
                 flag(params->entry != NOT_GIVEN, DEFINITION_ENTRY) |
                 flag(params->machine != AUTO, DEFINITION_BOARD) |
                 flag(has_initrd, DEFINITION_INITRD) | flag(params->coalesce, DEFINITION_COALESCE),
        .format = params->format,
        .mode = params->mode == AUTO ? 0 : params->mode,
        .board = params->machine == AUTO ? 0 : params->machine,
        .cpus = (uint32_t)params->cpus,
        .module_count = (uint32_t)params->modules.count,
        .load = params->load,
        .entry = params->entry,
        .memory_bytes = params->memory,
        .ring_capacity = params->ring,
        .timeout_ms = params->timeout_ms,
    };
}

/* What a failed start failed for, and the VM that remains to tell of it. */
static void fail_start(struct rpc_call *call, struct vm *vm)
{
    const struct vm_record *record = vm_record(vm);
    const char *about = record->start_about[0] ? record->start_about : NULL;
    struct json_object *data = json_object_new_object();
    struct error err;

    error_set_about(&err, about, record->start_error, "cannot start VM '%s': %s", vm_name(vm),
                    record->end.message);
    json_add_unsigned(&data, "vm", vm_id(vm));
    rpc_call_fail_error_with(call, &err, data);
}

static int has_started(const struct vm *vm)
{
    return vm_has_started(vm);
}

static void answer_started(struct rpc_call *call, struct vm *vm)
{
    struct json_object *result;

    if (vm_has_ended(vm) && vm_record(vm)->start_error) {
        fail_start(call, vm);
        return;
    }
    result = json_object_new_object();
    json_add_unsigned(&result, "id", vm_id(vm));
    json_add_text(&result, "name", vm_name(vm));
    json_add_text(&result, "state", vm_state_to_string(vm_state(vm)));
    rpc_call_answer(call, result);
}

static int supply(void *context, uint32_t source, int supply_fd, struct error *err)
{
    return peer_supply(context, source, supply_fd, err);
}

void method_vm_start(struct rpc_call *call, const void *context)
{
    static const struct vm_waiter_kind until_started = { has_started, answer_started, true };
    const struct start_params *params = context;
    struct peer *peer = call->peer;
    const struct vm_supplier supplier = { .supply = supply, .context = peer };
    struct vm_request request = VM_REQUEST_NONE;
    struct error err;
    struct vm *vm;
    int r;

    fill_definition(call, params, &request.definition);
    request.named = params->name != NULL;
    /* cut, a name that is too long is still too long, and refused as such */
    snprintf(request.name, sizeof(request.name), "%s", request.named ? params->name : "");
    r = add_sources(call, params, &request, &err);
    if (r < 0)
        vm_request_deinit(&request);
    else
        r = registry_start_vm(peer->context->registry, &request, &peer->credentials, &supplier, &vm,
                              &err);
    if (r < 0)
        rpc_call_fail_error(call, &err);
    else
        vm_waiter_start(call, vm, &until_started, UINT64_MAX);
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

/* A stop asks something of the worker, a wait nothing. */
static const struct vm_waiter_kind until_stopped = { has_ended, answer_record, true };
static const struct vm_waiter_kind until_ended = { has_ended, answer_record, false };

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
    vm_waiter_start(call, params->vm, &until_stopped, UINT64_MAX);
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
    static const struct vm_waiter_kind until_paused = { has_paused, answer_paused, true };
    const struct vm_only_params *params = context;
    struct error err;

    if (vm_pause(params->vm, &err) < 0)
        rpc_call_fail_error(call, &err);
    else
        vm_waiter_start(call, params->vm, &until_paused, UINT64_MAX);
}

void method_vm_resume(struct rpc_call *call, const void *context)
{
    static const struct vm_waiter_kind until_resumed = { has_resumed, answer_resumed, true };
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

static int has_times(const struct vm *vm)
{
    return vm_has_times(vm);
}

static void answer_stats(struct rpc_call *call, struct vm *vm)
{
    rpc_call_answer(call, stats_json(vm));
}

/* The CPU time is its worker's to measure. */
void method_vm_stats(struct rpc_call *call, const void *context)
{
    static const struct vm_waiter_kind until_times = { has_times, answer_stats, true };
    const struct vm_only_params *params = context;

    if (vm_want_times(params->vm))
        vm_waiter_start(call, params->vm, &until_times, UINT64_MAX);
    else
        answer_stats(call, params->vm);
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
