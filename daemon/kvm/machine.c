#include "kvm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "kvm/arch.h"
#include "util/clock.h"
#include "util/schedule.h"

#define VCPU_STACK_SIZE ((size_t)128 * 1024)

static int create_vm(struct machine *machine, struct error *err)
{
    machine->vm_fd = ioctl(machine->host->fd, KVM_CREATE_VM, 0);
    if (machine->vm_fd < 0)
        return error_set(err, -ENODEV, "KVM_CREATE_VM: %s", strerror(errno));
    return arch_init_vm(machine, err);
}

/* The ring's page in the first vCPU's mapping: api.rst section 4.116. It is the whole VM's. */
static void find_coalesced_ring(struct machine *machine)
{
    long page_size = sysconf(_SC_PAGESIZE);
    int page = kvm_host_capability(machine->host, KVM_CAP_COALESCED_MMIO);
    struct kvm_coalesced_mmio_ring *ring;

    if (page <= 0 || (page + 1) * page_size > (long)machine->host->vcpu_map_size)
        return;
    ring = (void *)((char *)machine->vcpus[0].run + page * page_size);
    machine->coalesced.ring = ring;
    machine->coalesced.size =
        (uint32_t)(((size_t)page_size - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]));
}

int machine_init(struct machine *machine, const struct kvm_host *host,
                 const struct machine_config *config, const struct machine_owner *owner,
                 struct exit_stats *stats, struct vcpu_kick *kicks, struct error *err)
{
    int r;

    *machine = (struct machine){
        .host = host,
        .config = *config,
        .owner = *owner,
        .stats = stats,
        .vm_fd = -1,
    };
    pthread_mutex_init(&machine->lock, NULL);
    sem_init(&machine->vcpu_made, 0, 0);
    r = create_vm(machine, err);
    if (r == 0)
        r = guest_memory_init(&machine->memory, arch_memory_base, config->memory_bytes, err);
    if (r == 0)
        r = vcpu_init(&machine->vcpus[0], machine, 0, &kicks[0], err);
    if (r < 0) {
        machine_deinit(machine);
        return r;
    }
    find_coalesced_ring(machine);
    vcpu_kick_publish(&kicks[0], machine->vcpus[0].run, machine->coalesced.ring);
    return 0;
}

void machine_deinit(struct machine *machine)
{
    if (machine->vcpus[0].machine)
        vcpu_deinit(&machine->vcpus[0]);
    if (machine->vm_fd >= 0)
        close(machine->vm_fd);
    guest_memory_deinit(&machine->memory);
    sem_destroy(&machine->vcpu_made);
    pthread_mutex_destroy(&machine->lock);
    machine->vm_fd = -1;
}

/* Coalesced writes. */

void machine_coalesce(struct machine *machine, enum io_space space, uint64_t address)
{
    int capability = space == IO_SPACE_PORT ? KVM_CAP_COALESCED_PIO : KVM_CAP_COALESCED_MMIO;

    if (!machine->coalesced.ring || !kvm_host_capability(machine->host, capability))
        return;
    machine->coalesced.space = space;
    machine->coalesced.address = address;
}

static struct kvm_coalesced_mmio_zone coalesced_zone(const struct machine *machine)
{
    return (struct kvm_coalesced_mmio_zone){
        .addr = machine->coalesced.address,
        .size = 1,
        .pio = machine->coalesced.space == IO_SPACE_PORT,
    };
}

/* The first write has come: KVM is to gather the next ones. */
static void start_coalescing(struct machine *machine)
{
    struct kvm_coalesced_mmio_zone zone = coalesced_zone(machine);

    machine->coalesced.active = true; /* or refused: not to be tried again on each byte */
    (void)ioctl(machine->vm_fd, KVM_REGISTER_COALESCED_MMIO, &zone);
}

void machine_stop_coalescing(struct machine *machine)
{
    struct kvm_coalesced_mmio_zone zone = coalesced_zone(machine);

    if (machine->coalesced.active)
        (void)ioctl(machine->vm_fd, KVM_UNREGISTER_COALESCED_MMIO, &zone);
    machine->coalesced.space = (enum io_space)0;
}

