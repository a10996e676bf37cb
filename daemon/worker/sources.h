/*
 * Sources: the files that a guest is made of, received and checked to be files, as image loaders
 * want them.
 *
 * They come by the guest's supply, a SOCK_SEQPACKET socket: a message for each, with a descriptor,
 * or with a sentence in its place. Who sends them may be slow, or hang; so may whoever serves such
 * a file.
 *
 * All functions: the guest's thread.
 */
#pragma once

#include "image/image.h"
#include "worker/guest.h"

struct sources {
    struct image_request request;
    struct image_module modules[DEFINITION_MODULES_MAX];
    int fds[DEFINITION_SOURCES_MAX];
    char names[DEFINITION_SOURCES_MAX][80]; /* a client's: escaped, for sentences and the log */
};

/* Waits until all of them are there, or the guest is to end. Errors: -ENOEXEC (one is not there, or
 * is no file), -ECANCELED (it is to end), -EINVAL, -ENOMEM. */
int sources_receive(struct guest *guest, struct sources **ret, struct error *err);

/* Closes the files: may wait for whoever serves them. Accepts NULL. */
void sources_free(struct sources *sources);
