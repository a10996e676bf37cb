/*
 * Exits: what KVM_RUN returns for, by name, and the handlers that are the same on every
 * architecture (api.rst section 5, "The kvm_run structure").
 */
#pragma once

#include <stdint.h>

struct machine;

/* Handles one exit; sets machine->end where the guest cannot go on. The VM's thread. */
typedef void (*exit_fn)(struct machine *machine);

/* KVM's name for an exit reason, lower case, without KVM_EXIT_: "io"; "unknown" past the table. */
const char *exit_reason_to_string(uint32_t reason);

void exit_mmio(struct machine *machine);
void exit_shutdown(struct machine *machine);
void exit_fail_entry(struct machine *machine);
void exit_internal_error(struct machine *machine);
