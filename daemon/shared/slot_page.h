/*
 * Slot page: what daemon and worker tell each other of each of the worker's VMs without a message:
 * that there is news to look for. Two pages of memory for each worker, and a bell in each
 * direction, rung as sparingly as can be: while a slot's news has not been looked at, further news
 * only adds bits, and while anybody's has not, nobody rings again. A guest that prints a million
 * characters does not cause a million wake-ups.
 *
 * The worker rings an eventfd, which costs least. The daemon must never wait for a worker, and an
 * eventfd is one open file for both: who holds it can have it block (fcntl(2), F_SETFL), and fill
 * it. So the daemon reads that one with RWF_NOWAIT (preadv2(2)), and rings a socket of its own,
 * with MSG_DONTWAIT (send(2)).
 *
 * The daemon makes it, in memory that nobody can cut short (memfd_create(2), F_SEAL_SHRINK).
 * A daemon that takes a worker over brings another, which is mapped in place of the old, at the
 * same address: no thread of the worker need know. What the old one held is told by reports.
 *
 * Whoever is on the other side is not to be believed: bits that make no sense are to be ignored.
 * There is nothing else in here.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SLOTS_MAX = 64 }; /* VMs of a worker: a bit each */

/* Bits of news, worker to daemon. */
enum slot_news {
    SLOT_RUNNING = 1, /* the first instruction is about to run; the VM's file says the rest */
    SLOT_OUTPUT = 2,  /* there is output, and output_wanted said to tell */
    SLOT_ENDED = 4,   /* the VM's file has its ending, and all of its output */
    SLOT_GONE = 8,    /* the worker holds nothing of it any more: the slot is free; the last news */
    SLOT_STANDS = 16, /* it is paused: the VM's file has where */
    SLOT_GOES_ON = 32, /* it is not any more */
    SLOT_ROOM = 64,    /* there is room for input, and room_wanted said to tell */
    SLOT_TIMES = 128,  /* cpu_ns was measured anew, as asked by a message */
};

struct slot {
    _Atomic uint32_t news;          /* enum slot_news */
    _Atomic uint32_t output_wanted; /* the daemon wants SLOT_OUTPUT for the next byte */
    _Atomic uint32_t room_wanted;   /* and SLOT_ROOM when input was read */
    _Atomic uint32_t input;         /* the daemon has put something into the input queue */
    _Atomic int64_t cpu_ns;         /* CPU time of its vCPUs' threads; -1: cannot be told */
    uint64_t reserved[5];           /* a cache line each */
};

struct slot_page {
    _Atomic uint64_t news;  /* a bit for each slot that has news: worker to daemon */
    _Atomic uint64_t input; /* a bit for each slot that has input: daemon to worker */
    _Atomic uint64_t heard; /* messages that the worker has dealt with since its greeting */
    uint64_t reserved[5];
    struct slot slots[SLOTS_MAX];
};

static_assert(sizeof(struct slot) == 64, "wire between versions");
static_assert(sizeof(struct slot_page) == 64 + 64 * 64, "likewise");

/* Makes one of zeros, and *ret_fd, by which it is passed on; the caller's to close. Loop thread.
 * Errors: negative errno. */
int slot_page_new(struct slot_page **ret, int *ret_fd);

/* Maps one that was passed: at an address of the kernel's choice, or in place of *page. Errors:
 * -EBADMSG (it is none, or could be cut short), or what mapping it says. */
int slot_page_map(struct slot_page **page, int fd);

/* Accepts NULL. */
void slot_page_free(struct slot_page *page);

/* Adds news (not 0) of a slot, and rings bell_fd, an eventfd, if nobody has yet. Any thread; never
 * blocks. */
void slot_page_tell(struct slot_page *page, unsigned slot, uint32_t news, int bell_fd);

/* Adds news of a slot, for who is about to look, without a bell. Loop thread. */
void slot_page_add_news(struct slot_page *page, unsigned slot, uint32_t news);

/* There is input for the slot; likewise, the other way, by call_fd, a socket. Loop thread. */
void slot_page_tell_input(struct slot_page *page, unsigned slot, int call_fd);

/* Takes the bits of the slots that have news, or input; 0: none. */
uint64_t slot_page_take_news(struct slot_page *page);
uint64_t slot_page_take_input(struct slot_page *page);