void machine_drain(struct machine *machine)
{
    struct kvm_coalesced_mmio_ring *ring = machine->coalesced.ring;
    const uint32_t size = machine->coalesced.size;
    uint32_t first, last;
    uint64_t count = 0;

    if (!machine->coalesced.active)
        return;
    first = ring->first;
    last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
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

    exit_stats_count_io(machine->stats, space, direction, address,
                        bus_has(bus, direction, address));
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

void machine_nap(struct machine *machine, uint64_t ns)
{
    machine->nap_ns = ns;
}

/* Booting. */

static int give_memory(struct machine *machine, struct error *err)
{
    for (size_t i = 0; i < machine->memory.region_count; i++) {
        const struct guest_region *from = &machine->memory.regions[i];
        struct kvm_userspace_memory_region region = {
            .slot = (uint32_t)i,
            .flags = from->readonly ? KVM_MEM_READONLY : 0,
            .guest_phys_addr = from->base,
            .memory_size = from->size,
            .userspace_addr = (uintptr_t)from->host,
        };

        if (ioctl(machine->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
            return error_set(err, -ENODEV, "KVM_SET_USER_MEMORY_REGION of %" PRIu64 " bytes: %s",
                             from->size, strerror(errno));
    }
    return 0;
}

int machine_boot(struct machine *machine, const struct boot *boot, struct error *err)
{
    int r = arch_prepare_boot(machine, boot, err);

    if (r == 0)
        r = give_memory(machine, err);
    if (r == 0)
        r = arch_boot_vcpu(&machine->vcpus[0], boot, err);
    return r;
}

/* Running. */

static void *vcpu_thread_main(void *argument)
{
    struct vcpu *vcpu = argument;
    struct machine *machine = vcpu->machine;

    if (vcpu_init(vcpu, machine, vcpu->index, vcpu->kick, vcpu->error) < 0) {
        sem_post(&machine->vcpu_made);
        return NULL;
    }
    vcpu_kick_publish(vcpu->kick, vcpu->run, NULL);
    sem_post(&machine->vcpu_made);
    schedule_background();
    vcpu_run(vcpu);
    pthread_mutex_lock(&machine->lock); /* devices of others may interrupt it */
    vcpu_deinit(vcpu);
    pthread_mutex_unlock(&machine->lock);
    return NULL;
}

/* The vCPU is made before the first runs: it must be there when that wakes it. Errors: negative
 * errno, no thread is left. */
static int start_vcpu(struct machine *machine, unsigned index, struct vcpu_kick *kick,
                      struct error *err)
{
    struct vcpu *vcpu = &machine->vcpus[index];
    pthread_attr_t attributes;
    pthread_t thread;
    int r;

    *vcpu = (struct vcpu){ .machine = machine, .index = index, .kick = kick, .error = err };
    err->code = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, VCPU_STACK_SIZE);
    r = pthread_create(&thread, &attributes, vcpu_thread_main, vcpu);
    pthread_attr_destroy(&attributes);
    if (r != 0)
        return error_set(err, -EAGAIN, "cannot start a thread for vCPU %u: %s", index, strerror(r));
    while (sem_wait(&machine->vcpu_made) < 0)
        ;
    if (err->code != 0)
        pthread_join(thread, NULL);
    else
        vcpu->thread = thread;
    return err->code;
}

void machine_run(struct machine *machine, struct vcpu_kick *kicks)
{
    unsigned started = 1;
    struct error err;

    while (started < machine->config.cpus) {
        if (start_vcpu(machine, started, &kicks[started], &err) < 0) {
            pthread_mutex_lock(&machine->lock);
            guest_end_set(&machine->end, GUEST_END_ERROR, 0, "%s", err.text);
            pthread_mutex_unlock(&machine->lock);
            break;
        }
        started++;
    }
    vcpu_run(&machine->vcpus[0]);
    /* the end was there before the kick: one is enough (kvm/vcpu_kick.h) */
    for (unsigned i = 1; i < started; i++)
        vcpu_kick_surely(&kicks[i]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(machine->vcpus[i].thread, NULL);
    machine_drain(machine);
}

void machine_conclude(struct machine *machine, struct vcpu *vcpu)
{
    struct guest_end *end = &machine->end;

    if ((end->reason == GUEST_END_SHUTDOWN || end->reason == GUEST_END_ERROR) &&
        end->registers.count == 0)
        arch_dump_registers(vcpu, &end->registers);
    if (vcpu->index > 0) /* the first joins the others, which kicks them */
        vcpu_kick_surely(machine->vcpus[0].kick);
}

void machine_found(struct machine *machine, const struct vcpu *vcpu, bool asleep)
{
    if (!asleep || !machine->sleep[vcpu->index].asleep)
        for (unsigned i = 0; i < machine->config.cpus; i++)
            machine->sleep[i].times = 0;
    machine->sleep[vcpu->index].asleep = asleep;
    if (asleep)
        machine->sleep[vcpu->index].times++;
}

bool machine_is_asleep(const struct machine *machine)
{
    for (unsigned i = 0; i < machine->config.cpus; i++)
        if (!machine->sleep[i].asleep || machine->sleep[i].times < 2)
            return false;
    return true;
}

void machine_stand(struct machine *machine, struct vcpu *vcpu, unsigned wish)
{
    pthread_mutex_lock(&machine->lock);
    if (vcpu->index == 0)
        arch_dump_registers(vcpu, &machine->stopped);
    if (wish !=
        machine->stand_wish) { /* who has not gone on from the last one yet does not count */
        machine->stand_wish = wish;
        machine->standing = 0;
    }
    if (++machine->standing == machine->config.cpus) {
        machine->stands = true;
        machine->stands_since_ns = clock_monotonic_ns();
        machine->owner.stands(machine->owner.context);
    }
    pthread_mutex_unlock(&machine->lock);
}

void machine_go_on(struct machine *machine)
{
    pthread_mutex_lock(&machine->lock);
    if (machine->stands) {
        machine->stands = false;
        machine->stood_ns += (uint64_t)(clock_monotonic_ns() - machine->stands_since_ns);
        machine->owner.goes_on(machine->owner.context);
    }
    pthread_mutex_unlock(&machine->lock);
}
