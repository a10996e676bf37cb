/*
 * Record JSON: a VM's record and parts of it as openrpc.json describes them.
 *
 * Functions return objects the caller owns.
 */
#pragma once

struct json_object;
struct vm;
struct vm_record;

/* components.schemas.Record */
struct json_object *record_json(const struct vm *vm);

/* components.schemas.Exit, of a VM that has ended. */
struct json_object *record_json_exit(const struct vm_record *record);

/* components.schemas.Stats */
struct json_object *stats_json(const struct vm *vm);

/* components.schemas.Time; NULL (JSON null) for 0. */
struct json_object *time_json(long long realtime_ns);
