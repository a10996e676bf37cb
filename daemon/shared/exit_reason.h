/*
 * Exit reasons: what KVM_RUN returns for, by name (api.rst section 5, "The kvm_run structure").
 */
#pragma once

#include <stdint.h>

/* KVM's name for an exit reason, lower case, without KVM_EXIT_: "io"; "unknown" past the table.
 * Any thread. */
const char *exit_reason_to_string(uint32_t reason);
