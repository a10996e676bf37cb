#include "shared/vm_record.h"

#include <stdio.h>

void vm_machine_record_begin(struct vm_machine_record *machine, enum image_format format)
{
    snprintf(machine->format, sizeof(machine->format), "%s", image_format_to_string(format));
    snprintf(machine->mode, sizeof(machine->mode), "auto");
    snprintf(machine->machine, sizeof(machine->machine), "auto");
}
