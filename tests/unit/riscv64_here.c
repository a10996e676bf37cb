/*
 * What the loaders of riscv64 images take from daemon/kvm/riscv64, for where they are built to be
 * tested on another architecture.
 */
#include "guests/riscv64/board.h"
#include "kvm/arch.h"

const char arch_name[] = "riscv64";
const gpa_t arch_memory_base = GUEST_MEMORY_BASE;
