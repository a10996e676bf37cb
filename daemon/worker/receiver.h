/*
 * Receiver: takes the descriptors that clients of one user send, so that the daemon never has one.
 * A worker that receives runs no VMs.
 *
 * To close such a descriptor may take for ever: a file on FUSE waits for the program that serves it
 * (fuse_flush(), Documentation/filesystems/fuse.rst), also in exit(2). The daemon would hang with
 * its lock and its socket, and a worker with its VMs. A receiver that hangs holds up nothing but
 * its user's own starts, and is replaced.
 *
 * The daemon peeks at what a client sent. Where descriptors are among it, it passes a copy of the
 * client's socket here, to take so many bytes of it, which it has already, with the descriptors.
 * Those are kept in their order until they are asked for, or are known not to be.
 *
 * All functions: control thread.
 */
#pragma once

#include "shared/link.h"

struct receiver;

/* NULL: out of memory. */
struct receiver *receiver_new(void);

/* LINK_RECEIVE: takes what the client's socket holds; the answer is for *ret. */
void receiver_take(struct receiver *receiver, struct link_message *message,
                   struct link_received *ret);

/* LINK_SUPPLY: sends what is wanted to the worker that makes the VM, or why it cannot. */
void receiver_supply(struct receiver *receiver, struct link_message *message);

/* LINK_FORGET: closes what nobody asked for, on a thread of its own. */
void receiver_forget(struct receiver *receiver, const struct link_message *message);
