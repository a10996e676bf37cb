/*
 * VM request: what a start asks for, until there is a VM of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/definition.h"
#include "shared/vm_record.h"
#include "util/error.h"

/* Where a file comes from that goes into the guest. */
enum vm_source_kind {
    VM_SOURCE_CLIENT, /* the next descriptor that the client sent, which somebody else holds */
    VM_SOURCE_FILE,   /* a file of our own */
    VM_SOURCE_PATH,   /* a file of the image directory */
};

/* All owned. */
struct vm_source {
    enum vm_source_kind kind;
    int fd;          /* VM_SOURCE_FILE; else -1 */
    char *path;      /* VM_SOURCE_PATH; else NULL */
    char *name;      /* for people; never NULL */
    char *arguments; /* of a module; NULL: none */
};

struct vm_request {
    bool named;                                       /* false: it gets a name */
    char name[VM_NAME_MAX + 2];                       /* room to see that one is too long */
    struct definition definition;                     /* memory and ring 0: the configured ones */
    char *append;                                     /* command line; NULL: none; owned */
    struct vm_source sources[DEFINITION_SOURCES_MAX]; /* in the definition's order */
    size_t source_count;
};

/* A request with nothing in it. */
#define VM_REQUEST_NONE ((struct vm_request){ .source_count = 0 })

/* Releases what it owns. */
void vm_request_deinit(struct vm_request *request);

/* How the files that the client sent come to who makes the VM. */
struct vm_supplier {
    /* Has the next one sent by supply_fd, as that source. Errors: -EINVAL, -EAGAIN. */
    int (*supply)(void *context, uint32_t source, int supply_fd, struct error *err);
    void *context;
};
