#include "rpc/input_writer.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "rpc/call.h"
#include "vm/vm.h"

/* What a call that waits keeps of its data, in bytes: it is answered as soon as some was taken, so
 * that there is no use in more. */
enum { KEPT_MAX = 4096 };

struct input_writer {
    struct vm_observer observer;
    struct rpc_call *call;
    struct vm *vm;
    bool eof;
    size_t size;
    unsigned char data[KEPT_MAX];
};

static void release(struct input_writer *writer)
{
    struct vm *vm = writer->vm;

    vm_unobserve(&writer->observer);
    free(writer);
    vm_unref(vm);
}

static void answer(struct rpc_call *call, const struct vm *vm, size_t taken)
{
    struct json_object *result = json_object_new_object();

    json_add_unsigned(&result, "accepted", taken);
    json_add_unsigned(&result, "room", vm_input_room(vm));
    rpc_call_answer(call, result);
}

/* Whether the call is to be answered now, and was. */
static bool try_to_put(struct input_writer *writer)
{
    struct error err;
    size_t taken;

    if (vm_input(writer->vm, writer->data, writer->size, writer->eof, &taken, &err) < 0)
        rpc_call_fail_error(writer->call, &err);
    else if (taken > 0 || writer->size == 0)
        answer(writer->call, writer->vm, taken);
    else
        return false;
    return true;
}

static void on_notice(struct vm_observer *observer, struct vm *vm, unsigned notice)
{
    struct input_writer *writer = LIST_ENTRY(observer, struct input_writer, observer);

    if (!(notice & VM_NOTICE_ROOM) && !vm_has_ended(vm))
        return;
    if (try_to_put(writer))
        release(writer);
    else
        vm_want_room(vm);
}

static void on_cancel(void *context)
{
    struct input_writer *writer = context;

    rpc_call_forget(writer->call);
    release(writer);
}

/* The answer did not come at once. Takes data. */
static void wait_for_room(struct rpc_call *call, struct vm *vm, unsigned char *data, size_t size,
                          bool eof)
{
    struct input_writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        free(data);
        rpc_call_fail(call, RPC_INTERNAL_ERROR, "vmmd is out of memory");
        return;
    }
    json_object_put(call->params); /* a call that waits holds no more than it must */
    call->params = NULL;
    *writer = (struct input_writer){
        .observer.notify = on_notice,
        .call = call,
        .vm = vm_ref(vm),
        .size = size < KEPT_MAX ? size : KEPT_MAX,
        .eof = eof && size <= KEPT_MAX,
    };
    memcpy(writer->data, data, writer->size);
    free(data);
    vm_observe(vm, &writer->observer);
    rpc_call_on_cancel(call, on_cancel, writer);
    vm_want_room(vm);
}

void input_writer_start(struct rpc_call *call, struct vm *vm, unsigned char *data, size_t size,
                        bool eof, bool wait)
{
    struct error err;
    size_t taken;

    if (vm_input(vm, data, size, eof, &taken, &err) < 0) {
        free(data);
        rpc_call_fail_error(call, &err);
    } else if (wait && taken == 0 && size > 0) {
        wait_for_room(call, vm, data, size, eof);
    } else {
        free(data);
        answer(call, vm, taken);
    }
}
