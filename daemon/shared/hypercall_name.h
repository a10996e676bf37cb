/*
 * Names of the hypercalls (guests/hypercall.h), for people.
 */
#pragma once

#include "guests/hypercall.h"

enum { HYPERCALL_COUNT = HC_NOTIFY + 1 };

/* "HC_PUTCHAR"; NULL where there is no such hypercall. Any thread. */
const char *hypercall_name(unsigned number);
