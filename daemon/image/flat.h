/*
 * Flat image: raw bytes, copied to one address and entered there.
 */
#pragma once

#include <stdint.h>

#include "kvm/boot.h"
#include "kvm/guest_memory.h"
#include "util/error.h"

/*
 * Loads size bytes of the file at `load` and says how to boot them. The VM's thread.
 * Errors: -ENOEXEC (empty, does not fit the memory, cannot be entered there, cannot be read).
 */
int flat_load(struct guest_memory *memory, int fd, uint64_t size, gpa_t load, struct boot *ret_boot,
              struct error *err);
