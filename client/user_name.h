/*
 * User name: the login name of a uid, for tables where the same few come again and again: each
 * look-up may ask a directory service.
 */
#pragma once

#include <stdint.h>

#include "vm_record.h"

/* The one that was looked up last. */
struct user_name {
    int64_t uid;
    char text[VM_RECORD_TEXT_SIZE];
};

#define USER_NAME_NONE ((struct user_name){ .uid = -1 })

/* The login name, or the uid's digits where nobody has it. It holds until the next call. */
const char *user_name_find(struct user_name *last, int64_t uid);
