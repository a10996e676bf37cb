/*
 * Service: what the service manager is told (sd_notify(3)): READY, STATUS, WATCHDOG, STOPPING.
 * Without one, nothing happens. Loop thread.
 */
#pragma once

#include <stddef.h>

struct event_base;
struct service;

/* Errors: -ENOMEM. */
int service_new(struct event_base *base, struct service **ret);

/* Accepts NULL. */
void service_free(struct service *service);

/* The daemon serves from now on; keeps the watchdog fed as long as the loop turns. */
void service_ready(struct service *service);

/* Tells the number of live VMs; a few times a second at most. */
void service_set_vms(struct service *service, size_t live);

void service_reloading(struct service *service);
void service_stopping(struct service *service);
