/*
 * Instructions: openrpc.json's "Instructions" for people, disassembled where vmmctl was built with
 * Capstone.
 */
#pragma once

#include <json-c/json.h>

/* On standard output, an instruction a line. registers are those at that moment. */
void instructions_print(struct json_object *instructions, struct json_object *registers);
