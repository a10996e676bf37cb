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

#include "board/board.h"
#include "image/image.h"
#include "kvm/kvm_host.h"
#include "kvm/vcpu_kick.h"
#include "shared/input_queue.h"
#include "shared/vm_file.h"
#include "shared/vm_record.h"
#include "shared/vm_state.h"
#include "util/error.h"
#include "util/list.h"
#include "util/work_queue.h"
#include "vm/doorbell.h"

struct event;
struct event_base;
struct registry;

enum { VM_MODULES_MAX = 14 }; /* with image and initrd, as many as there may be descriptors */

/* A file that goes into the guest. All owned. */
struct vm_source {
    int fd;          /* or -1: */
    char *path;      /* below the config's image_directory */
    char *name;      /* for people; never NULL */
    char *arguments; /* of a module; NULL: none */
};

/* What a start asks for. Constant once the VM exists, save that the VM's thread releases what is to
 * be loaded. */
struct vm_config {
    bool named;                 /* false: it gets a name */
    char name[VM_NAME_MAX + 2]; /* room to see that one is too long */
    struct vm_source image;
    bool has_initrd;
    struct vm_source initrd;
    struct vm_source modules[VM_MODULES_MAX];
    size_t module_count;
    char *append;          /* command line; NULL: none; owned */
    char *image_directory; /* NULL: no source has a path; owned */
    enum image_format format;
    bool mode_given;
    enum boot_mode mode;
    bool load_given;
    gpa_t load;
    bool entry_given;
    gpa_t entry;
    bool board_given;
    enum board_kind board; /* else what guests of the image's format expect */
    unsigned cpus;
    uint64_t memory_bytes;        /* whole pages */
    uint64_t kernel_memory_bytes; /* of a guest that is no flat image and no ROM; whole pages */
    uint64_t ring_capacity;       /* a power of two */
    uint64_t timeout_ms;          /* 0: none */
    bool coalesce;
};

/* Bits of news, VM's thread to loop. */
enum vm_news {
    VM_NEWS_RUNNING = 1,  /* the first instruction is about to run; outcome.started_* are set */
    VM_NEWS_OUTPUT = 2,   /* there is output, and output_wanted said to tell */
    VM_NEWS_ENDED = 4,    /* outcome and the output are final */
    VM_NEWS_GONE = 8,     /* the thread holds nothing any more; the last news */
    VM_NEWS_STANDS = 16,  /* it is paused: outcome.stopped is set */
    VM_NEWS_GOES_ON = 32, /* it is not any more */
    VM_NEWS_ROOM = 64,    /* there is room for input, and input_wanted said to tell */
};

/* What the VM's thread found out. [vm] until the news that says it is set, then [loop]. */
struct vm_outcome {
    int start_error;         /* negative errno: the guest never ran */
    const char *start_about; /* the parameter of the start that is to blame for it, or NULL */
    struct vm_machine_record machine;
    int64_t started_ns; /* realtime */
    int64_t ended_ns;   /* realtime */
    uint64_t uptime_ns;
    uint64_t paused_ns;
    struct guest_end end;
    struct register_dump stopped; /* where it stands, paused */
};

struct vm {
    struct registry *registry;   /* [const] */
    struct vm_config config;     /* [const], the image [vm] */
    const struct kvm_host *host; /* [const] */
    int directory_fd;            /* [const] the state directory; the registry's */
    struct doorbell *doorbell;   /* [const] */

