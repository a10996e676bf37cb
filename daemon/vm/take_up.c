/*
 * Take-up: what earlier daemons left. Whose each VM is, and which worker has it, is in the ledger;
 * what became of it is in its file, or its worker tells.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "vm/registry_private.h"
#include "vm/worker.h"

/* What the ledger says, whatever the file does. */
static struct vm *vm_of_row(struct registry *registry, const struct ledger_row *row, size_t index)
{
    struct vm *vm = vm_new(&registry->vm_owner);

    if (!vm)
        return NULL;
    vm->record.id = row->id;
    vm->record.owner = row->owner;
    vm->record.created_ns = row->created_ns;
    vm->record.cpus = row->cpus;
    memcpy(vm->record.name, row->name, sizeof(vm->record.name));
    memcpy(vm->record.image, row->image, sizeof(vm->record.image));
    vm_machine_record_begin(&vm->record.machine, IMAGE_AUTO); /* until its file tells */
    vm->ring_capacity = row->ring_capacity;
    vm->ledger_index = index;
    vm->worker_number = row->worker;
    vm->slot = row->slot;
    return vm;
}

/* A worker that is listed already, or connects now. NULL: it is gone. */
static struct worker *worker_of(struct registry *registry, const struct ledger_row *row)
{
    struct worker *worker = worker_pool_find(registry->pool, row->worker);
    struct error err;

    if (worker)
        return worker->uid == row->owner.uid ? worker : NULL;
    if (row->worker == 0 ||
        worker_pool_adopt(registry->pool, row->worker, row->owner.uid, &worker, &err) < 0)
        return NULL;
    return worker;
}

static enum vm_state state_in_file(const struct vm *vm)
{
    return vm->file ? vm_file_state(vm->file) : VM_STARTING;
}

/* It is in its worker's hands, until that tells otherwise. false: it is not. */
static bool take_up_live(struct registry *registry, struct vm *vm, const struct ledger_row *row)
{
    struct worker *worker = row->ended ? NULL : worker_of(registry, row);

    if (!worker || row->slot >= SLOTS_MAX || worker->vms[row->slot] ||
        vm_state_is_terminal(vm->state) || !registry_list_live(registry, vm))
        return false;
    vm->worker = worker;
    vm->input_unknown = true;
    vm->pause_asked = vm->pause_wanted = vm->state == VM_PAUSED;
    worker_pool_occupy(registry->pool, worker, row->slot, vm_ref(vm));
    return true;
}

/* It was live, and is nobody's: what is known of it is what is in the file. */
static void mark_lost(struct registry *registry, struct vm *vm, const struct ledger_row *row)
{
    const char *before = vm_state_to_string(state_in_file(vm));
    uint64_t end = vm->file ? output_ring_end(&vm->file->ring) : 0;
    bool with_daemon = row->worker == 0; /* there were no workers yet */
    char sentence[GUEST_END_MESSAGE_SIZE], why[WORKER_DEATH_SIZE];

    if (with_daemon) {
        snprintf(sentence, sizeof(sentence),
                 "vmmd ended while this VM was %s; its output is kept up to byte %" PRIu64, before,
                 end);
    } else {
        worker_pool_describe_gone(registry->pool, row->worker, why);
        vm_format_lost(sentence, before, why, end);
    }
    vm_fill_end(vm, with_daemon ? GUEST_END_DAEMON_LOST : GUEST_END_WORKER_LOST, sentence);
    vm->state = VM_LOST;
    vm_write_end(vm);
}

/* Whether the VM was live, and is lost. Its worker may have brought it to its end since its file
 * was read. */
static bool settle(struct registry *registry, struct vm *vm, const struct ledger_row *row)
{
    enum vm_state state;
    bool lost;

    (void)vm_read_file(vm, NULL);
    state = state_in_file(vm);
    lost = !vm_state_is_terminal(state);
    if (lost)
        mark_lost(registry, vm, row);
    else
        vm->state = state;
    ledger_end(registry->ledger, vm->ledger_index);
    registry_list_ended(registry, vm);
    return lost;
}

/* The VM of a row. */
struct found {
    uint64_t id;
    size_t index;         /* of its row */
    struct vm *vm;        /* NULL: out of memory */
    int unread;           /* negative errno: why its file cannot be read */
    struct error problem; /* likewise, if it is not 0 */
};

/* Before anybody speaks to its worker: one that has ended by now is reported as ended. */
static void read_found(struct registry *registry, struct found *found)
{
    size_t index = found->index;

    found->vm = vm_of_row(registry, ledger_next(registry->ledger, &index), found->index);
    if (!found->vm)
        return;
    found->unread = vm_read_file(found->vm, &found->problem);
    found->vm->state = state_in_file(found->vm);
    if (found->unread == 0) /* again: the record is to be as new as the state */
        found->unread = vm_read_file(found->vm, &found->problem);
}

