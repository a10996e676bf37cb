/*
 * vmmd: arguments, wiring, signals. The one file that knows everybody.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "config.h"
#include "journal.h"
#include "rpc/listen_socket.h"
#include "rpc/server.h"
#include "service.h"
#include "util/bus_error.h"
#include "util/clock.h"
#include "util/closer.h"
#include "util/log.h"
#include "util/work_queue.h"
#include "vm/registry.h"
#include "vm/worker_binary.h"
#include "vm/worker_pool.h"

/* SIGTERM to exit: what is not down by then is left to the kernel. */
static const struct timeval shutdown_limit = { .tv_sec = 4 };
static const struct timeval shutdown_poll = { .tv_usec = 10000 };

enum { EXIT_USAGE = 2 };
enum { SIGNAL_COUNT = 4 };

/* For the first worker to say what KVM is. */
static const struct timeval greeting_limit = { .tv_sec = 10 };
static const struct timeval greeting_poll = { .tv_usec = 1000 };

/* Codes of the options that are not settings; settings are 0 and found by their index. */
enum option_code { OPTION_CONFIG = 1, OPTION_SET, OPTION_CHECK, OPTION_VERSION, OPTION_HELP };

static const struct own_option {
    const char *name;
    int argument;
    int code;
    const char *usage;
    const char *help;
} own_options[] = {
    { "config", required_argument, OPTION_CONFIG, "--config FILE",
      "read settings from FILE (" CONFIG_FILE_DEFAULT ", if it is there)" },
    { "set", required_argument, OPTION_SET, "--set KEY=VALUE", "set a setting, like --KEY VALUE" },
    { "check-config", no_argument, OPTION_CHECK, "--check-config",
      "say what is wrong with the settings, without starting" },
    { "version", no_argument, OPTION_VERSION, "--version", "say the version" },
    { "help", no_argument, OPTION_HELP, "--help", "this text" },
};

enum {
    OWN_OPTION_COUNT = sizeof(own_options) / sizeof(own_options[0]),
    OPTION_ROWS = (int)CONFIG_KEY_COUNT + OWN_OPTION_COUNT + 1, /* the last one ends them */
};

struct daemon {
    int argc;
    char **argv;
    struct config config;
    struct event_base *base;
    char *worker_binary;
    struct closer *closer; /* of sockets that clients and workers may have sent something by */
    struct work_queue *queue;
    struct registry *registry;
    struct listen_socket listen_socket;
    struct rpc_server server;
    struct service *service;
    struct event *signals[SIGNAL_COUNT];
    struct event *bus_error;     /* a mapped file was cut short */
    bool serves;                 /* before, signals to end are kept, and others ignored */
    bool ending;                 /* it is to shut down, as soon as it serves */
    bool keep;                   /* shutting down, it leaves VMs to the next daemon */
    struct event *idle;          /* runs while there is neither VM nor client */
    struct event *shutdown_poll; /* runs while shutting down */
    struct event *shutdown_limit;
};

static void print_usage(void)
{
    printf("usage: vmmd [OPTION]...\n\n"
           "Runs bare-metal guests under KVM and serves vmmctl.\n\n");
    for (size_t i = 0; i < OWN_OPTION_COUNT; i++)
        printf("  %-24s %s\n", own_options[i].usage, own_options[i].help);
    printf("\nSettings, as options or as lines `key = value` of the file:\n\n");
    for (size_t i = 0; config_key_at(i); i++) {
        char usage[64];

        snprintf(usage, sizeof(usage), "--%s VALUE", config_key_at(i));
        printf("  %-24s %s", usage, config_help_at(i));
        printf(config_default_at(i)[0] ? " [%s]\n" : "%s\n", config_default_at(i));
    }
}

static void fill_options(struct option options[static OPTION_ROWS])
{
    size_t count = 0;

    for (size_t i = 0; config_key_at(i); i++)
        options[count++] = (struct option){ config_key_at(i), required_argument, NULL, 0 };
    for (size_t i = 0; i < OWN_OPTION_COUNT; i++)
        options[count++] = (struct option){ own_options[i].name, own_options[i].argument, NULL,
                                            own_options[i].code };
    options[count] = (struct option){ 0 };
}

/* KEY=VALUE of --set */
static int set_pair(struct config *config, const char *pair, struct error *err)
{
    char key[64];
    const char *equals = strchr(pair, '=');

    if (!equals || (size_t)(equals - pair) >= sizeof(key))
        return error_set(err, -EINVAL, "--set takes KEY=VALUE, not '%.64s'", pair);
    memcpy(key, pair, (size_t)(equals - pair));
    key[equals - pair] = '\0';
    return config_set(config, key, equals + 1, err);
}

