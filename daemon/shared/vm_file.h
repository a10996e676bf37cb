/*
 * VM file: one file per VM in the state directory, mapped shared: its record, its exit statistics
 * and its output ring. What is in it is there for the next daemon, however this one ends.
 *
 *     offset 0      header: magic, layout number, state, the ring's counters, the record
 *     offset 4096   exit statistics
 *     offset 8192   the ring's bytes; the file grows with the ring
 *
 * The VM's thread is the only writer while it lives. Survives the death of the process; nothing is
 * synced for the death of the machine.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/exit_stats.h"
#include "shared/output_ring.h"
#include "shared/post_code.h"
#include "shared/vm_record.h"
#include "shared/vm_state.h"
#include "util/error.h"
#include "util/note.h"

#define VM_FILE_MAGIC UINT64_C(0x31454c4946444d56) /* "VMDFILE1", little-endian */
enum { VM_FILE_LAYOUT = 2 };

#define VM_FILE_ID_MAX                                                                             \
    ((uint64_t)INT64_MAX / 2) /* ids above were never given, nor ever will be                      \
                               */

struct vm_file_header {
    _Atomic uint64_t magic; /* written last: a file without it was never finished */
    uint32_t layout;
    _Atomic uint32_t state; /* an enum vm_state; written after what belongs to it */
    struct output_ring_state ring;
    struct note ring_note;  /* why an output ring of the guest's was refused or ended */
    struct post_codes post; /* written while the guest runs */
    struct vm_record record;
};

enum {
    VM_FILE_STATS_OFFSET = 4096,
    VM_FILE_RING_OFFSET = 8192,
};

static_assert(sizeof(struct vm_file_header) <= VM_FILE_STATS_OFFSET, "layout of state files");
static_assert(sizeof(struct exit_stats) <= VM_FILE_RING_OFFSET - VM_FILE_STATS_OFFSET, "likewise");

struct vm_file {
    int fd; /* to reserve space; -1 once the VM's thread is done with it */
    size_t map_size;
    struct vm_file_header *header;
    struct exit_stats *stats;
    struct output_ring ring;
};

/*
 * Creates the file of VM record->id in the directory and maps it, in state `starting`.
 * ring_capacity: a power of two. The caller owns *ret. The VM's thread.
 * Errors: -EIO, with what the file system said.
 */
int vm_file_create(int directory_fd, const struct vm_record *record, uint64_t ring_capacity,
                   struct vm_file **ret, struct error *err);

/*
 * Maps the file an earlier daemon left, after checking every number in it.
 * Errors: -ENODATA (never finished: nobody was told of this VM), -EBADMSG (another layout, or
 * damaged), or what the file system says.
 */
int vm_file_open(int directory_fd, uint64_t id, struct vm_file **ret, struct error *err);

/* The ring will not grow any more: closes the descriptor. The VM's thread, as it ends. */
void vm_file_seal(struct vm_file *file);

/* Unmaps. The file stays. Accepts NULL. */
void vm_file_free(struct vm_file *file);

/* Unlinks the file of a VM. Errors: negative errno. Any thread. */
int vm_file_remove(int directory_fd, uint64_t id);

/* The id in a file's name, or 0: the name is not of a VM file. */
uint64_t vm_file_id(const char *name);