/* Whether it was live, and is lost. */
static bool place_found(struct registry *registry, struct found *found)
{
    size_t index = found->index;
    const struct ledger_row row = *ledger_next(registry->ledger, &index); /* its place may change */
    struct vm *vm = found->vm;

    if (!vm)
        return false;
    if (found->unread < 0 && (row.ended || !worker_of(registry, &row))) {
        /* a start that was never answered leaves no file, or an unfinished one */
        if (found->unread == -ENOENT || found->unread == -ENODATA) {
            vm_file_remove(registry->directory.fd, row.id);
            ledger_remove(registry->ledger, index);
        } else {
            log_warning("cannot use '%" PRIu64 ".vm' in the state directory: %s, ignoring it",
                        row.id, found->problem.text);
        }
        vm_free(vm);
        return false;
    }
    if (!registry_list(registry, vm)) {
        vm_free(vm);
        return false;
    }
    if (take_up_live(registry, vm, &row))
        return false;
    return settle(registry, vm, &row);
}

/* A file that is in no ledger: one of before there was a ledger, if there was none. */
static void load_file(struct registry *registry, uint64_t id, bool add)
{
    _cleanup_close_ int fd = vm_file_open(registry->directory.fd, id);
    struct ledger_row row = { .id = id };
    struct vm_record record;
    struct vm_file *file;
    struct error err;
    size_t index;
    int r;

    r = fd < 0 ? error_set(&err, fd, "%s", strerror(-fd))
               : vm_file_view(fd, id, VM_FILE_RING_MAX, &file, &err);
    if (r == -ENODATA) { /* its start was never answered: there is nobody who could ask for it */
        vm_file_remove(registry->directory.fd, id);
        return;
    }
    if (r == 0 && vm_file_read_record(file, id, &record) == 0) {
        row.owner = record.owner;
        row.created_ns = record.created_ns;
        row.cpus = (uint32_t)record.cpus;
        row.ring_capacity = atomic_load(&file->ring.state->capacity);
        memcpy(row.name, record.name, sizeof(row.name));
        memcpy(row.image, record.image, sizeof(row.image));
    }
    if (r == 0)
        vm_file_free(file);
    if (r == 0 && !add)
        r = error_set(&err, -EBADMSG, "the ledger does not have it");
    if (r == 0)
        r = ledger_add(registry->ledger, &row, &index, &err);
    if (r < 0)
        log_warning("cannot use '%" PRIu64 ".vm' in the state directory: %s, ignoring it", id,
                    err.text);
}

static int compare_found(const void *a, const void *b)
{
    uint64_t left = ((const struct found *)a)->id, right = ((const struct found *)b)->id;

    return left < right ? -1 : left > right;
}

/* In the order of their ids, which is not that of the rows. */
static int collect_rows(const struct registry *registry, struct found **ret, size_t *ret_count,
                        struct error *err)
{
    const struct ledger_row *row;
    struct found *found;
    size_t count = 0;

    for (size_t index = 0; ledger_next(registry->ledger, &index); index++)
        count++;
    found = calloc(count + 1, sizeof(*found));
    if (!found)
        return error_set(err, -ENOMEM, "out of memory");
    count = 0;
    for (size_t index = 0; (row = ledger_next(registry->ledger, &index)); index++)
        found[count++] = (struct found){ .id = row->id, .index = index };
    qsort(found, count, sizeof(*found), compare_found);
    *ret = found;
    *ret_count = count;
    return 0;
}

/* Of files that have no row. */
static int load_files(struct registry *registry, const struct found *found, size_t count, bool made,
                      struct error *err)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t id_count;
    int r = state_dir_read_ids(&registry->directory, &ids, &id_count, err);

    for (size_t i = 0; r == 0 && i < id_count; i++) {
        const struct found key = { .id = ids[i] };

        if (!bsearch(&key, found, count, sizeof(*found), compare_found))
            load_file(registry, ids[i], made);
    }
    return r;
}

int registry_take_up(struct registry *registry, struct error *err)
{
    _cleanup_free_ struct found *found = NULL;
    size_t count, lost = 0;
    bool made;
    int r;

    r = ledger_open(registry->directory.fd, &registry->ledger, &made, err);
    if (r == 0)
        r = collect_rows(registry, &found, &count, err);
    if (r == 0)
        r = load_files(registry, found, count, made, err);
    if (r == 0 && made) { /* those are the rows */
        free(TAKE_PTR(found));
        r = collect_rows(registry, &found, &count, err);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        read_found(registry, &found[i]);
    for (size_t i = 0; i < count; i++)
        lost += place_found(registry, &found[i]);
    /* however many were lost at once, each of them is listed */
    registry_retire(registry, registry->setup.limits->retain + lost);
    if (count > 0)
        log_info("%zu VMs of earlier daemons are listed, %zu of them live",
                 registry->counts.ended + registry->counts.live, registry->counts.live);
    return 0;
}
