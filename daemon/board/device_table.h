/*
 * Device table: the devices of a board, one row each, and what is done with all of them alike.
 *
 * A device is wired by its board, which alone knows to what. Its struct begins with that wiring;
 * the rest is its state, all that the guest can change of it. The row says where the state lies, so
 * that nothing which deals with the state of every device has to know any of them.
 *
 * All functions: the VM's thread, before its vCPUs run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kvm/bus.h"
#include "util/error.h"

enum { DEVICE_RANGES_MAX = 2 };

struct device_row {
    const char *name;    /* for sentences */
    bool kernels_only;   /* a bare board has no such device */
    size_t offset;       /* of the device in the board's struct: its functions are given that */
    size_t state_offset; /* of its state, in the board's struct as well */
    size_t state_size;   /* bytes; 0: it has none */

    /* Sets what is not 0 in its state after a reset. All of the state is 0. NULL: so it stays. */
    void (*reset)(void *device);

    /* Where it is on the bus; `device` is not used. size 0: no further range. */
    struct bus_range ranges[DEVICE_RANGES_MAX];
};

/* Fields of a row: the device is that member of a board's struct. */
#define DEVICE_WITHOUT_STATE(board_type, member) .offset = offsetof(board_type, member)

/* Likewise, and from its member `first` on it is state. */
#define DEVICE_WITH_STATE(board_type, member, first)                                               \
    .offset = offsetof(board_type, member), .state_offset = offsetof(board_type, member.first),    \
    .state_size = offsetof(board_type, member) + sizeof(((board_type *)NULL)->member) -            \
                  offsetof(board_type, member.first)

struct device_table {
    const struct device_row *rows;
    size_t count;
};

/* Brings up the state of each device, which is wired. bare: without those that kernels expect. */
void device_table_reset(const struct device_table *table, bool bare, void *board);

/* Puts each device on the bus. Errors: those of bus_add(). */
int device_table_place(const struct device_table *table, bool bare, void *board, struct bus *bus,
                       struct error *err);
