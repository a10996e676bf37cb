#include "shared/hypercall_name.h"

#include <stddef.h>

#include "guests/hypercall.h"

const char *hypercall_name(unsigned number)
{
    static const char *const names[] = {
        [HC_EXIT] = "HC_EXIT",       [HC_PUTCHAR] = "HC_PUTCHAR",     [HC_PUTNUM] = "HC_PUTNUM",
        [HC_NEWLINE] = "HC_NEWLINE", [HC_EXIT_CODE] = "HC_EXIT_CODE", [HC_WRITE] = "HC_WRITE",
        [HC_READ] = "HC_READ",       [HC_GETCHAR] = "HC_GETCHAR",     [HC_RING] = "HC_RING",
        [HC_NOTIFY] = "HC_NOTIFY",
    };

    return number < sizeof(names) / sizeof(names[0]) ? names[number] : NULL;
}
