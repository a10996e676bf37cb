#include "protocol/rpc_error.h"

#include <stddef.h>

static const struct rpc_error_row rows[] = {
    { RPC_PARSE_ERROR, "parse-error", "the line is not JSON" },
    { RPC_INVALID_REQUEST, "invalid-request", "the JSON is not a JSON-RPC 2.0 request" },
    { RPC_METHOD_NOT_FOUND, "method-not-found", "there is no such method" },
    { RPC_INVALID_PARAMS, "invalid-params", "a parameter is missing, unknown or wrong" },
    { RPC_INTERNAL_ERROR, "internal-error", "vmmd failed; its log says more" },
    { RPC_VM_NOT_FOUND, "vm-not-found", "there is no such VM" },
    { RPC_NAME_TAKEN, "name-taken", "a live VM has that name" },
    { RPC_WRONG_STATE, "wrong-state", "the VM's state does not allow that" },
    { RPC_IMAGE_REFUSED, "image-refused", "the image cannot be loaded" },
    { RPC_LIMIT_REACHED, "limit-reached", "a configured limit is reached" },
    { RPC_KVM_FAILED, "kvm-failed", "KVM could not make the VM" },
    { RPC_TIMED_OUT, "timed-out", "it did not happen in the time given" },
    { RPC_OUT_OF_RANGE, "out-of-range", "that output does not exist yet" },
    { RPC_SUBSCRIPTION_NOT_FOUND, "subscription-not-found",
      "this connection has no such subscription" },
    { RPC_SHUTTING_DOWN, "shutting-down", "vmmd is shutting down" },
    { RPC_STORAGE_FAILED, "storage-failed", "the state directory cannot be written" },
    { RPC_ANSWER_TOO_LARGE, "answer-too-large", "the batch's answers are larger than allowed" },
    { RPC_WORKER_SILENT, "worker-silent", "the process that runs the VM does not answer" },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

const struct rpc_error_row *rpc_error_find(int code)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if ((int)rows[i].code == code)
            return &rows[i];
    return NULL;
}

const struct rpc_error_row *rpc_error_at(unsigned index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}
