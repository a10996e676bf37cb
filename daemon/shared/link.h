/*
 * Link: the connection between the daemon and one of its workers, and the messages on it.
 *
 * The connection is a SOCK_SEQPACKET socket: a message comes whole, in order, with the descriptors
 * that were sent with it, or not at all. Few messages are needed: a start, a wish (to end, to
 * pause), a greeting. What a guest prints and what it is sent costs none (shared/slot_page.h).
 *
 *     daemon                              worker
 *     ------                              ------
 *     GREETING (page, bells)  ------->
 *                             <-------    GREETING (what KVM is, how many VMs there are)
 *                             <-------    REPORT, one for each VM that it has
 *     START (file, supply)    ------->    a thread makes the VM, what comes of it is news
 *                             <-------    or REFUSED
 *     END, PAUSE, RESUME,     ------->    a request to that thread
 *     INPUT (queue), TIMES    ------->
 *                             <-------    LOG, at any time; STRANDED, when a thread hangs
 *
 * A worker that was made to receive what clients send has other business (worker/receiver.h):
 *
 *     RECEIVE (socket)        ------->
 *                             <-------    RECEIVED
 *     SUPPLY (supply)         ------->    the file goes to the worker that makes the VM
 *     FORGET                  ------->
 *
 * Versions. Either side may be older than the other: workers outlive the daemon. So messages only
 * grow: a field is added at the end, and whoever reads a shorter message has zeros there. A message
 * of a type that is not known is passed over. The greeting says which version each side speaks, and
 * which is the oldest that it can speak to; where that does not do, the daemon leaves the worker
 * alone (its VMs go on, are listed and read, and SIGTERM ends them).
 *
 * What a worker sends is not to be believed: sizes are checked here, all else by who uses it.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/definition.h"
#include "shared/guest_end.h"
#include "shared/vm_record.h"
#include "util/error.h"
#include "util/log.h"

enum { LINK_VERSION = 1, LINK_VERSION_OLDEST = 1 };

/* The descriptors that a worker is started with. */
enum {
    LINK_FD = 3,    /* the link to who started it */
    LINK_LISTEN_FD, /* bound, where a later daemon connects; the worker listens on it */
    LINK_NOTE_FD,   /* a file for its last words: why it dies */
};

enum link_type {
    LINK_GREETING = 1,
    LINK_START,
    LINK_END,
    LINK_PAUSE,
    LINK_RESUME,
    LINK_INPUT,
    LINK_TIMES,
    LINK_LOG_LEVEL,
    LINK_REPORT,
    LINK_REFUSED,
    LINK_STRANDED,
    LINK_LOG,
    LINK_RECEIVE,
    LINK_RECEIVED,
    LINK_SUPPLY,
    LINK_FORGET,
    LINK_SOURCE,
};

struct link_head {
    uint32_t type; /* enum link_type */
    uint32_t size; /* bytes of the whole message */
};

enum { LINK_KVM_ROWS_MAX = 64, LINK_KVM_NAME_SIZE = 28 };

/* Daemon: with the slot page, an eventfd that rings for the daemon, a socket that rings for the
 * worker. */
struct link_daemon_greeting {
    struct link_head head;
    uint32_t version;
    uint32_t version_oldest;
    uint32_t log_level; /* enum log_level */
    uint32_t reserved;
};

/* Worker. */
struct link_worker_greeting {
    struct link_head head;
    uint32_t version;
    uint32_t version_oldest;
    uint32_t kvm_error; /* not 0: there is no KVM to use; `error` says why */
    uint32_t vm_count;  /* reports that follow */
    uint32_t api_version;
    uint32_t capability_count;
    struct {
        char name[LINK_KVM_NAME_SIZE];
        uint32_t value;
    } capabilities[LINK_KVM_ROWS_MAX];
    char software[16];     /* its version, for people */
    char architecture[16]; /* of its guests */
    char error[ERROR_TEXT_SIZE];
};

/* Whose VM it is about, as most messages begin. */
struct link_vm {
    struct link_head head;
    uint64_t id;
    uint32_t slot;
    uint32_t reserved;
};

/* With the VM's file, empty, and the socket by which its image comes (worker/sources.h). Behind the
 * struct: the definition's texts. */
struct link_start {
    struct link_vm vm;
    struct definition definition;
    struct vm_peer owner;
    uint32_t texts_size; /* bytes */
    int64_t created_ns;  /* realtime */
    char name[VM_NAME_MAX + 8];
    char reserved[8];
};

/* The sentence is what the VM's record says of its end. */
struct link_end {
    struct link_vm vm;
    uint32_t reason; /* enum guest_end_reason: stopped or killed */
    struct vm_peer by;
    char sentence[GUEST_END_MESSAGE_SIZE];
};

