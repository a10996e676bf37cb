/*
 * Numbers of the RISC-V SBI specification 2.0.
 */
#pragma once

/* Chapter 3, "Binary Encoding": error codes. */
enum {
    SBI_SUCCESS = 0,
    SBI_ERR_NOT_SUPPORTED = -2,
    SBI_ERR_INVALID_PARAM = -3,
};

/* Chapter 4, "Base Extension". */
enum { SBI_EXTENSION_BASE = 0x10, BASE_PROBE_EXTENSION = 3 };

/* Chapter 12, "Debug Console Extension", "DBCN". */
#define SBI_EXTENSION_DBCN 0x4442434eul

enum { DBCN_CONSOLE_WRITE, DBCN_CONSOLE_READ, DBCN_CONSOLE_WRITE_BYTE, DBCN_FUNCTIONS };
