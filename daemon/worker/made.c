#include "worker/made.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "board/board.h"
#include "kvm/arch.h"
#include "util/clock.h"
#include "worker/sources.h"

/* The console: output into the ring; the daemon is woken only if it said that it waits. */
static void append_output(void *context, const void *data, size_t size)
{
    struct made *made = context;
    struct guest *guest = made->guest;
    struct slot *slot = &guest->home->page->slots[guest->slot];

    poll_brake_release(&made->brake);
    output_ring_append(&guest->file->ring, data, size);
    if (atomic_load(&slot->output_wanted) && atomic_exchange(&slot->output_wanted, 0))
        guest_tell(guest, SLOT_OUTPUT);
}

static size_t take_input(void *context, void *data, size_t size)
{
    struct made *made = context;
    struct guest *guest = made->guest;
    struct slot *slot = &guest->home->page->slots[guest->slot];
    size_t n;

    pthread_mutex_lock(&guest->input_lock);
    n = guest->input ? input_queue_take(guest->input, data, size) : 0;
    pthread_mutex_unlock(&guest->input_lock);
    if (n == 0)
        return 0;
    poll_brake_release(&made->brake);
    if (atomic_load(&slot->room_wanted) && atomic_exchange(&slot->room_wanted, 0))
        guest_tell(guest, SLOT_ROOM);
    return n;
}

static bool input_ended(void *context)
{
    struct made *made = context;
    struct guest *guest = made->guest;
    bool ended;

    pthread_mutex_lock(&guest->input_lock);
    ended = guest->input && input_queue_is_at_end(guest->input);
    pthread_mutex_unlock(&guest->input_lock);
    return ended;
}

static void brake_polling(void *context)
{
    struct made *made = context;
    uint64_t nap_ns = poll_brake_poll(&made->brake, clock_thread_ns());

    if (nap_ns > 0 && !input_ended(made))
        machine_nap(&made->machine, nap_ns);
}

/* The machine's owner. */

static void carry_out(struct made *made, const struct request *request)
{
    struct guest *guest = made->guest;

    switch (request->kind) {
    case REQUEST_END:
        guest_note_end(guest, &request->end);
        break;
    case REQUEST_PAUSE:
    case REQUEST_RESUME:
        /* each change is a new wish: what is so already is none */
        if ((atomic_load(&guest->pause) & 1) != (request->kind == REQUEST_PAUSE))
            atomic_fetch_add(&guest->pause, 1);
        break;
    case REQUEST_INPUT:
        board_receive(made->board);
        break;
    }
}

static void on_kicked(void *context)
{
    struct made *made = context;
    struct request *request;

    while ((request = request_queue_take(&made->guest->requests))) {
        carry_out(made, request);
        free(request);
    }
}

static void on_exited(void *context)
{
    struct made *made = context;

    board_drain(made->board);
}

static void set_phase(struct guest *guest, enum link_phase phase, enum vm_state state)
{
    pthread_mutex_lock(&guest->lock);
    guest->phase = phase;
    pthread_mutex_unlock(&guest->lock);
    atomic_store(guest->file->state, (uint32_t)state);
}

static void on_stands(void *context)
{
    struct made *made = context;
    struct guest *guest = made->guest;
    int64_t now_ns = clock_monotonic_ns();

    *guest->file->stopped = made->machine.stopped;
    atomic_store(&guest->file->live->stands_mono_ns, now_ns);
    set_phase(guest, LINK_PHASE_PAUSED, VM_PAUSED);
    guest_tell(guest, SLOT_STANDS);
}

/* While it stands still, its time does. */
static void on_goes_on(void *context)
{
    struct made *made = context;
    struct guest *guest = made->guest;

    pthread_mutex_lock(&guest->lock);
    guest->stood_ns = made->machine.stood_ns;
    pthread_mutex_unlock(&guest->lock);
    atomic_store(&guest->file->live->stood_ns, made->machine.stood_ns);
    atomic_store(&guest->file->live->stands_mono_ns, 0);
    set_phase(guest, LINK_PHASE_RUNNING, VM_RUNNING);
    guest_tell(guest, SLOT_GOES_ON);
}

/* Making. */

static int choose_board(const struct guest *guest, const struct image_kind *kind,
                        enum board_kind *ret, struct error *err)
{
    enum board_kind fitting = kind->kernel ? board_of_kernels : BOARD_BARE;
    enum board_kind board = guest->definition.flags & DEFINITION_BOARD
                                ? (enum board_kind)guest->definition.board
                                : fitting;