/* What the command line asks for besides settings. */
struct request {
    const char *config_file; /* NULL: the default one, which need not be there */
    bool check;
    bool version;
    bool help;
};

/* Goes through the command line: settings into config, the rest into *ret. */
static int read_arguments(int argc, char **argv, struct config *config, struct request *ret,
                          struct error *err)
{
    struct option options[OPTION_ROWS];
    int code, index = 0, r = 0;

    fill_options(options);
    *ret = (struct request){ 0 };
    optind = 0; /* from the start, also the second time: getopt(3) */
    while (r == 0 && (code = getopt_long(argc, argv, "", options, &index)) >= 0) {
        switch (code) {
        case 0:
            r = config_set(config, options[index].name, optarg, err);
            break;
        case OPTION_CONFIG:
            ret->config_file = optarg;
            break;
        case OPTION_SET:
            r = set_pair(config, optarg, err);
            break;
        case OPTION_CHECK:
            ret->check = true;
            break;
        case OPTION_VERSION:
            ret->version = true;
            break;
        case OPTION_HELP:
            ret->help = true;
            break;
        default: /* getopt has said what is wrong */
            return error_set(err, -EINVAL, "`vmmd --help` lists the options");
        }
    }
    if (r == 0 && optind < argc)
        return error_set(err, -EINVAL, "vmmd takes no arguments, but was given '%.64s'",
                         argv[optind]);
    return r;
}

/* Defaults, then the file, then the command line; which names the file, so it is read twice. */
static int read_config(int argc, char **argv, struct config *config, struct request *ret,
                       struct error *err)
{
    const char *file;
    int r;

    config_init(config);
    r = read_arguments(argc, argv, config, ret, err);
    if (r < 0 || ret->help || ret->version)
        return r;

    config_init(config);
    file = ret->config_file ? ret->config_file : CONFIG_FILE_DEFAULT;
    if (ret->config_file || access(file, F_OK) == 0)
        r = config_read_file(config, file, err);
    if (r == 0)
        r = read_arguments(argc, argv, config, ret, err);
    if (r == 0)
        r = config_check(config, err);
    return r;
}

/* Each VM has a few descriptors: as many as we may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warning("cannot raise the limit of open files: %s, going on with what there is",
                    strerror(errno));
}

/* Idleness. */

static bool is_idle(const struct daemon *daemon)
{
    return registry_counts(daemon->registry).held == 0 &&
           daemon->server.context.connection_count == 0;
}

static void on_idle(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;

    (void)fd, (void)what;
    if (rpc_server_has_waiting(&daemon->server))
        return; /* not idle after all: it is accepted next */
    listen_socket_unlink(&daemon->listen_socket);
    log_info("no VM and no client for %llu s, exiting",
             (unsigned long long)daemon->config.idle_exit_s);
    event_base_loopexit(daemon->base, NULL);
}

static void on_counts(void *context)
{
    struct daemon *daemon = context;
    struct timeval delay = { .tv_sec = (time_t)daemon->config.idle_exit_s };

    service_set_vms(daemon->service, registry_counts(daemon->registry).live);
    if (daemon->config.idle_exit_s > 0 && is_idle(daemon))
        event_add(daemon->idle, &delay);
    else
        event_del(daemon->idle);
}

/* Signals. */

static enum subscription_reason end_reason(const struct daemon *daemon)
{
    return daemon->keep ? SUBSCRIPTION_RESTARTING : SUBSCRIPTION_STOPPING;
}

/* VMs end; or, left to the next daemon, they are in the hands of their workers. */
static bool vms_are_settled(const struct daemon *daemon)
{
    if (daemon->keep)
        return worker_pool_has_sent_all(registry_workers(daemon->registry));
    return registry_counts(daemon->registry).held == 0;
}

static void on_shutdown_poll(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;

    (void)fd, (void)what;
    if (!vms_are_settled(daemon) || !rpc_server_is_drained(&daemon->server, !daemon->keep))
        return;
    /* Told last, so that a stream with an end of its own has come to that. */
    if (!rpc_server_end_subscriptions(&daemon->server, end_reason(daemon)))
        event_base_loopexit(daemon->base, NULL);
}

static void on_shutdown_limit(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;

    (void)fd, (void)what;
    /* The turn that libevent makes before it exits writes what can be written at once. */
    rpc_server_end_subscriptions(&daemon->server, end_reason(daemon));
    event_base_loopexit(daemon->base, NULL);
}

