/*
 * Shared copy: bytes copied to or from memory that another thread accesses at the same time.
 *
 * Each byte or word is one atomic access: stores release, loads acquire. A counter stored before
 * shared_store() is therefore seen by whoever sees the bytes it wrote, and one loaded after
 * shared_load() is no older than the bytes: what a sequence lock needs, without fences.
 */
#pragma once

#include <stddef.h>

/* Copies size bytes of the caller's own into shared memory. */
void shared_store(void *shared, const void *data, size_t size);

/* Copies size bytes of shared memory into the caller's own. */
void shared_load(const void *shared, void *data, size_t size);
