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

/* What is done with a piece that lies side by side in the guest's memory. Errors: -EFAULT. */
typedef int (*piece_fn)(struct guest_memory *memory, gpa_t gpa, unsigned char *data, size_t size);

static int check_piece(struct guest_memory *memory, gpa_t gpa, unsigned char *data, size_t size)
{
    (void)data;
    return guest_memory_holds(memory, gpa, size) ? 0 : -EFAULT;
}

static int read_piece(struct guest_memory *memory, gpa_t gpa, unsigned char *data, size_t size)
{
    return guest_memory_read(memory, gpa, data, size);
}

static int write_piece(struct guest_memory *memory, gpa_t gpa, unsigned char *data, size_t size)
{
    return guest_memory_write(memory, gpa, data, size);
}

/* data: of the first piece, or NULL where the function needs none. */
static int for_each_piece(struct vcpu *vcpu, uint64_t address, unsigned char *data, uint64_t size,
                          piece_fn fn)
{
    while (size > 0) {
        size_t n;
        gpa_t gpa;

        if (next_piece(vcpu, address, size, &gpa, &n) < 0 ||
            fn(&vcpu->machine->memory, gpa, data, n) < 0)
            return -EFAULT;
        data = data ? data + n : NULL;
        address += n;
        size -= n;
    }
    return 0;
}

int guest_buffer_check(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    return for_each_piece(vcpu, address, NULL, size, check_piece);
}

int guest_buffer_read(struct vcpu *vcpu, uint64_t address, void *data, size_t size)
{
    return for_each_piece(vcpu, address, data, size, read_piece);
}

int guest_buffer_write(struct vcpu *vcpu, uint64_t address, const void *data, size_t size)
{
    return for_each_piece(vcpu, address, (unsigned char *)data, size, write_piece);
}
