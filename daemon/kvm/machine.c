#include "kvm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "kvm/arch.h"
#include "kvm/exits.h"
#include "util/clock.h"

static int create_vm(struct machine *machine, struct error *err)
{
    machine->vm_fd = ioctl(machine->host->fd, KVM_CREATE_VM, 0);
    if (machine->vm_fd < 0)
        return error_set(err, -ENODEV, "KVM_CREATE_VM: %s", strerror(errno));
    return arch_init_vm(machine, err);
}

static int add_memory(struct machine *machine, uint64_t size, struct error *err)
{
    int r;

    r = guest_memory_init(&machine->memory, arch_memory_base, size, err);
    for (size_t i = 0; i < machine->memory.region_count && r == 0; i++) {
        const struct guest_region *from = &machine->memory.regions[i];
        struct kvm_userspace_memory_region region = {
            .slot = (uint32_t)i,
            .guest_phys_addr = from->base,
            .memory_size = from->size,
            .userspace_addr = (uintptr_t)from->host,
        };

        if (ioctl(machine->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
            r = error_set(err, -ENODEV, "KVM_SET_USER_MEMORY_REGION of %" PRIu64 " bytes: %s",
                          from->size, strerror(errno));
    }
    return r;
}

static int create_vcpu(struct machine *machine, struct error *err)
{
    long page_size = sysconf(_SC_PAGESIZE);
    int ring_page;
    void *run;

    machine->vcpu_fd = ioctl(machine->vm_fd, KVM_CREATE_VCPU, 0);
    if (machine->vcpu_fd < 0)
        return error_set(err, -ENODEV, "KVM_CREATE_VCPU: %s", strerror(errno));
    run = mmap(NULL, machine->host->vcpu_map_size, PROT_READ | PROT_WRITE, MAP_SHARED,
               machine->vcpu_fd, 0);
    if (run == MAP_FAILED)
        return error_set(err, -ENODEV, "cannot map the vCPU: %s", strerror(errno));
    machine->run = run;

    /* the ring's page in the mapping: api.rst section 4.116 */
    ring_page = kvm_host_capability(machine->host, KVM_CAP_COALESCED_MMIO);
    if (ring_page > 0 && (ring_page + 1) * page_size <= (long)machine->host->vcpu_map_size) {
        struct kvm_coalesced_mmio_ring *ring = (void *)((char *)run + ring_page * page_size);

        machine->coalesced.ring = ring;
        machine->coalesced.size =
            (uint32_t)(((size_t)page_size - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]));
    }
    return 0;
}

int machine_init(struct machine *machine, const struct kvm_host *host, uint64_t memory_bytes,
                 struct exit_stats *stats, struct vcpu_kick *kick, struct error *err)
{
    int r;

    *machine = (struct machine){
        .host = host,
        .kick = kick,
        .stats = stats,
        .vm_fd = -1,
        .vcpu_fd = -1,
    };
    r = create_vm(machine, err);
    if (r == 0)
        r = add_memory(machine, memory_bytes, err);
    if (r == 0)
        r = create_vcpu(machine, err);
    if (r < 0) {
        machine_deinit(machine);
        return r;
    }
    vcpu_kick_publish(kick, machine->run, machine->coalesced.ring);
    return 0;
}

void machine_deinit(struct machine *machine)
{
    vcpu_kick_withdraw(machine->kick);
    if (machine->run)
        munmap(machine->run, machine->host->vcpu_map_size);
    if (machine->vcpu_fd >= 0)
        close(machine->vcpu_fd);
    if (machine->vm_fd >= 0)
        close(machine->vm_fd);
    guest_memory_deinit(&machine->memory);
    machine->run = NULL;
    machine->vcpu_fd = machine->vm_fd = -1;
}

void machine_coalesce(struct machine *machine, enum io_space space, uint64_t address)
{
    int capability = space == IO_SPACE_PORT ? KVM_CAP_COALESCED_PIO : KVM_CAP_COALESCED_MMIO;

    if (!machine->coalesced.ring || !kvm_host_capability(machine->host, capability))
        return;
    machine->coalesced.space = space;
    machine->coalesced.address = address;
}

int machine_boot(struct machine *machine, const struct boot *boot, struct error *err)
{
    return arch_boot_vcpu(machine, boot, err);
}

/* The first write has come: KVM is to gather the next ones. */
static void start_coalescing(struct machine *machine)
{
    struct kvm_coalesced_mmio_zone zone = {
        .addr = machine->coalesced.address,
        .size = 1,
        .pio = machine->coalesced.space == IO_SPACE_PORT,
    };

    machine->coalesced.active = true; /* or refused: not to be tried again on each byte */
    (void)ioctl(machine->vm_fd, KVM_REGISTER_COALESCED_MMIO, &zone);
}

/* Carries out what KVM has gathered, in the order the guest wrote it. */
static void drain_coalesced(struct machine *machine)
{
    struct kvm_coalesced_mmio_ring *ring = machine->coalesced.ring;
    const uint32_t size = machine->coalesced.size;
    uint32_t first = ring->first, last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
    uint64_t count = 0;

    while (first != last && first < size) {
        const struct kvm_coalesced_mmio *write = &ring->coalesced_mmio[first];

        bus_write(write->pio ? &machine->ports : &machine->mmio, write->phys_addr, write->data,
                  write->len <= sizeof(write->data) ? write->len : sizeof(write->data));
        first = (first + 1) % size;
        count++;
    }
    __atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
    counter_add(&machine->stats->coalesced, count);
}

void machine_access(struct machine *machine, enum io_space space, enum io_direction direction,
                    uint64_t address, void *data, unsigned size, unsigned repeat)
{
    const struct bus *bus = space == IO_SPACE_PORT ? &machine->ports : &machine->mmio;
    unsigned char *bytes = data;

    exit_stats_count_io(machine->stats, space, direction, address, bus_has(bus, address));
    for (unsigned i = 0; i < repeat; i++, bytes += size) {
        if (direction == IO_OUT)
            bus_write(bus, address, bytes, size);
        else
            bus_read(bus, address, bytes, size);
    }
    if (direction == IO_OUT && space == machine->coalesced.space &&
        address == machine->coalesced.address && !machine->coalesced.active)
        start_coalescing(machine);
}

static void handle_exit(struct machine *machine, uint32_t reason)
{
    exit_fn handler = reason < arch_exit_count ? arch_exit_table[reason] : NULL;

    if (handler)
        handler(machine);
    else
        guest_end_set(&machine->end, GUEST_END_ERROR, 0,
                      "the guest made an exit that vmmd does not handle: '%s' (%" PRIu32 ")",
                      exit_reason_to_string(reason), reason);
}

/* KVM_RUN returned -1. */
static void handle_run_error(struct machine *machine, int code)
{
    switch (code) {
    case EINTR: /* kicked: the caller looks at the requests next; cleared before it does */
        __atomic_store_n(&machine->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        exit_stats_count_exit(machine->stats, KVM_EXIT_INTR);
        return;
    case EAGAIN: /* api.rst section 4.10: not an end, KVM wants another KVM_RUN */
        return;
    default:
        guest_end_set(&machine->end, GUEST_END_ERROR, 0, "KVM_RUN: %s", strerror(code));
    }
}

void machine_run(struct machine *machine, const _Atomic unsigned *requests)
{
    int64_t left = clock_monotonic_ns(), entered;

    while (machine->end.reason == GUEST_END_NONE && atomic_load(requests) == 0) {
        int r, code;

        entered = clock_monotonic_ns();
        counter_add(&machine->stats->vmm_ns, (uint64_t)(entered - left));
        r = ioctl(machine->vcpu_fd, KVM_RUN, 0);
        code = errno;
        left = clock_monotonic_ns();
        counter_add(&machine->stats->guest_ns, (uint64_t)(left - entered));

        if (machine->coalesced.active)
            drain_coalesced(machine);
        if (r < 0) {
            handle_run_error(machine, code);
            continue;
        }
        exit_stats_count_exit(machine->stats, machine->run->exit_reason);
        handle_exit(machine, machine->run->exit_reason);
    }
    if (machine->end.reason == GUEST_END_SHUTDOWN || machine->end.reason == GUEST_END_ERROR)
        arch_dump_registers(machine, &machine->end.registers);
}
