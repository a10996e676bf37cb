/*
 * openrpc.json, as rpc.discover answers it: the one machine-readable description of the wire.
 */
#pragma once

/* The text of the file, [openrpc_json, openrpc_json_end); not NUL-terminated. Constant. */
extern const char openrpc_json[];
extern const char openrpc_json_end[];
