/*
 * Worker table: the daemon's processes at a glance, which run VMs and receive files.
 */
#pragma once

#include <json-c/json.h>

/* On standard output. Shape: openrpc.json, "daemon.workers". */
void worker_table_print(struct json_object *workers);