enum link_phase { LINK_PHASE_STARTING, LINK_PHASE_RUNNING, LINK_PHASE_PAUSED, LINK_PHASE_ENDED };

struct link_report {
    struct link_vm vm;
    uint32_t phase;     /* enum link_phase */
    uint32_t has_input; /* not 0: there is an input queue of an earlier daemon's */
};

/* A start that came to nothing before there was a VM to tell of it. */
struct link_refused {
    struct link_vm vm;
    int32_t code; /* negative errno */
    uint32_t reserved;
    char text[ERROR_TEXT_SIZE];
};

struct link_log {
    struct link_head head;
    uint32_t level; /* enum log_level */
    uint32_t reserved;
    uint64_t vm_id; /* 0: it is about none */
    char text[LOG_LINE_SIZE];
};

struct link_log_level {
    struct link_head head;
    uint32_t level;
    uint32_t reserved;
};

/* With the client's socket: `length` bytes of it are to be taken, and the descriptors among them.
 */
struct link_receive {
    struct link_head head;
    uint64_t client;
    uint64_t until; /* they belong to lines that begin before this offset of what it sent */
    uint64_t length;
};

struct link_received {
    struct link_head head;
    uint64_t client;
    uint32_t count; /* descriptors */
    uint32_t failed;
};

/* What a source of a VM is taken from. */
enum link_supply_kind {
    LINK_SUPPLY_CLIENT, /* the next descriptor that the client sent */
    LINK_SUPPLY_PATH,   /* a file below a directory */
};

enum { LINK_PATH_SIZE = 4096 };

/* With the socket on which it goes to the worker that makes the VM. */
struct link_supply {
    struct link_head head;
    uint64_t client;
    uint32_t kind;   /* enum link_supply_kind */
    uint32_t source; /* which of the definition's */
    char directory[LINK_PATH_SIZE];
    char path[LINK_PATH_SIZE];
};

/* All that came for lines that begin before an offset, and was not asked for. */
struct link_forget {
    struct link_head head;
    uint64_t client;
    uint64_t until;
};

/* On a VM's supply: with the descriptor of a source, or in its place a sentence. */
struct link_source {
    struct link_head head;
    uint32_t source;
    int32_t error; /* negative errno; 0: there is a descriptor */
    char text[ERROR_TEXT_SIZE];
};

static_assert(sizeof(struct link_vm) == 24, "wire between versions: messages only grow");
static_assert(sizeof(struct definition) == 72, "likewise");
static_assert(sizeof(struct link_start) == 24 + sizeof(struct definition) + 12 + 4 + 8 + 72 + 8,
              "likewise");
static_assert(sizeof(struct link_report) == 32, "likewise");

/* The largest message: a start with all of its texts. */
enum { LINK_MESSAGE_MAX = sizeof(struct link_start) + DEFINITION_TEXTS_SIZE_MAX };

enum { LINK_FDS_MAX = 4 };

/* Descriptors that are kept of a client: as many as a line may bring (protocol/limits.h). */
enum { LINK_CLIENT_FDS_MAX = 16 };

/* A message that came. What it holds is its own until link_message_release(). */
struct link_message {
    union {
        struct link_head head;
        unsigned char bytes[LINK_MESSAGE_MAX];
    };
    size_t size;
    int fds[LINK_FDS_MAX];
    size_t fd_count;
};

/* The message begun: type and size. */
#define LINK_HEAD(kind, message)                                                                   \
    ((struct link_head){ .type = (kind), .size = (uint32_t)sizeof(message) })

/*
 * Sends a message of size bytes, with copies of descriptors. Any thread; never blocks.
 * Errors: -EAGAIN (it has no room now), -EPIPE (nobody is there), or what the socket says.
 */
int link_send(int fd, const void *message, size_t size, const int *fds, size_t fd_count);

/*
 * Receives one, without waiting for it. Its descriptors are the caller's, by
 * link_message_take_fd() or link_message_release().
 * Errors: -EAGAIN (there is none), -EPIPE (nobody is there), -EBADMSG (it is no message: too short,
 * too long, or of another size than it says), or what the socket says.
 */
int link_receive(int fd, struct link_message *ret);

/*
 * The same, of one who may send no descriptors: to have one installed, or closed on the way, would
 * be to wait for whoever serves that file. Errors: also -EPROTO (one came; nothing was received).
 */
int link_receive_plain(int fd, struct link_message *ret);

/* Copies the message's fixed part: as much as both know, zeros for the rest. */
void link_message_read(const struct link_message *message, void *ret, size_t size);

/* The descriptor at index, which is the caller's then; -1: there is none. */
int link_message_take_fd(struct link_message *message, size_t index);

/* Closes what was not taken. */
void link_message_release(struct link_message *message);