    if (board != BOARD_BARE && board != board_of_kernels)
        return error_set_about(
            err, "machine", -EINVAL, "there is no machine '%s' for %s guests; theirs is '%s'",
            board_kind_to_string(board), arch_name, board_kind_to_string(board_of_kernels));
    *ret = board;
    return 0;
}

static int make_machine(struct made *made, enum board_kind board, struct error *err)
{
    struct guest *guest = made->guest;
    const struct machine_config config = {
        .memory_bytes = made->described.memory_bytes,
        .cpus = guest->definition.cpus,
        .interrupts = board != BOARD_BARE,
    };
    const struct machine_owner owner = {
        .end = &guest->end,
        .pause = &guest->pause,
        .kicked = on_kicked,
        .exited = on_exited,
        .stands = on_stands,
        .goes_on = on_goes_on,
        .context = made,
    };
    int r;

    if (config.cpus > 1 && board == BOARD_BARE)
        return error_set_about(err, "cpus", -EINVAL, "%u CPUs need machine '%s'; 'bare' has one",
                               config.cpus, board_kind_to_string(board_of_kernels));
    r = machine_init(&made->machine, guest->home->host, &config, &owner, guest->file->stats,
                     guest->kicks, err);
    made->machine_ready = r == 0;
    return r;
}

/* wanted: what the image has a say in. */
static int make_board(struct made *made, const struct board_config *wanted, struct error *err)
{
    struct guest *guest = made->guest;
    struct board_config config = *wanted;

    config.coalesce = (guest->definition.flags & DEFINITION_COALESCE) != 0;
    config.console = &made->console;
    config.post = guest->file->post;
    config.ring_note = guest->file->ring_note;
    config.vm_id = guest->id;
    config.vm_name = guest->name;
    made->console = (struct console){
        .write = append_output,
        .read = take_input,
        .ended = input_ended,
        .starved = brake_polling,
        .context = made,
    };
    return board_new(&made->machine, &config, &made->board, err);
}

static void describe(struct made *made, const struct image_kind *kind, const struct boot *boot,
                     enum board_kind board)
{
    struct vm_machine_record *machine = &made->described;

    snprintf(machine->format, sizeof(machine->format), "%s", image_format_to_string(kind->format));
    snprintf(machine->machine, sizeof(machine->machine), "%s", board_kind_to_string(board));
    snprintf(machine->note, sizeof(machine->note), "%s", kind->note);
    if (boot)
        snprintf(machine->mode, sizeof(machine->mode), "%s", boot_mode_to_string(boot->mode));
}

static int make_of(struct made *made, const struct image_request *request, struct error *err)
{
    struct guest *guest = made->guest;
    enum board_kind board = BOARD_BARE;
    struct board_config wanted;
    struct image_kind kind;
    struct boot boot;
    int r;

    made->described.image_size = request->image.size;
    r = image_recognise(request, &kind, err);
    if (r == 0)
        r = choose_board(guest, &kind, &board, err);
    if (r < 0)
        return r;
    if (kind.format != IMAGE_FLAT && kind.format != IMAGE_ROM)
        made->described.memory_bytes = guest->definition.kernel_memory_bytes;
    describe(made, &kind, NULL, board);
    r = make_machine(made, board, err);
    if (r == 0)
        r = image_load(request, kind.format, &made->machine.memory, &boot, err);
    if (r < 0)
        return r;
    describe(made, &kind, &boot, board);
    made->described.waits_in_kvm = arch_waits_in_kvm(&made->machine.config);
    wanted = (struct board_config){
        .kind = board,
        .firmware = kind.format == IMAGE_ROM,
        .boot = &boot,
        .command_line = request->append,
    };
    r = make_board(made, &wanted, err);
    return r < 0 ? r : machine_boot(&made->machine, &boot, err);
}

int made_make(struct made *made, struct guest *guest, struct error *err)
{
    struct sources *sources;
    int r;

    *made = (struct made){ .guest = guest, .described = guest->file->record->machine };
    r = sources_receive(guest, &sources, err);
    if (r < 0)
        return r;
    r = make_of(made, &sources->request, err);
    sources_free(sources); /* what is loaded is loaded: no descriptor is kept */
    return r;
}

void made_drain(struct made *made)
{
    board_drain(made->board);
}

void made_take_down(struct made *made)
{
    board_free(made->board);
    if (made->machine_ready)
        machine_deinit(&made->machine);
}
