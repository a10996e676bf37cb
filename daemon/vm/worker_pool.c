#include "vm/worker_pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/cleanup.h"
#include "util/closer.h"
#include "util/log.h"
#include "util/work_queue.h"
#include "vm/vm.h"

enum {
    SPARES = 2,         /* that stand ready: a user's first start takes one, or two */
    RECEIVERS_MAX = 4,  /* of one user, those that hang among them */
    HANGING_MAX = 4,    /* of one user, that were to run VMs: as many more are not started */
    SPAWN_FAILURES = 3, /* in a row, after which the next one waits for a start */
};

/* How long an empty worker is kept. */
static const struct timeval idle_time = { .tv_sec = 10 };

static const struct timeval at_once;

struct delivery {
    struct list link;        /* among its receiver's */
    struct worker *receiver; /* NULL: it is gone */
    bool pending;            /* it has not said yet that it took it */
    bool held;               /* somebody may want of it yet */
    uint32_t count;          /* descriptors that it took */
    uint32_t supplied;       /* those that it was asked to pass on, of it or of what came later */
    uint64_t client;
    uint64_t until; /* where nobody wants more of it: of the client's bytes */
    delivery_fn done;
    void *context;
};

struct worker_pool {
    const struct worker_pool_limits *limits;
    struct worker_pool_owner owner;
    struct worker_owner worker_owner;
    int directory_fd;
    uint64_t next_number;
    struct list workers;
    struct list dismissed; /* until their processes are gone, which may be never */
    struct event *done;    /* the work queue's */
    struct event *sweep;   /* lets go of those that are empty */
    struct event *provide; /* sees that there are spares */
    unsigned spawn_failures;
    bool begun;
    bool greeted;
    struct link_worker_greeting greeting; /* the first one's that we started */
};

DEFINE_CLEANUP(struct worker_pool *, worker_pool_free);

/* Whether it would do what it is asked. */
static bool is_of_use(const struct worker *worker)
{
    return !worker->tainted && !worker_is_silent(worker) && !worker_is_leaving(worker);
}

/* Whether a VM more may be there. An adopted one is not asked before it has reported: it may be
 * stopped, or about to end, and which of its slots are free is not known. */
static bool has_room(const struct worker_pool *pool, const struct worker *worker)
{
    unsigned used = worker->vm_count + (unsigned)__builtin_popcountll(worker->leaving);

    return used < pool->limits->worker_vms && is_of_use(worker) &&
           (!worker->adopted || worker_has_reported(worker));
}

/* A sweep that waits for somebody to have been idle for long enough goes on waiting. */
static void sweep_soon(struct worker_pool *pool)
{
    if (pool->begun && !event_pending(pool->sweep, EV_TIMEOUT, NULL))
        event_add(pool->sweep, &at_once);
}

static void provide_soon(struct worker_pool *pool)
{
    if (pool->begun)
        event_add(pool->provide, &at_once);
}

/* Told by workers. */

static bool speaks_our_version(const struct worker *worker)
{
    return worker->greeting.version >= LINK_VERSION_OLDEST &&
           worker->greeting.version_oldest <= LINK_VERSION;
}

/* An earlier daemon's has VMs, which go on. One of our own is of no use: it is that of another
 * vmmd, which was installed in the place of ours. */
static void handle_other_version(struct worker_pool *pool, struct worker *worker)
{
    worker->tainted = true;
    log_warning("worker %" PRIu64 " (pid %d) speaks version %" PRIu32 " of the link, and we %d, %s",
                worker->number, (int)worker_pid(worker), worker->greeting.version, LINK_VERSION,
                worker->adopted ? "leaving its VMs as they are" : "ending it");
    if (worker->adopted)
        return;
    pool->spawn_failures++;
    worker_kill(worker);
}

static void on_greeted(void *context, struct worker *worker)
{
    struct worker_pool *pool = context;

    if (!speaks_our_version(worker)) {
        handle_other_version(pool, worker);
    } else {
        pool->spawn_failures = 0;
        if (!pool->greeted && !worker->adopted) { /* one that has run guests may say anything */
            pool->greeted = true;
            pool->greeting = worker->greeting;
        }
    }
    sweep_soon(pool); /* an adopted one may have nothing any more */
    provide_soon(pool);
}

