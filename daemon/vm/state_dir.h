/*
 * State directory: what outlives the daemon. `lock` (one daemon at a time), `next-id` (ids are
 * never given twice), and a file per VM (shared/vm_file.h).
 *
 * Loop thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct work_queue;

struct state_dir {
    char *path;
    int fd;
    int lock_fd;
    int next_id_fd;
    uint64_t next_id; /* above every id that was ever given */
    struct work_queue *queue;
};

#define STATE_DIR_NONE ((struct state_dir){ .fd = -1, .lock_fd = -1, .next_id_fd = -1 })

/*
 * Makes the directory if it is not there (mode 0700), locks it, and reads next-id. queue: deletes
 * files; must outlive the directory.
 * Errors: -EBUSY (another daemon has it), -EIO (what the file system said); nothing to close then.
 */
int state_dir_open(struct state_dir *dir, const char *path, struct work_queue *queue,
                   struct error *err);

/* Accepts one that failed to open, or STATE_DIR_NONE. */
void state_dir_close(struct state_dir *dir);

/* A new id, written down before it is given. Errors: -EIO. */
int state_dir_take_id(struct state_dir *dir, uint64_t *ret_id, struct error *err);

/* The ids of the VM files that are there, ascending; the caller frees them. New ids will be above
 * all of them. Errors: -EIO. */
int state_dir_read_ids(struct state_dir *dir, uint64_t **ret_ids, size_t *ret_count,
                       struct error *err);

/* Discards a VM's file at once, and has the queue delete it: if the daemon dies between the two,
 * the next one does it. */
void state_dir_remove(struct state_dir *dir, uint64_t id);
