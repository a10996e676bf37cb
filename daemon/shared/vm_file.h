/*
 * VM file: one file per VM in the state directory: its record, its exit statistics, its output
 * ring. What is in it is there for the next daemon, however this one and the VM's worker end.
 *
 * The worker maps it to write, and is the only writer while it lives. The daemon maps it to read,
 * and believes nothing in it: a worker that was taken over by its guest may write anything, at any
 * time. So the daemon copies what it wants, and checks the copy. A page that is gone because
 * somebody cut the file short reads as zeros (util/bus_error.h).
 *
 * The file says itself where everything is:
 *
 *     offset 0      head: magic, layout number, a table of sections (tag, offset, size)
 *     behind it     the small sections
 *     offset 4096   exit statistics
 *     offset 8192   the ring's bytes; the file grows with the ring
 *
 * How sections grow: VM_FILE_RECORD and VM_FILE_STOPPED get new fields at their end. Whoever reads
 * takes as much as both know, and has zeros for the rest. All others are read in place and keep
 * their size for ever; what more there is to say gets a new tag. A tag that a reader does not know
 * is none of its business.
 *
 * Layout 2, before there were workers, had the same structs at fixed places, which is a table of
 * sections that was never written down. It is still read.
 *
 * Survives the death of all processes; nothing is synced for the death of the machine.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
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
enum { VM_FILE_LAYOUT = 3, VM_FILE_SECTIONS_MAX = 16 };

/* Ids above were never given, nor ever will be. */
#define VM_FILE_ID_MAX ((uint64_t)INT64_MAX / 2)

/* Numbers are kept in files: they only ever grow. */
enum vm_file_tag {
    VM_FILE_LIVE = 1,
    VM_FILE_RING_STATE,
    VM_FILE_RING_NOTE, /* why an output ring of the guest's was refused or ended */
    VM_FILE_POST,
    VM_FILE_RECORD,
    VM_FILE_STOPPED, /* where the first vCPU stands, paused: a struct register_dump */
    VM_FILE_STATS,
    VM_FILE_RING,
};

enum { VM_FILE_TAG_COUNT = VM_FILE_RING + 1 };

struct vm_file_section {
    uint32_t tag;
    uint32_t reserved;
    uint64_t offset; /* from the file's start; a multiple of 8 */
    uint64_t size;   /* bytes; of VM_FILE_RING: the most there may be */
};

struct vm_file_head {
    _Atomic uint64_t magic; /* written last: a file without it was never finished */
    uint32_t layout;
    uint32_t section_count;
    struct vm_file_section sections[VM_FILE_SECTIONS_MAX];
};

/* What changes while the VM lives. */
struct vm_live {
    _Atomic uint32_t state; /* an enum vm_state; written after what belongs to it */
    _Atomic uint32_t reserved;
    _Atomic int64_t started_mono_ns; /* CLOCK_MONOTONIC; 0: it never ran */
    _Atomic int64_t stands_mono_ns;  /* since when it is paused; 0: it is not */
    _Atomic uint64_t stood_ns;       /* how long it was paused, before */
};

static_assert(sizeof(struct vm_file_head) == 16 + VM_FILE_SECTIONS_MAX * 24,
              "layout of state files");
static_assert(sizeof(struct vm_live) == 32, "likewise");

enum {
    VM_FILE_STATS_OFFSET = 4096,
    VM_FILE_RING_OFFSET = 8192,
};

/* A file that is mapped. Of one that was opened to be read, nothing may be written. */
struct vm_file {
    int fd; /* to reserve space, in the worker; -1 once the VM is over, and in the daemon */
    size_t map_size;
    unsigned char *map;
    struct vm_file_section sections[VM_FILE_TAG_COUNT]; /* by tag; size 0: there is none */

    _Atomic uint32_t *state;
    struct vm_live *live; /* NULL: layout 2 had no more than the state */
    struct note *ring_note;
    struct post_codes *post;
    struct exit_stats *stats;
    struct vm_record *record; /* to write; read by vm_file_read_record() */
    struct register_dump
        *stopped; /* to write; read by vm_file_read_stopped(); NULL: there is none */
    struct output_ring ring;
};

/*
 * The worker's: fills the new, empty file fd, which it takes, with `record` in state `starting`,
 * and maps it. ring_capacity: bytes, a power of two. The caller owns *ret. The VM's thread.
 * Errors: -EIO, with what the file system said; the file is as long as it came to be.
 */
int vm_file_fill(int fd, const struct vm_record *record, uint64_t ring_capacity,
                 struct vm_file **ret, struct error *err);

/* The ring will not grow any more: closes the descriptor. The VM's thread, as it ends. */
void vm_file_seal(struct vm_file *file);

/*
 * The daemon's: makes the file of a VM, empty. Returns a descriptor, to be filled and to be read.
 * Loop thread. Errors: negative errno.
 */
int vm_file_make(int directory_fd, uint64_t id);

/* No ring is larger, whatever is asked for or said: bytes. */
#define VM_FILE_RING_MAX (UINT64_C(1) << 40)

/*
 * Maps a file to read it, after checking every number in it; fd stays the caller's. ring_max: the
 * most bytes that its ring may be for, so that a worker cannot have us map more than was asked of
 * it; at most VM_FILE_RING_MAX. Errors: -ENODATA (never finished: nobody was told of this VM),
 * -EBADMSG (another layout, or damaged), or what the file system says.
 */
int vm_file_view(int fd, uint64_t id, uint64_t ring_max, struct vm_file **ret, struct error *err);

/* Opens the file of a VM for vm_file_view(), or to write an ending. Errors: negative errno. */
int vm_file_open(int directory_fd, uint64_t id);

/* The state it says that the VM is in; VM_STARTING where what it says is none. Any thread. */
enum vm_state vm_file_state(const struct vm_file *file);

/* Copies the record, if it is one: every number in range, every text ended. Errors: -EBADMSG. */
int vm_file_read_record(const struct vm_file *file, uint64_t id, struct vm_record *ret);

/* Copies where it stands; no registers where the file does not tell, or tells nonsense. */
void vm_file_read_stopped(const struct vm_file *file, struct register_dump *ret);

/* Copies the note on its output ring; "": there is none. */
void vm_file_read_ring_note(const struct vm_file *file, char text[static NOTE_TEXT_SIZE]);

/*
 * Writes the ending of a VM whose worker is gone, and the state, into its file fd: a copy of
 * record. Errors: negative errno; -EBADMSG (the file is not one).
 */
int vm_file_write_end(int fd, const struct vm_record *record, enum vm_state state);

/* It was cut short, to `left` bytes as far as is known, and its page at `address` is missing: what
 * is mapped from there on, or from its end, is zeros after this, whatever becomes of the file. */
void vm_file_blank_rest(struct vm_file *file, uintptr_t address, uint64_t left);

/* Unmaps. The file stays. Accepts NULL. */
void vm_file_free(struct vm_file *file);

/* Unlinks the file of a VM. Errors: negative errno. Any thread. */
int vm_file_remove(int directory_fd, uint64_t id);

/*
 * In two steps, for to unlink a large file takes a while: from the first one on it is no VM's any
 * more, and only waits for the second, by this daemon or the next. Errors: negative errno. Any
 * thread.
 */
int vm_file_discard(int directory_fd, uint64_t id);
int vm_file_remove_discarded(int directory_fd, uint64_t id);

/* The id in a file's name, or 0: the name is not of a VM file; of one that was discarded. */
uint64_t vm_file_id(const char *name);
uint64_t vm_file_discarded_id(const char *name);