static void on_report(void *context, struct worker *worker, const struct link_report *report)
{
    struct worker_pool *pool = context;

    pool->owner.report(pool->owner.context, worker, report);
}

static void on_reported(void *context, struct worker *worker)
{
    struct worker_pool *pool = context;

    pool->owner.reported(pool->owner.context, worker);
}

static void on_refused(void *context, struct worker *worker, const struct link_refused *refused)
{
    struct worker_pool *pool = context;

    pool->owner.refused(pool->owner.context, worker, refused);
}

static void on_stranded(void *context, struct worker *worker, unsigned slot)
{
    struct worker_pool *pool = context;

    worker->hangs = true;
    worker_pool_taint(pool, worker);
    pool->owner.stranded(pool->owner.context, worker, slot);
}

static void on_news(void *context, struct worker *worker, unsigned slot, uint32_t news)
{
    struct worker_pool *pool = context;

    if (news & SLOT_GONE)
        worker->leaving &= ~(UINT64_C(1) << slot);
    pool->owner.news(pool->owner.context, worker, slot, news);
}

static const char *name_of_vm(void *context, const struct worker *worker, uint64_t id)
{
    (void)context;
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (worker->vms[slot] && vm_id(worker->vms[slot]) == id)
            return vm_name(worker->vms[slot]);
    return NULL;
}

static void on_silent(void *context, struct worker *worker)
{
    struct worker_pool *pool = context;

    pool->owner.silent(pool->owner.context, worker);
}

/* Has closed what nobody asked for, if it took more than was passed on. */
static void forget(struct delivery *delivery)
{
    const struct link_forget forget = {
        .head = LINK_HEAD(LINK_FORGET, forget),
        .client = delivery->client,
        .until = delivery->until,
    };

    if (delivery->receiver && delivery->count > delivery->supplied)
        (void)worker_send(delivery->receiver, &forget, sizeof(forget), NULL, 0);
}

static void free_if_over(struct delivery *delivery)
{
    if (delivery->pending || delivery->held)
        return;
    forget(delivery);
    list_remove(&delivery->link);
    free(delivery);
}

static void finish_delivery(struct delivery *delivery, bool failed)
{
    delivery_fn done = delivery->done;
    void *context = delivery->context;

    delivery->pending = false;
    free_if_over(delivery);
    if (done)
        done(context, failed);
}

static void on_received(void *context, struct worker *worker, const struct link_received *received)
{
    (void)context;
    /* answers come in the order of the questions */
    LIST_FOR_EACH(&worker->deliveries, link) {
        struct delivery *delivery = LIST_ENTRY(link, struct delivery, link);

        if (delivery->pending) {
            delivery->count = received->count;
            finish_delivery(delivery, received->failed != 0);
            return;
        }
    }
}

/* What it held is gone with it. */
static void lose_deliveries(struct worker *worker)
{
    struct list lost;

    list_init(&lost);
    list_move_all(&worker->deliveries, &lost);
    while (!list_is_empty(&lost)) {
        struct delivery *delivery = LIST_ENTRY(lost.next, struct delivery, link);

        list_remove(&delivery->link);
        delivery->receiver = NULL;
        if (delivery->pending)
            finish_delivery(delivery, true);
    }
}

static void on_lost(void *context, struct worker *worker, const char *why)
{
    struct worker_pool *pool = context;

    log_error("worker %" PRIu64 " (pid %d, uid %" PRId64 ", %u VMs) is gone: %s", worker->number,
              (int)worker_pid(worker),
              worker->role == WORKER_SPARE ? INT64_C(-1) : (int64_t)worker->uid, worker->vm_count,
              why);
    lose_deliveries(worker);
    if (!worker_has_greeted(worker))
        pool->spawn_failures++;
    pool->owner.lost(pool->owner.context, worker, why);
    provide_soon(pool);
}

static void on_hangs(void *context, struct worker *worker)
{
    struct worker_pool *pool = context;

    worker->hangs = true;
    list_remove(&worker->link);
    list_append(&pool->dismissed, &worker->link);
}

