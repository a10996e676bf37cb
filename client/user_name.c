#include "user_name.h"

const char *user_name_find(struct user_name *last, int64_t uid)
{
    if (last->uid != uid) {
        last->uid = uid;
        vm_record_format_user(uid, last->text);
    }
    return last->text;
}
