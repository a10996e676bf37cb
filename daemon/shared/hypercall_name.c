#include "shared/hypercall_name.h"

#include <assert.h>
#include <stddef.h>

const char *hypercall_name(unsigned number)
{
    static const char *const names[] = {
        [HC_EXIT] = "HC_EXIT",       [HC_PUTCHAR] = "HC_PUTCHAR",     [HC_PUTNUM] = "HC_PUTNUM",
        [HC_NEWLINE] = "HC_NEWLINE", [HC_EXIT_CODE] = "HC_EXIT_CODE", [HC_WRITE] = "HC_WRITE",
        [HC_READ] = "HC_READ",       [HC_GETCHAR] = "HC_GETCHAR",     [HC_RING] = "HC_RING",
        [HC_NOTIFY] = "HC_NOTIFY",
    };

    static_assert(sizeof(names) / sizeof(names[0]) == HYPERCALL_COUNT, "a name for each");
    return number < HYPERCALL_COUNT ? names[number] : NULL;
}
