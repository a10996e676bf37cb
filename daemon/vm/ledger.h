/*
 * Ledger: which VM is whose, and which worker has it: STATE-DIR/ledger, which only the daemon
 * writes. What a worker says, or writes into its VMs' files, changes nothing of it.
 *
 * Rows of one size, so that a row is one write: there before the worker is asked, gone with the
 * VM's file. Loop thread.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/vm_record.h"
#include "util/error.h"

struct ledger_row {
    uint64_t id;        /* of the VM; 0: the row is free */
    uint64_t worker;    /* its number */
    uint32_t slot;      /* of the worker's */
    uint32_t ended;     /* not 0: it is no worker's any more, whatever its file says */
    int64_t created_ns; /* realtime */
    struct vm_peer owner;
    uint32_t cpus;
    uint64_t ring_capacity; /* bytes */
    char name[VM_NAME_MAX + 8];
    char image[VM_IMAGE_MAX + 1];
    char reserved[128];
};

static_assert(sizeof(struct ledger_row) == 512, "layout of the ledger");

struct ledger;

/*
 * Opens the ledger of a state directory, or makes one. *ret_made: there was none, or it was
 * damaged: VMs are what their files say. Errors: -EIO.
 */
int ledger_open(int directory_fd, struct ledger **ret, bool *ret_made, struct error *err);

/* Accepts NULL. */
void ledger_close(struct ledger *ledger);

/* A row that is in use, from index on; its own index in *index. NULL: there are no more. The
 * pointer holds until the next ledger_add(). */
const struct ledger_row *ledger_next(const struct ledger *ledger, size_t *index);

/* Writes a new row down. Errors: -EIO, -ENOMEM. */
int ledger_add(struct ledger *ledger, const struct ledger_row *row, size_t *ret_index,
               struct error *err);

/* The VM has ended. What cannot be written is logged: the row only says more than it must. */
void ledger_end(struct ledger *ledger, size_t index);

/* The VM is forgotten. Likewise. */
void ledger_remove(struct ledger *ledger, size_t index);