/* keep: VMs go on, and the next daemon takes them up. */
static void shut_down(struct daemon *daemon, bool keep)
{
    if (event_pending(daemon->shutdown_limit, EV_TIMEOUT, NULL))
        return;
    daemon->keep = keep;
    daemon->ending = true;
    if (!daemon->serves)
        return;
    log_info(keep ? "leaving %zu VMs to the next vmmd" : "stopping %zu VMs",
             registry_counts(daemon->registry).live);
    service_stopping(daemon->service);
    rpc_server_stop_accepting(&daemon->server);
    event_add(daemon->shutdown_limit, &shutdown_limit);
    event_add(daemon->shutdown_poll, &shutdown_poll);
    registry_shut_down(daemon->registry, keep);
}

static void on_terminate(evutil_socket_t signal, short what, void *context)
{
    struct daemon *daemon = context;

    (void)signal, (void)what;
    shut_down(daemon, daemon->config.keep_on_stop);
}

static void on_leave(evutil_socket_t signal, short what, void *context)
{
    (void)signal, (void)what;
    shut_down(context, true);
}

static void on_reload(evutil_socket_t signal, short what, void *context)
{
    struct daemon *daemon = context;
    struct request request;
    struct config config;
    struct error err;
    const char *fixed;

    (void)signal, (void)what;
    if (daemon->ending || !daemon->serves)
        return;
    service_reloading(daemon->service);
    if (read_config(daemon->argc, daemon->argv, &config, &request, &err) < 0) {
        log_error("cannot read the settings again: %s, keeping those in force", err.text);
    } else {
        fixed = config_fixed_difference(&daemon->config, &config);
        if (fixed)
            log_warning("setting '%s' has changed, ignoring that until a restart", fixed);
        config_keep_fixed(&config, &daemon->config);
        daemon->config = config;
        config_check(&daemon->config, &err); /* its pointers point into itself */
        log_set_level(daemon->config.log_level);
        registry_settings_changed(daemon->registry);
        on_counts(daemon);
        log_info("settings read again");
    }
    service_ready(daemon->service);
}

static int add_events(struct daemon *daemon)
{
    static const struct {
        int number;
        event_callback_fn fn;
    } rows[SIGNAL_COUNT] = {
        { SIGTERM, on_terminate },
        { SIGINT, on_terminate },
        { SIGHUP, on_reload },
        { SIGUSR1, on_leave },
    };

    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        daemon->signals[i] = evsignal_new(daemon->base, rows[i].number, rows[i].fn, daemon);
        if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) < 0)
            return -ENOMEM;
    }
    daemon->idle = event_new(daemon->base, -1, 0, on_idle, daemon);
    daemon->shutdown_poll = event_new(daemon->base, -1, EV_PERSIST, on_shutdown_poll, daemon);
    daemon->shutdown_limit = event_new(daemon->base, -1, 0, on_shutdown_limit, daemon);
    return daemon->idle && daemon->shutdown_poll && daemon->shutdown_limit ? 0 : -ENOMEM;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

/* In the reverse order of daemon_start(). */
static void daemon_free(struct daemon *daemon)
{
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        free_event(daemon->signals[i]);
    free_event(daemon->idle);
    free_event(daemon->shutdown_poll);
    free_event(daemon->shutdown_limit);
    free_event(daemon->bus_error);
    rpc_server_deinit(&daemon->server);
    listen_socket_close(&daemon->listen_socket);
    service_free(daemon->service);
    registry_free(daemon->registry);
    work_queue_free(daemon->queue);
    closer_free(daemon->closer);
    free(daemon->worker_binary);
    if (daemon->base)
        event_base_free(daemon->base);
}

static void on_bus_error(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;
    uintptr_t address;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    while (bus_error_take(&address))
        registry_handle_cut_file(daemon->registry, address);
}

static int watch_bus_errors(struct daemon *daemon)
{
    int fd = bus_error_install();

    if (fd < 0)
        return -errno;
    daemon->bus_error = event_new(daemon->base, fd, EV_READ | EV_PERSIST, on_bus_error, daemon);
    return daemon->bus_error && event_add(daemon->bus_error, NULL) == 0 ? 0 : -ENOMEM;
}

