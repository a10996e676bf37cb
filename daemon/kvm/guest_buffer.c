#include "kvm/guest_buffer.h"

#include <errno.h>

#include "kvm/arch.h"
#include "kvm/machine.h"

/* The smallest page of any architecture: addresses side by side in one lie side by side in memory.
 */
#define PAGE UINT64_C(4096)

/* The piece of [address, address + size) that lies in one page. Errors: -EFAULT. */
static int next_piece(struct vcpu *vcpu, uint64_t address, uint64_t size, gpa_t *ret_gpa,
                      size_t *ret_size)
{
    uint64_t rest = PAGE - address % PAGE;

    if (address > UINT64_MAX - (size - 1)) /* it would go round */
        return -EFAULT;
    *ret_size = (size_t)(size < rest ? size : rest);
    return arch_translate(vcpu, address, ret_gpa);
}

int guest_buffer_check(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    while (size > 0) {
        size_t n;
        gpa_t gpa;

        if (next_piece(vcpu, address, size, &gpa, &n) < 0 ||
            !guest_memory_holds(&vcpu->machine->memory, gpa, n))
            return -EFAULT;
        address += n;
        size -= n;
    }
    return 0;
}

int guest_buffer_read(struct vcpu *vcpu, uint64_t address, void *data, size_t size)
{
    unsigned char *to = data;

    while (size > 0) {
        size_t n;
        gpa_t gpa;

        if (next_piece(vcpu, address, size, &gpa, &n) < 0 ||
            guest_memory_read(&vcpu->machine->memory, gpa, to, n) < 0)
            return -EFAULT;
        to += n;
        address += n;
        size -= n;
    }
    return 0;
}

int guest_buffer_write(struct vcpu *vcpu, uint64_t address, const void *data, size_t size)
{
    const unsigned char *from = data;

    while (size > 0) {
        size_t n;
        gpa_t gpa;

        if (next_piece(vcpu, address, size, &gpa, &n) < 0 ||
            guest_memory_write(&vcpu->machine->memory, gpa, from, n) < 0)
            return -EFAULT;
        from += n;
        address += n;
        size -= n;
    }
    return 0;
}
