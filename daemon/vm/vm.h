/*
 * VM: one guest, from the request to start it to the last reader of its output.
 *
 * Two threads meet here. The loop thread owns what is tagged [loop]: state, record, observers. The
 * VM's thread (vm_thread.c) owns the guest's machine, tells news by the doorbell and leaves what
 * it found out in `outcome`, which the loop reads once the news says so. The loop asks by
 * `requests` and a kick.
 *
 * Unless said otherwise: loop thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kvm/boot.h"
#include "kvm/kvm_host.h"
#include "kvm/vcpu_kick.h"
#include "util/error.h"
#include "util/list.h"
#include "util/worker.h"
#include "vm/doorbell.h"
#include "vm/vm_file.h"
#include "vm/vm_record.h"
#include "vm/vm_state.h"

struct event;
struct event_base;
struct registry;

/* How an image is to be read. */
enum vm_format {
    VM_FORMAT_AUTO,
    VM_FORMAT_FLAT,
};

/* What a start asks for. Constant once the VM exists, save that the VM's thread releases the image.
 */
struct vm_config {
    bool named;                 /* false: it gets a name */
    char name[VM_NAME_MAX + 2]; /* room to see that one is too long */
    char image[VM_IMAGE_MAX + 1];
    int image_fd;          /* the image, or -1: */
    char *image_directory; /* the image is the file image_path in here; both owned */
    char *image_path;
    enum vm_format format;
    enum boot_mode mode;
    gpa_t load;
    uint64_t memory_bytes;  /* whole pages */
    uint64_t ring_capacity; /* a power of two */
    uint64_t timeout_ms;    /* 0: none */
    bool coalesce;
};

/* Bits of news, VM's thread to loop. */
enum vm_news {
    VM_NEWS_RUNNING = 1, /* the first instruction is about to run; outcome.started_* are set */
    VM_NEWS_OUTPUT = 2,  /* there is output, and output_wanted said to tell */
    VM_NEWS_ENDED = 4,   /* outcome and the output are final */
    VM_NEWS_GONE = 8,    /* the thread holds nothing any more; the last news */
};

/* What the VM's thread found out. [vm] until the news that says it is set, then [loop]. */
struct vm_outcome {
    int start_error; /* negative errno: the guest never ran */
    uint64_t image_size;
    int64_t started_ns; /* realtime */
    int64_t ended_ns;   /* realtime */
    uint64_t uptime_ns;
    struct guest_end end;
};

struct vm {
    struct registry *registry;   /* [const] */
    struct vm_config config;     /* [const], the image [vm] */
    const struct kvm_host *host; /* [const] */
    int directory_fd;            /* [const] the state directory; the registry's */
    struct doorbell *doorbell;   /* [const] */

    /* between the threads */
    struct doorbell_button button;
    struct vcpu_kick kick;
    _Atomic unsigned requests;     /* not 0: the VM's thread is to end the guest */
    _Atomic bool output_wanted;    /* the loop wants VM_NEWS_OUTPUT for the next byte */
    enum guest_end_reason stop_as; /* [loop] before requests is set, then [vm] */
    struct vm_peer stopped_by;     /* likewise */
    struct vm_outcome outcome;
    struct vm_file *file; /* [vm] until VM_NEWS_RUNNING or _ENDED; NULL: it could not be created */

    unsigned references;      /* [loop] */
    enum vm_state state;      /* [loop] */
    struct vm_record record;  /* [loop] */
    bool file_ready;          /* [loop] file may be used */
    bool removed;             /* [loop] no longer in the registry */
    int64_t started_mono_ns;  /* [loop] */
    struct list link;         /* [loop] among the registry's VMs, by id */
    struct list ended_link;   /* [loop] among the ended, oldest end first */
    struct list observers;    /* [loop] */
    struct event *timeout;    /* [loop] */
    struct event *pace;       /* [loop] */
    unsigned output_watchers; /* [loop] */
    uint64_t output_seen;     /* [loop] what the watchers were last told of */
    struct worker_job disposal;
};

/* Bits of what an observer is told. */
enum vm_notice {
    VM_NOTICE_STATE = 1,
    VM_NOTICE_OUTPUT = 2,
};

/* Embedded in who wants to know. It may stop observing, itself or others, in notify. */
struct vm_observer {
    struct list link;
    void (*notify)(struct vm_observer *observer, struct vm *vm, unsigned notice);
};

/* Releases the image of a config. A config that was taken is the VM's. */
void vm_config_deinit(struct vm_config *config);

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

/* The output, or NULL while there is none to look at yet. */
const struct output_ring *vm_ring(const struct vm *vm);

/* The statistics, or NULL likewise. */
const struct exit_stats *vm_stats(const struct vm *vm);

/* From start to end, or to now. */
uint64_t vm_uptime_ns(const struct vm *vm);

/*
 * Asks the guest to end, with reason stopped, killed or timeout. The first to ask is recorded; does
 * nothing for a VM that is ending or has. by: who asked.
 */
void vm_stop(struct vm *vm, enum guest_end_reason reason, const struct vm_peer *by);

/* For the registry: starts the VM's thread. Errors: -EAGAIN (no more threads). */
int vm_spawn(struct vm *vm, struct error *err);

/* For the registry: what the doorbell brought. May free the VM. */
void vm_handle_news(struct vm *vm, unsigned news);

/* For the registry's tick: kicks a guest that has silent output, or was asked to end and has not.
 */
void vm_tick(struct vm *vm);

/* For the registry: frees the struct, and the mapping of the file: may block. Any thread. */
void vm_free(struct vm *vm);

/* The body of the VM's thread; argument: the VM. It owns one reference to it until GONE. */
void *vm_thread_main(void *argument);
