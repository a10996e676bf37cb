/*
 * Record JSON: a VM's record and parts of it as openrpc.json describes them.
 *
 * Functions return objects the caller owns; NULL: out of memory (protocol/json_builder.h).
 */
#pragma once

#include <stdint.h>

struct json_object;
struct vm;
struct vm_record;

/* components.schemas.Record */
struct json_object *record_json(const struct vm *vm);

/* components.schemas.Exit, of a VM that has ended. */
struct json_object *record_json_exit(const struct vm_record *record);

/* components.schemas.Stats */
struct json_object *stats_json(const struct vm *vm);

/* Adds components.schemas.Time; JSON null for 0. */
void record_json_add_time(struct json_object **object, const char *name, int64_t realtime_ns);
