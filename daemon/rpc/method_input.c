/*
 * Method of a VM's input.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/base64.h"
#include "rpc/call.h"
#include "rpc/input_writer.h"
#include "rpc/method.h"
#include "rpc/output_text.h"

struct input_params {
    struct vm *vm;
    const char *data;
    unsigned encoding;
    bool eof;
    bool wait;
};

const struct rpc_param vm_input_params[] = {
    { "vm", RPC_VM, offsetof(struct input_params, vm), .requirement = RPC_REQUIRED },
    { "data", RPC_TEXT, offsetof(struct input_params, data), .requirement = RPC_REQUIRED },
    { "encoding", RPC_WORD, offsetof(struct input_params, encoding), .requirement = RPC_OPTIONAL,
      .words = output_encoding_words, .fallback = OUTPUT_BASE64 },
    { "eof", RPC_BOOL, offsetof(struct input_params, eof), .requirement = RPC_OPTIONAL },
    { "wait", RPC_BOOL, offsetof(struct input_params, wait), .requirement = RPC_OPTIONAL },
    RPC_PARAMS_END,
};

void method_vm_input(struct rpc_call *call, const void *context)
{
    const struct input_params *params = context;
    size_t length = strlen(params->data), size = length;
    unsigned char *data = malloc(length + 1);

    if (!data) {
        rpc_call_fail(call, RPC_INTERNAL_ERROR, "vmmd is out of memory");
        return;
    }
    if (params->encoding == OUTPUT_UTF8) {
        memcpy(data, params->data, length);
    } else if (base64_decode(params->data, length, data, &size) < 0) {
        free(data);
        rpc_call_fail(call, RPC_INVALID_PARAMS,
                      "parameter 'data' must be base64 (RFC 4648 section 4, padded, no white "
                      "space), or text with \"encoding\": \"utf-8\"");
        return;
    }
    input_writer_start(call, params->vm, data, size, params->eof, params->wait);
}
