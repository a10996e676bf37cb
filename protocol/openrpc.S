/* The file itself, byte for byte: what rpc.discover answers cannot drift from it. */
    .section .rodata
    .globl openrpc_json, openrpc_json_end
openrpc_json:
    .incbin "protocol/openrpc.json"
openrpc_json_end:
    .section .note.GNU-stack, "", %progbits
