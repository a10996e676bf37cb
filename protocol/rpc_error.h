/*
 * The error codes of the wire: JSON-RPC 2.0 section 5.1, and vmmd's own from -32000 down.
 *
 * Codes and names only ever grow. An error object's "data" carries "name" (below) and, where they
 * apply, "parameter" and "value": what was refused.
 */
#pragma once

enum rpc_error_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,

    RPC_VM_NOT_FOUND = -32000,
    RPC_NAME_TAKEN = -32001,
    RPC_WRONG_STATE = -32002,
    RPC_IMAGE_REFUSED = -32003,
    RPC_LIMIT_REACHED = -32004,
    RPC_KVM_FAILED = -32005,
    RPC_TIMED_OUT = -32006,
    RPC_OUT_OF_RANGE = -32007,
    RPC_SUBSCRIPTION_NOT_FOUND = -32008,
    RPC_SHUTTING_DOWN = -32009,
    RPC_STORAGE_FAILED = -32010,
    RPC_ANSWER_TOO_LARGE = -32011,
    RPC_WORKER_SILENT = -32012,
};

struct rpc_error_row {
    enum rpc_error_code code;
    const char *name;     /* for programs: data.name */
    const char *sentence; /* for people: the default message */
};

/* The row of a code, or NULL if no such code is ours. Any thread. */
const struct rpc_error_row *rpc_error_find(int code);

/* Rows in the order they are documented; NULL at the end of the table. Any thread. */
const struct rpc_error_row *rpc_error_at(unsigned index);
