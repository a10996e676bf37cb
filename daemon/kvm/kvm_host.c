#include "kvm/kvm_host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "kvm/arch.h"
#include "util/word_list.h"

static const struct kvm_capability capabilities[] = {
    { KVM_CAP_USER_MEMORY, "user_memory", 1 },
    { KVM_CAP_IMMEDIATE_EXIT, "immediate_exit", 1 },
    { KVM_CAP_COALESCED_MMIO, "coalesced_mmio", 0 },
    { KVM_CAP_COALESCED_PIO, "coalesced_pio", 0 },
};

enum { CAPABILITY_COUNT = sizeof(capabilities) / sizeof(capabilities[0]) };

static_assert((int)CAPABILITY_COUNT + (int)KVM_CAPABILITY_ARCH_MAX <= (int)KVM_CAPABILITY_MAX,
              "room for the answer to each");

static int open_device(struct error *err)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    switch (errno) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
        return error_set(
            err, -ENOENT,
            "/dev/kvm is not there: load the module (modprobe %s), "
            "enable virtualisation in the firmware, or, in a VM, nested virtualisation",
            arch_kvm_module);
    case EACCES:
    case EPERM:
        return error_set(err, -EACCES,
                         "/dev/kvm is there, but uid %u may not use it: add the user to the group "
                         "that owns it (usermod -aG kvm NAME, then log in anew)",
                         (unsigned)geteuid());
    default:
        return error_set(err, -errno, "cannot open /dev/kvm: %s", strerror(errno));
    }
}

/* Asks for each capability of a table; adds the names of missing required ones to `missing`. */
static void check_capabilities(struct kvm_host *host, const struct kvm_capability *table,
                               size_t count, struct word_list *missing)
{
    for (size_t i = 0; i < count; i++) {
        int value = ioctl(host->fd, KVM_CHECK_EXTENSION, table[i].number);

        if (value < 0)
            value = 0;
        host->capabilities[host->capability_count].capability = &table[i];
        host->capabilities[host->capability_count++].value = value;
        if (table[i].required && value == 0)
            word_list_add(missing, "%s", table[i].name);
    }
}

static int check_host(struct kvm_host *host, struct error *err)
{
    char names[192] = "";
    struct word_list missing = WORD_LIST(names);
    int size;

    host->api_version = ioctl(host->fd, KVM_GET_API_VERSION, 0);
    if (host->api_version != KVM_API_VERSION) /* api.rst section 4.1 */
        return error_set(err, -ENODEV, "/dev/kvm speaks KVM API version %d; vmmd needs %d",
                         host->api_version, KVM_API_VERSION);

    check_capabilities(host, capabilities, CAPABILITY_COUNT, &missing);
    check_capabilities(host, arch_capabilities, arch_capability_count, &missing);
    if (names[0])
        return error_set(err, -ENODEV, "this host's KVM lacks what vmmd needs: %s", names);

    size = ioctl(host->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run))
        return error_set(err, -ENODEV, "KVM_GET_VCPU_MMAP_SIZE: %s",
                         size < 0 ? strerror(errno) : "too small");
    host->vcpu_map_size = (size_t)size;
    return arch_open_host(host->fd, &host->arch, err);
}

int kvm_host_open(struct kvm_host *host, struct error *err)
{
    int r;

    *host = (struct kvm_host){ .fd = -1 };
    r = open_device(err);
    if (r < 0)
        return r;
    host->fd = r;
    r = check_host(host, err);
    if (r < 0)
        kvm_host_close(host);
    return r;
}

void kvm_host_close(struct kvm_host *host)
{
    if (host->fd >= 0)
        close(host->fd);
    free(host->arch);
    host->fd = -1;
    host->arch = NULL;
}

int kvm_host_capability(const struct kvm_host *host, int number)
{
    for (size_t i = 0; i < host->capability_count; i++)
        if (host->capabilities[i].capability->number == number)
            return host->capabilities[i].value;
    return 0;
}