    /* between the threads */
    struct doorbell_button button;
    struct vcpu_kick *kicks;        /* config.cpus of them; NULL: it has no thread */
    _Atomic unsigned end_request;   /* not 0: the guest is to end */
    _Atomic unsigned pause_request; /* odd: it is to stand still; each change is a new wish */
    _Atomic bool input_news;        /* input has come that the VM's thread has not looked for */
    _Atomic bool input_wanted;      /* the loop wants VM_NEWS_ROOM when input was read */
    _Atomic(struct input_queue *) input; /* NULL: nothing was ever sent */
    _Atomic bool output_wanted;          /* the loop wants VM_NEWS_OUTPUT for the next byte */
    enum guest_end_reason stop_as;       /* [loop] before end_request is set, then [vm] */
    struct vm_peer stopped_by;           /* likewise */
    struct vm_outcome outcome;
    struct vm_file *file; /* [vm] until VM_NEWS_RUNNING or _ENDED; NULL: it could not be created */

    unsigned references;      /* [loop] */
    enum vm_state state;      /* [loop] */
    struct vm_record record;  /* [loop] */
    bool file_ready;          /* [loop] file may be used */
    bool removed;             /* [loop] no longer in the registry */
    bool pause_wanted;        /* [loop] it is to be paused, in the end */
    int64_t started_mono_ns;  /* [loop] */
    int64_t stands_mono_ns;   /* [loop] since when it is paused; 0: it is not */
    uint64_t stood_ns;        /* [loop] how long it was, before */
    struct list link;         /* [loop] among the registry's VMs, by id */
    struct list ended_link;   /* [loop] among the ended, oldest end first */
    struct list observers;    /* [loop] */
    struct event *timeout;    /* [loop] */
    struct event *pace;       /* [loop] */
    int64_t asked_mono_ns;    /* [loop] when its vCPUs were last asked whether they sleep */
    unsigned output_watchers; /* [loop] */
    uint64_t output_seen;     /* [loop] what the watchers were last told of */
    struct work_item disposal;
};

/* Bits of what an observer is told. */
enum vm_notice {
    VM_NOTICE_STATE = 1,
    VM_NOTICE_OUTPUT = 2,
    VM_NOTICE_ROOM = 4, /* for input; to who has called vm_want_room() */
};

/* Embedded in who wants to know. It may stop observing, itself or others, in notify. */
struct vm_observer {
    struct list link;
    void (*notify)(struct vm_observer *observer, struct vm *vm, unsigned notice);
};

/* Releases what a config owns. A config that was taken is the VM's. */
void vm_config_deinit(struct vm_config *config);

/* A config with nothing in it. */
#define VM_CONFIG_NONE ((struct vm_config){ .image.fd = -1, .initrd.fd = -1 })

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

/* What is kept about it. As far as it is known: see vm_record.h. */
const struct vm_record *vm_record(const struct vm *vm);

/* Why the guest of a VM that has ended never ran, a negative errno; 0: it ran. And the parameter of
 * the start that is to blame for that, or NULL. */
int vm_start_error(const struct vm *vm);
const char *vm_start_about(const struct vm *vm);

/* Where its first vCPU stands; NULL: it is not paused. */
const struct register_dump *vm_paused_at(const struct vm *vm);

/* Bytes of output that are to be kept; the ring itself may have come to less. */
uint64_t vm_ring_capacity(const struct vm *vm);

/* The output, or NULL while there is none to look at yet. */
const struct output_ring *vm_ring(const struct vm *vm);

/* The statistics, or NULL likewise. */
const struct exit_stats *vm_stats(const struct vm *vm);

/* What else is in its file, or NULL likewise. */
const struct vm_file *vm_file(const struct vm *vm);

/* From start to end, or to now; the time it was paused does not count. */
uint64_t vm_uptime_ns(const struct vm *vm);

/* CPU time that its vCPUs' threads have used, in nanoseconds; -1: cannot be told. */
int64_t vm_cpu_ns(const struct vm *vm);

/*
 * Asks the guest to end, with reason stopped, killed or timeout. The first to ask is recorded; does
 * nothing for a VM that is ending or has. by: who asked.
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

/* The input that waits, or NULL: there never was any. Not after vm_unref(). */
const struct input_queue *vm_input_queue(const struct vm *vm);

/* How long it was paused, so far. */
uint64_t vm_paused_ns(const struct vm *vm);

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
