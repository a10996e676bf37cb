/*
 * Block: keys and values on standard output, one to a line, the values aligned. They come out fit
 * for a terminal (safe_text.h). All functions accept NULL: out of memory, nothing is printed.
 */
#pragma once

#include <stdint.h>

#include <json-c/json.h>

#include "util/cleanup.h"

struct block;

struct block *block_new(void);
struct block *block_free(struct block *block);
DEFINE_CLEANUP(struct block *, block_free);

void block_line(struct block *block, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void block_size(struct block *block, const char *key, int64_t bytes);

/* No line for NULL, or for a time that is none. Shapes: openrpc.json, "Peer", "Time". */
void block_peer(struct block *block, const char *key, struct json_object *peer);
void block_time(struct block *block, const char *key, const char *wire_time);

void block_print(struct block *block);