/* Making and letting go. */

static int spawn(struct worker_pool *pool, struct worker **ret, struct error *err)
{
    int r = worker_spawn(&pool->worker_owner, pool->next_number, ret, err);

    if (r < 0) {
        pool->spawn_failures++;
        return r;
    }
    pool->next_number++;
    list_append(&pool->workers, &(*ret)->link);
    return 0;
}

static void let_go(struct worker_pool *pool, struct worker *worker)
{
    if (worker->tainted) /* a thread of it would keep it there */
        worker_kill(worker);
    worker_dismiss(worker);
    list_append(&pool->dismissed, &worker->link);
}

static size_t count_spares(const struct worker_pool *pool)
{
    size_t count = 0;

    LIST_FOR_EACH(&pool->workers, link)
        count += LIST_ENTRY(link, struct worker, link)->role == WORKER_SPARE;
    return count;
}

static void make_spares(struct worker_pool *pool)
{
    struct worker *worker;
    struct error err;

    for (size_t count = count_spares(pool); count < SPARES && pool->spawn_failures < SPAWN_FAILURES;
         count++)
        if (spawn(pool, &worker, &err) < 0) {
            log_warning("%s, going on without a spare one", err.text);
            break;
        }
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
    struct worker_pool *pool = context;
    bool waits = false;

    (void)fd, (void)what;
    LIST_FOR_EACH(&pool->workers, link) {
        struct worker *worker = LIST_ENTRY(link, struct worker, link);

        if (worker->role == WORKER_SPARE || worker->vm_count > 0 ||
            !list_is_empty(&worker->deliveries) || worker_is_owed(worker))
            continue;
        if (worker->idle || worker->tainted)
            let_go(pool, worker);
        else
            waits = worker->idle = true; /* until the next time */
    }
    if (waits)
        event_add(pool->sweep, &idle_time);
}

static void on_provide(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what;
    make_spares(context);
}

static void on_work_done(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what;
    work_queue_finish(context);
}

