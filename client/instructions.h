/*
 * Instructions: openrpc.json's "Instructions" for people, disassembled where vmmctl was built with
 * Capstone: x86's, and riscv64's from Capstone 5 on.
 */
#pragma once

#include <json-c/json.h>

/* On standard output, an instruction a line. registers are those at that moment. */
void instructions_print(struct json_object *instructions, struct json_object *registers);
