#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <event2/event.h>
#include <systemd/sd-daemon.h>

#include "util/clock.h"

/* The manager need not hear of each VM of a burst. */
static const struct timeval status_delay = { .tv_usec = 200000 };

struct service {
    struct event *status;   /* pending: the manager is to be told */
    struct event *watchdog; /* NULL: the manager wants none */
    size_t live;
};

static void on_status(evutil_socket_t fd, short what, void *context)
{
    const struct service *service = context;

    (void)fd, (void)what;
    sd_notifyf(0, "STATUS=%zu VM%s running", service->live, service->live == 1 ? "" : "s");
}

/* Called by the loop itself: a loop that is stuck does not feed the dog. */
static void on_watchdog(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what, (void)context;
    sd_notify(0, "WATCHDOG=1");
}

int service_new(struct event_base *base, struct service **ret)
{
    struct service *service = calloc(1, sizeof(*service));
    uint64_t period_us;

    if (!service)
        return -ENOMEM;
    service->status = event_new(base, -1, 0, on_status, service);
    if (service->status && sd_watchdog_enabled(0, &period_us) > 0) {
        /* half of it: sd_watchdog_enabled(3) */
        struct timeval half = { .tv_sec = (time_t)(period_us / 2 / 1000000),
                                .tv_usec = (suseconds_t)(period_us / 2 % 1000000) };

        service->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, service);
        if (service->watchdog)
            event_add(service->watchdog, &half);
    }
    if (!service->status) {
        service_free(service);
        return -ENOMEM;
    }
    *ret = service;
    return 0;
}

void service_free(struct service *service)
{
    if (!service)
        return;
    if (service->status)
        event_free(service->status);
    if (service->watchdog)
        event_free(service->watchdog);
    free(service);
}

void service_ready(struct service *service)
{
    sd_notifyf(0, "READY=1\nSTATUS=%zu VM%s running", service->live, service->live == 1 ? "" : "s");
}

void service_set_vms(struct service *service, size_t live)
{
    if (live == service->live)
        return;
    service->live = live;
    if (!event_pending(service->status, EV_TIMEOUT, NULL))
        event_add(service->status, &status_delay);
}

void service_reloading(struct service *service)
{
    (void)service;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_ns() / 1000);
}

void service_stopping(struct service *service)
{
    (void)service;
    sd_notify(0, "STOPPING=1");
}
