/*
 * Names of the hypercalls (guests/hypercall.h), for people.
 */
#pragma once

/* "HC_PUTCHAR"; NULL where there is no such hypercall. Any thread. */
const char *hypercall_name(unsigned number);
