/*
 * Bits of x86 control registers (Intel SDM vol. 3A, "Control Registers"; vol. 4 for EFER).
 */
#pragma once

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_PG (UINT64_C(1) << 31)

#define RFLAGS_IF (UINT64_C(1) << 9) /* SDM vol. 1, "EFLAGS Register" */

#define CR4_PAE (UINT64_C(1) << 5)

#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
