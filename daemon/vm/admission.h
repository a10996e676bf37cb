/*
 * Admission: whether a VM may be started, as what it is to be: names, limits, defaults.
 *
 * Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "vm/vm_limits.h"
#include "vm/vm_request.h"

struct registry;

/*
 * Checks the name, if one is given, and what is asked for, and fills in what was left out. Errors:
 * -EINVAL (name, image path), -EEXIST (name), -EDQUOT (a limit), -E2BIG.
 */
int admission_check(const struct registry *registry, const struct vm_limits *limits,
                    struct vm_request *request, struct error *err);

/* "vmID", or, where a live VM was given just that name, "vmID.2" and so on. */
void admission_give_name(const struct registry *registry, uint64_t id,
                         char name[static VM_NAME_MAX + 8]);
