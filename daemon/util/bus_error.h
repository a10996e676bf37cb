/*
 * Bus error: what is mapped of a file that somebody cut short (SIGBUS, mmap(2)).
 *
 * The page that is not there any more is replaced by one of zeros, and whoever touched it goes on.
 * The address is kept: who knows which file was mapped there can find out that it was cut. systemd
 * reads its journal files so, too (src/basic/sigbus.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Handles SIGBUS of this process from now on. Main, before there are threads. Returns an eventfd
 * that is readable once there is something to take, the process's own for ever; -1: none could be
 * made, and one has to look from time to time. */
int bus_error_install(void);

/* The address of a page that was replaced; each is told once. false: there is none. One thread. */
bool bus_error_take(uintptr_t *ret_address);
