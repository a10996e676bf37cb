/*
 * VM record: what is kept about a VM, in memory and, byte for byte, in its state file.
 */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/definition.h"
#include "shared/guest_end.h"

enum {
    VM_NAME_MAX = 64,   /* characters */
    VM_IMAGE_MAX = 255, /* bytes of an image's name */
};

/* Who called, as the kernel told (SO_PEERCRED). */
struct vm_peer {
    uint32_t uid;
    uint32_t gid;
    int32_t pid; /* 0: not known */
};

/* What is known once the image is loaded. */
struct vm_machine_record {
    char format[16];
    char mode[16];
    char machine[8];
    uint64_t image_size;   /* bytes */
    uint64_t memory_bytes; /* the guest's */
    uint64_t waits_in_kvm; /* not 0: it is KVM that waits when its vCPUs do */
    char note[168];        /* what the format was chosen by; "": the start named it */
};

struct vm_record {
    uint64_t id;
    char name[VM_NAME_MAX + 8];
    char image[VM_IMAGE_MAX + 1];
    struct vm_machine_record machine;
    uint64_t cpus;
    int64_t created_ns; /* realtime */
    int64_t started_ns; /* realtime; 0: never */
    int64_t ended_ns;   /* realtime; 0: not yet */
    uint64_t uptime_ns; /* from start to end, less what it was paused; 0 until it ended */
    uint64_t paused_ns; /* likewise */
    struct vm_peer owner;
    struct vm_peer stopped_by; /* with reasons stopped and killed */
    struct guest_end end;
    int32_t start_error;  /* negative errno: the guest never ran; 0: it did, or has not yet */
    char start_about[20]; /* the parameter of the start that is to blame for it; "": none */
};

static_assert(
    sizeof(struct vm_record) == 8 + 72 + 256 + (16 + 16 + 8 + 3 * 8 + 168) + 6 * 8 + 2 * 12 +
                                    (8 + 384) + sizeof(struct register_dump) + 24,
    "layout of state files: new fields come at the end, and change VM_FILE_RECORD's size");

/* What stands in it until the image is loaded. format: as the start named it, or IMAGE_AUTO. */
void vm_machine_record_begin(struct vm_machine_record *machine, enum image_format format);