static int open_directory(struct worker_pool *pool, int state_fd, struct error *err)
{
    struct stat st;

    if (mkdirat(state_fd, "workers", 0700) < 0 && errno != EEXIST)
        return error_set(err, -EIO, "cannot make 'workers' in the state directory: %s",
                         strerror(errno));
    pool->directory_fd =
        openat(state_fd, "workers", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (pool->directory_fd < 0 || fstat(pool->directory_fd, &st) < 0)
        return error_set(err, -EIO, "cannot open 'workers' in the state directory: %s",
                         strerror(errno));
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return error_set(err, -EIO,
                         "'workers' in the state directory must belong to uid %u, and "
                         "be closed to others (mode 0700)",
                         (unsigned)geteuid());
    return 0;
}

/* Calls fn for each worker that has left a socket. */
static void for_each_socket(struct worker_pool *pool,
                            void (*fn)(struct worker_pool *pool, uint64_t number))
{
    int fd = openat(pool->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        uint64_t number = worker_number(entry->d_name);

        if (number > 0)
            fn(pool, number);
    }
    if (directory)
        closedir(directory);
}

static void note_number(struct worker_pool *pool, uint64_t number)
{
    if (number >= pool->next_number)
        pool->next_number = number + 1;
}

int worker_pool_new(struct event_base *base, struct work_queue *work_queue, struct closer *closer,
                    const char *binary, int state_fd, const struct worker_pool_limits *limits,
                    const struct worker_pool_owner *owner, struct worker_pool **ret,
                    struct error *err)
{
    _cleanup_(worker_pool_freep) struct worker_pool *pool = calloc(1, sizeof(*pool));
    int r;

    if (!pool)
        return error_set(err, -ENOMEM, "out of memory");
    pool->limits = limits;
    pool->owner = *owner;
    pool->directory_fd = -1;
    pool->next_number = 1;
    list_init(&pool->workers);
    list_init(&pool->dismissed);
    r = open_directory(pool, state_fd, err);
    if (r < 0)
        return r;
    for_each_socket(pool, note_number);
    pool->worker_owner = (struct worker_owner){
        .base = base,
        .work_queue = work_queue,
        .closer = closer,
        .binary = binary,
        .directory_fd = pool->directory_fd,
        .greeted = on_greeted,
        .report = on_report,
        .reported = on_reported,
        .refused = on_refused,
        .stranded = on_stranded,
        .received = on_received,
        .news = on_news,
        .vm_name = name_of_vm,
        .silent = on_silent,
        .lost = on_lost,
        .hangs = on_hangs,
        .context = pool,
    };
    pool->sweep = event_new(base, -1, 0, on_sweep, pool);
    pool->done =
        event_new(base, work_queue_fd(work_queue), EV_READ | EV_PERSIST, on_work_done, work_queue);
    pool->provide = event_new(base, -1, 0, on_provide, pool);
    if (!pool->sweep || !pool->provide || !pool->done || event_add(pool->done, NULL) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    *ret = TAKE_PTR(pool);
    return 0;
}

void worker_pool_free(struct worker_pool *pool)
{
    if (!pool)
        return;
    LIST_FOR_EACH(&pool->workers, link) {
        struct worker *worker = LIST_ENTRY(link, struct worker, link);
        uint64_t number = worker->number;
        bool empty = worker->vm_count == 0;

        lose_deliveries(worker);
        worker_free(worker);
        if (empty) /* it ends by itself; no later daemon has any business with it */
            worker_remove_files(pool->directory_fd, number);
    }
    LIST_FOR_EACH(&pool->dismissed, link)
        worker_free(LIST_ENTRY(link, struct worker, link));
    if (pool->sweep)
        event_free(pool->sweep);
    if (pool->provide)
        event_free(pool->provide);
    if (pool->done)
        event_free(pool->done);
    if (pool->directory_fd >= 0)
        close(pool->directory_fd);
    free(pool);
}

int worker_pool_adopt(struct worker_pool *pool, uint64_t number, uint32_t uid, struct worker **ret,
                      struct error *err)
{
    int r = worker_connect(&pool->worker_owner, number, ret, err);

    if (r < 0)
        return r;
    (*ret)->role = WORKER_RUNS;
    (*ret)->uid = uid;
    list_append(&pool->workers, &(*ret)->link);
    return 0;
}

struct worker *worker_pool_find(const struct worker_pool *pool, uint64_t number)
{
    LIST_FOR_EACH(&pool->workers, link) {
        struct worker *worker = LIST_ENTRY(link, struct worker, link);

        if (worker->number == number)
            return worker;
    }
    return NULL;
}

void worker_pool_describe_gone(const struct worker_pool *pool, uint64_t number,
                               char text[static WORKER_DEATH_SIZE])
{
    worker_describe_gone(pool->directory_fd, number, text);
}

/* One that was not taken up: without a VM in the ledger, or gone. Connected to and hung up on, it
 * ends, if it is empty; if it is not, it has VMs that nobody knows of, and is ended. */
static void dismiss(struct worker_pool *pool, uint64_t number)
{
    _cleanup_(worker_freep) struct worker *worker = NULL;
    struct error err;

    if (worker_pool_find(pool, number))
        return;
    if (worker_connect(&pool->worker_owner, number, &worker, &err) == 0)
        worker_terminate(worker);
    worker_remove_files(pool->directory_fd, number);
}

void worker_pool_begin(struct worker_pool *pool)
{
    for_each_socket(pool, dismiss);
    pool->begun = true;
    make_spares(pool);
}

/* Placing. */

static void assign(struct worker *worker, enum worker_role role, uint32_t uid)
{
    worker->role = role;
    worker->uid = uid;
}

/* One of the user's; a spare one, which becomes so; or a new one. */
static int find_worker(struct worker_pool *pool, enum worker_role role, uint32_t uid,
                       struct worker **ret, struct error *err)
{
    struct worker *spare = NULL;
    int r = 0;

    LIST_FOR_EACH(&pool->workers, link) {
        struct worker *worker = LIST_ENTRY(link, struct worker, link);

        if (worker->role == WORKER_SPARE && is_of_use(worker) && !spare)
            spare = worker;
        if (worker->role == role && worker->uid == uid && has_room(pool, worker)) {
            *ret = worker;
            return 0;
        }
    }
    if (!spare)
        r = spawn(pool, &spare, err);
    if (r < 0)
        return r;
    assign(spare, role, uid);
    *ret = spare;
    sweep_soon(pool); /* what the start was to be may come to nothing */
    provide_soon(pool);
    return 0;
}

/* Of a user's, in that role, in one of the pool's lists. */
static size_t count_hanging(const struct list *workers, enum worker_role role, uint32_t uid)
{
    size_t count = 0;

    LIST_FOR_EACH(workers, link) {
        const struct worker *worker = LIST_ENTRY(link, struct worker, link);

        count += worker->hangs && worker->role == role && worker->uid == uid;
    }
    return count;
}

int worker_pool_place(struct worker_pool *pool, uint32_t uid, struct worker **ret,
                      unsigned *ret_slot, struct error *err)
{
    struct worker *worker;
    int r;

    if (count_hanging(&pool->workers, WORKER_RUNS, uid) +
            count_hanging(&pool->dismissed, WORKER_RUNS, uid) >=
        HANGING_MAX)
        return error_set(err, -EAGAIN,
                         "%d processes of VMs of uid %" PRIu32 " hang in files that they were to "
                         "load, and cannot be ended: as many as one user may have",
                         HANGING_MAX, uid);
    r = find_worker(pool, WORKER_RUNS, uid, &worker, err);
    if (r < 0)
        return r;
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (!worker->vms[slot] && !(worker->leaving >> slot & 1)) {
            *ret = worker;
            *ret_slot = slot;
            return 0;
        }
    return error_set(err, -EAGAIN, "worker %" PRIu64 " has no slot left", worker->number);
}

void worker_pool_occupy(struct worker_pool *pool, struct worker *worker, unsigned slot,
                        struct vm *vm)
{
    if (!worker->vms[slot] == !vm)
        return;
    worker->vms[slot] = vm;
    worker->vm_count += vm ? 1 : -1U;
    worker->idle = false;
    if (worker->vm_count == 0)
        sweep_soon(pool);
}

void worker_pool_hold(struct worker *worker, unsigned slot)
{
    worker->leaving |= UINT64_C(1) << slot;
}

void worker_pool_taint(struct worker_pool *pool, struct worker *worker)
{
    worker->tainted = true;
    if (worker->vm_count == 0)
        sweep_soon(pool);
}

const struct list *worker_pool_workers(const struct worker_pool *pool)
{
    return &pool->workers;
}

const struct link_worker_greeting *worker_pool_greeting(const struct worker_pool *pool)
{
    return pool->greeted ? &pool->greeting : NULL;
}

static void send_log_level(struct worker *worker)
{
    const struct link_log_level level = {
        .head = LINK_HEAD(LINK_LOG_LEVEL, level),
        .level = (uint32_t)log_get_level(),
    };

    (void)worker_send(worker, &level, sizeof(level), NULL, 0);
}

bool worker_pool_has_sent_all(const struct worker_pool *pool)
{
    LIST_FOR_EACH(&pool->workers, link)
        if (worker_is_owed(LIST_ENTRY(link, struct worker, link)))
            return false;
    return true;
}

void worker_pool_probe(const struct worker_pool *pool)
{
    LIST_FOR_EACH(&pool->workers, link) {
        struct worker *worker = LIST_ENTRY(link, struct worker, link);

        /* to come to be may take longer; where something is unanswered already, more would only
         * pile up; what it knows already does nothing to it */
        if (worker_has_greeted(worker) && speaks_our_version(worker) && worker_is_done(worker))
            send_log_level(worker);
    }
}

void worker_pool_settings_changed(struct worker_pool *pool)
{
    LIST_FOR_EACH(&pool->workers, link)
        send_log_level(LIST_ENTRY(link, struct worker, link));
}

/* Receiving. */

static size_t count_receivers(const struct worker_pool *pool, uint32_t uid)
{
    size_t count = 0;

    LIST_FOR_EACH(&pool->workers, link) {
        const struct worker *worker = LIST_ENTRY(link, struct worker, link);

        count += worker->role == WORKER_RECEIVES && worker->uid == uid;
    }
    return count + count_hanging(&pool->dismissed, WORKER_RECEIVES, uid);
}

static int find_receiver(struct worker_pool *pool, uint32_t uid, struct worker **ret,
                         struct error *err)
{
    LIST_FOR_EACH(&pool->workers, link) {
        struct worker *worker = LIST_ENTRY(link, struct worker, link);

        if (worker->role == WORKER_RECEIVES && worker->uid == uid && is_of_use(worker)) {
            *ret = worker;
            return 0;
        }
    }
    if (count_receivers(pool, uid) >= RECEIVERS_MAX)
        return error_set(err, -EAGAIN,
                         "what receives descriptors for uid %" PRIu32 " hangs in files that it was "
                         "sent, %d processes of it: as many as one user may have",
                         uid, RECEIVERS_MAX);
    return find_worker(pool, WORKER_RECEIVES, uid, ret, err);
}

int worker_pool_receive(struct worker_pool *pool, uint32_t uid, uint64_t client, int fd,
                        uint64_t length, uint64_t until, delivery_fn done, void *context,
                        struct delivery **ret, struct error *err)
{
    _cleanup_free_ struct delivery *delivery = calloc(1, sizeof(*delivery));
    const struct link_receive receive = {
        .head = LINK_HEAD(LINK_RECEIVE, receive),
        .client = client,
        .until = until,
        .length = length,
    };
    struct worker *receiver;
    int r;

    if (!delivery)
        return error_set(err, -ENOMEM, "out of memory");
    r = find_receiver(pool, uid, &receiver, err);
    if (r < 0)
        return r;
    r = worker_send(receiver, &receive, sizeof(receive), &fd, 1);
    if (r < 0)
        return error_set(err, -EAGAIN, "cannot receive descriptors: %s", strerror(-r));
    *delivery = (struct delivery){
        .receiver = receiver,
        .pending = true,
        .held = true,
        .client = client,
        .done = done,
        .context = context,
    };
    list_append(&receiver->deliveries, &delivery->link);
    receiver->idle = false;
    *ret = TAKE_PTR(delivery);
    return 0;
}

/* size: of the message; what is left out of its end is zeros to who reads it. */
static int supply(struct worker *receiver, struct link_supply *supply, size_t size, int supply_fd,
                  struct error *err)
{
    int r;

    supply->head = (struct link_head){ .type = LINK_SUPPLY, .size = (uint32_t)size };
    receiver->idle = false;
    r = worker_send(receiver, supply, size, &supply_fd, 1);
    return r < 0 ? error_set(err, -EAGAIN, "cannot pass a file on: %s", strerror(-r)) : 0;
}

int delivery_supply(struct delivery *delivery, uint32_t source, int supply_fd, struct error *err)
{
    struct link_supply wanted = {
        .client = delivery->client,
        .kind = LINK_SUPPLY_CLIENT,
        .source = source,
    };
    int r;

    if (!delivery->receiver)
        return error_set(err, -EAGAIN, "what received the descriptor is gone: send it again");
    r = supply(delivery->receiver, &wanted, offsetof(struct link_supply, directory), supply_fd,
               err);
    if (r == 0)
        delivery->supplied++;
    return r;
}

void delivery_forget(struct delivery *delivery, uint64_t until)
{
    delivery->held = false;
    delivery->until = until;
    free_if_over(delivery);
}

void delivery_ignore(struct delivery *delivery)
{
    delivery->done = NULL;
}

int worker_pool_supply_path(struct worker_pool *pool, uint32_t uid, const char *directory,
                            const char *path, uint32_t source, int supply_fd, struct error *err)
{
    struct link_supply wanted = { .kind = LINK_SUPPLY_PATH, .source = source };
    struct worker *receiver;
    int r = find_receiver(pool, uid, &receiver, err);

    if (r < 0)
        return r;
    snprintf(wanted.directory, sizeof(wanted.directory), "%s", directory);
    snprintf(wanted.path, sizeof(wanted.path), "%s", path);
    return supply(receiver, &wanted, sizeof(wanted), supply_fd, err);
}
