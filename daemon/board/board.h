/*
 * Board: the devices of a guest's machine, each at its place; one per architecture.
 *
 * Unless said otherwise: on the threads of the machine's vCPUs, its lock held, or before they run.
 */
#pragma once

#include <stdint.h>

#include "device/console.h"
#include "shared/definition.h"
#include "shared/post_code.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/note.h"

/* The one that kernels of this architecture expect. */
extern const enum board_kind board_of_kernels;

struct board;
struct boot;
struct machine;

struct board_config {
    enum board_kind kind; /* bare, or what kernels expect */
    bool firmware;        /* the image is firmware: it finds out by itself, and tells kernels */
    bool coalesce;
    const struct console *console; /* where the guest prints and reads */
    struct post_codes *post;       /* where its POST codes go */
    struct note *ring_note;        /* why an output ring of its was refused or ended */
    struct boot *boot;             /* to board_new() alone: it may add arguments */
    const char *command_line;      /* likewise: for a device tree */
    uint64_t vm_id;                /* for the log */
    const char *vm_name;
};

/*
 * Puts the devices on the machine's buses, and what the guest looks for in memory into it, whose
 * image is loaded. What config points to must outlive the board, and so must the machine.
 * The VM's thread. Errors: -ENOMEM, -ENOEXEC (no room in the guest's memory), and those of
 * device_table_place(). The machine must not run then.
 */
int board_new(struct machine *machine, const struct board_config *config, struct board **ret,
              struct error *err);

/* Accepts NULL. The VM's thread; no vCPU runs. */
struct board *board_free(struct board *board);
DEFINE_CLEANUP(struct board *, board_free);

/* The console may have input. */
void board_receive(struct board *board);

/* A vCPU came out of the guest: takes what is in the guest's output ring. */
void board_drain(struct board *board);