/* What KVM is, the first worker finds out: one that finds none tells why. */
static int wait_for_kvm(struct daemon *daemon, struct error *err)
{
    const struct link_worker_greeting *greeting;
    int64_t end_ns = clock_monotonic_ns() + greeting_limit.tv_sec * CLOCK_NS_PER_SEC;

    while (!(greeting = worker_pool_greeting(registry_workers(daemon->registry)))) {
        if (daemon->ending)
            return 0; /* before it matters */
        if (clock_monotonic_ns() > end_ns)
            return error_set(err, -ETIMEDOUT, "no worker comes up within %d s",
                             (int)greeting_limit.tv_sec);
        event_base_loopexit(daemon->base, &greeting_poll);
        event_base_dispatch(daemon->base);
    }
    if (greeting->kvm_error)
        return error_set(err, -(int)greeting->kvm_error, "%s", greeting->error);
    return 0;
}

static int make_registry(struct daemon *daemon, struct error *err)
{
    struct registry_setup setup = {
        .base = daemon->base,
        .limits = &daemon->config.vm,
        .worker_limits = &daemon->config.workers,
        .state_dir = daemon->config.state_dir,
    };
    int r = worker_binary_find(&daemon->worker_binary, err);

    if (r < 0)
        return r;
    setup.worker_binary = daemon->worker_binary;
    r = work_queue_new(&daemon->queue);
    if (r == 0)
        r = closer_new(&daemon->closer);
    if (r < 0)
        return error_set(err, r, "cannot start a thread: %s", strerror(-r));
    setup.work_queue = daemon->queue;
    setup.closer = daemon->closer;
    return registry_new(&setup, &daemon->registry, err);
}

static int daemon_start(struct daemon *daemon, struct error *err)
{
    int r;

    signal(SIGPIPE, SIG_IGN); /* a client that is gone is an error of a write */
    signal(SIGXFSZ, SIG_IGN); /* and a file that may not grow, one of reserving space */
    raise_descriptor_limit();

    daemon->base = event_base_new();
    if (!daemon->base || add_events(daemon) < 0 ||
        service_new(daemon->base, &daemon->service) < 0 || watch_bus_errors(daemon) < 0)
        return error_set(err, -ENOMEM, "cannot make the event loop");
    r = listen_socket_open(&daemon->listen_socket, daemon->config.socket, err);
    if (r == 0)
        r = make_registry(daemon, err);
    if (r == 0)
        r = wait_for_kvm(daemon, err);
    if (r < 0)
        return r;
    r = rpc_server_init(&daemon->server, daemon->base, daemon->listen_socket.fd, daemon->registry,
                        daemon->closer, &daemon->config.vm, &daemon->config.rpc);
    daemon->listen_socket.fd = -1; /* the server's */
    if (r < 0)
        return error_set(err, r, "cannot serve: %s", strerror(-r));

    registry_on_counts(daemon->registry, on_counts, daemon);
    daemon->server.on_counts = on_counts;
    daemon->server.on_counts_context = daemon;
    on_counts(daemon);
    log_info("version %s serves on %s", VMMD_VERSION,
             daemon->listen_socket.activated ? "the socket from systemd" : daemon->config.socket);
    service_ready(daemon->service);
    daemon->serves = true;
    if (daemon->ending) /* it was told so before it could */
        shut_down(daemon, daemon->keep);
    return 0;
}

static int daemon_run(int argc, char **argv, const struct config *config)
{
    struct daemon daemon = {
        .argc = argc,
        .argv = argv,
        .config = *config,
        .listen_socket = { .fd = -1, .lock_fd = -1 },
    };
    struct registry_counts left;
    struct error err;

    config_check(&daemon.config, &err); /* its pointers point into itself */
    log_set_level(daemon.config.log_level);
    if (daemon_start(&daemon, &err) < 0) {
        log_error("%s", err.text);
        daemon_free(&daemon);
        return EXIT_FAILURE;
    }
    event_base_dispatch(daemon.base);

    left = registry_counts(daemon.registry);
    if (left.held > 0 && !daemon.keep)
        log_warning("%zu VMs are not down yet, leaving them to their workers", left.held);
    daemon_free(&daemon);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct request request;
    struct config config;
    struct error err;

    journal_open();
    if (read_config(argc, argv, &config, &request, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    if (request.help) {
        print_usage();
        return EXIT_SUCCESS;
    }
    if (request.version) {
        printf("vmmd %s\n", VMMD_VERSION);
        return EXIT_SUCCESS;
    }
    if (request.check) {
        printf("the settings are fine\n");
        return EXIT_SUCCESS;
    }
    return daemon_run(argc, argv, &config);
}
