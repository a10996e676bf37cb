/*
 * VM record: the fields of openrpc.json's "Record", "Exit" and "Peer", in words for people.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

enum { VM_RECORD_TEXT_SIZE = 128 };

/* Nothing will happen to it any more. */
bool vm_record_has_ended(struct json_object *record);

/* Formatters write into text and return it. */

/* "halted", "guest-exit 3"; "" for NULL: it has not ended. */
const char *vm_record_format_exit(struct json_object *exit, char text[static VM_RECORD_TEXT_SIZE]);

/* The login name, or the uid's digits where nobody has it. */
const char *vm_record_format_user(int64_t uid, char text[static VM_RECORD_TEXT_SIZE]);

/* A time of the wire in the user's time zone, without its milliseconds; "-" if it is none. */
const char *vm_record_format_time(const char *wire_time, char text[static VM_RECORD_TEXT_SIZE]);

/* Nanoseconds since a time of the wire; 0 if it is none or lies ahead. */
int64_t vm_record_age_ns(const char *wire_time);

/* How a VM ended: "VM 'hello' (1) ended: halted: <message>"; on stderr, and on stdout. */
void vm_record_report_end(const char *name, int64_t id, struct json_object *exit);
void vm_record_answer_end(struct json_object *record);
