/*
 * VM: one guest, from the request to start it to the last reader of its output, as the daemon has
 * it. Its worker runs it (vm/worker.h); what is known of it is read from its file
 * (shared/vm_file.h), of which nothing is believed.
 *
 * Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/input_queue.h"
#include "shared/vm_file.h"
#include "shared/vm_record.h"
#include "shared/vm_state.h"
#include "util/error.h"
#include "util/list.h"

struct vm;

/* Bits of what an observer is told. */
enum vm_notice {
    VM_NOTICE_STATE = 1,
    VM_NOTICE_OUTPUT = 2,
    VM_NOTICE_ROOM = 4,    /* for input; to who has called vm_want_room() */
    VM_NOTICE_TIMES = 8,   /* vm_cpu_ns() is known anew */
    VM_NOTICE_SILENT = 16, /* its worker does not answer, or does again */
};

/* Embedded in who wants to know. It may stop observing, itself or others, in notify. */
struct vm_observer {
    struct list link;
    void (*notify)(struct vm_observer *observer, struct vm *vm, unsigned notice);
};

struct vm *vm_ref(struct vm *vm);
void vm_unref(struct vm *vm);

void vm_observe(struct vm *vm, struct vm_observer *observer);
void vm_unobserve(struct vm_observer *observer);

/* Tells all in a list of observers. */
void vm_observers_notify(struct list *observers, struct vm *vm, unsigned notice);

/* While anybody watches, observers are told of output: at once after a quiet time, then at most
 * every few milliseconds. */
void vm_watch_output(struct vm *vm);
void vm_unwatch_output(struct vm *vm);

/* Which VM it is. Constant. */
uint64_t vm_id(const struct vm *vm);
const char *vm_name(const struct vm *vm);

/* The VM with that link in registry_vms(). */
const struct vm *vm_of_link(const struct list *link);

enum vm_state vm_state(const struct vm *vm);

/* Whether its state is a terminal one: nothing about it changes any more. */
bool vm_has_ended(const struct vm *vm);

/* Whether its guest has run, or has come to its end without. */
bool vm_has_started(const struct vm *vm);

/* What is kept about it. As far as it is known: see vm_record.h. */
const struct vm_record *vm_record(const struct vm *vm);

/* Where its first vCPU stands. false: it is not paused. */
bool vm_read_paused(const struct vm *vm, struct register_dump *ret);

/* Bytes of output that are to be kept; the ring itself may have come to less. */
uint64_t vm_ring_capacity(const struct vm *vm);

/* The output, or NULL while there is none to look at yet. */
const struct output_ring *vm_ring(const struct vm *vm);

/* The statistics, or NULL likewise. */
const struct exit_stats *vm_stats(const struct vm *vm);

/* Its file, or NULL likewise. */
const struct vm_file *vm_file(const struct vm *vm);

/* From start to end, or to now; the time it was paused does not count. */
uint64_t vm_uptime_ns(const struct vm *vm);

/* How long it was paused, so far. */
uint64_t vm_paused_ns(const struct vm *vm);

/* Has its worker measure the CPU time of its vCPUs: observers are told. false: there is nobody to
 * ask. */
bool vm_want_times(struct vm *vm);

/* Whether the times that were wanted are there. */
bool vm_has_times(const struct vm *vm);

/* CPU time that its vCPUs' threads have used, in nanoseconds, as measured last; -1: cannot be told.
 */
int64_t vm_cpu_ns(const struct vm *vm);

/* Whether what it was asked is not answered, since its worker does not answer. */
bool vm_is_silent(const struct vm *vm);

/*
 * Asks the guest to end, with reason stopped or killed. The first to ask is recorded; does nothing
 * for a VM that is ending or has, save that one that hangs in its start can still be killed. by:
 * who asked; NULL: the daemon, which is shutting down.
 */
void vm_stop(struct vm *vm, enum guest_end_reason reason, const struct vm_peer *by);

/* Has the guest stand still, once it has done what was asked of it before. Errors: -EBUSY (it is
 * neither running nor paused). */
int vm_pause(struct vm *vm, struct error *err);

/* Lets it go on; likewise. */
int vm_resume(struct vm *vm, struct error *err);

/* Whether a pause that was asked for has come, or will not come any more; likewise of a resume. */
bool vm_pause_is_over(const struct vm *vm);
bool vm_resume_is_over(const struct vm *vm);

/*
 * Sends input to the guest: as many of size bytes as there is room for, *ret_taken. eof: nothing
 * more will come after them, if there was room for all. Errors: -EBUSY (it has ended, or its input
 * has), -ENOMEM.
 */
int vm_input(struct vm *vm, const void *data, size_t size, bool eof, size_t *ret_taken,
             struct error *err);

/* Observers are to be told, once, when input was read. */
void vm_want_room(struct vm *vm);

/* Bytes of input that wait, and for which there is room. */
size_t vm_input_waiting(const struct vm *vm);
size_t vm_input_room(const struct vm *vm);

/* Whether nothing more can be sent. */
bool vm_input_has_ended(const struct vm *vm);
