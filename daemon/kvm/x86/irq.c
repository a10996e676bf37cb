#include "kvm/x86/irq.h"

#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "kvm/machine.h"

void irq_set(const struct machine *machine, unsigned irq, bool level)
{
    struct kvm_irq_level line = { .irq = irq, .level = level };

    /* api.rst section 4.25: it can fail only for a controller that is not there */
    (void)ioctl(machine->vm_fd, KVM_IRQ_LINE, &line);
}
