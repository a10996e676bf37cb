#include "vm_record.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "field.h"
#include "report.h"
#include "util/clock.h"

enum { PASSWD_SIZE = 4096 };

bool vm_record_has_ended(struct json_object *record)
{
    static const char *const terminal[] = { "exited", "failed", "lost" };
    const char *state = field_text(record, "state");

    for (size_t i = 0; i < sizeof(terminal) / sizeof(terminal[0]); i++)
        if (strcmp(terminal[i], state) == 0)
            return true;
    return false;
}

const char *vm_record_format_exit(struct json_object *exit, char text[static VM_RECORD_TEXT_SIZE])
{
    int n = snprintf(text, VM_RECORD_TEXT_SIZE, "%.64s", field_text(exit, "reason"));

    if (field_get(exit, "code"))
        snprintf(text + n, (size_t)(VM_RECORD_TEXT_SIZE - n), " %" PRId64,
                 field_integer(exit, "code"));
    return text;
}

const char *vm_record_format_user(int64_t uid, char text[static VM_RECORD_TEXT_SIZE])
{
    struct passwd user, *found = NULL;
    char buffer[PASSWD_SIZE];

    if (getpwuid_r((uid_t)uid, &user, buffer, sizeof(buffer), &found) == 0 && found)
        snprintf(text, VM_RECORD_TEXT_SIZE, "%s", found->pw_name);
    else
        snprintf(text, VM_RECORD_TEXT_SIZE, "%" PRId64, uid);
    return text;
}

/* Nanoseconds since 1970. */
static bool parse_time(const char *text, int64_t *ret)
{
    struct tm utc = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    int ms = 0;

    if (!rest || sscanf(rest, ".%3dZ", &ms) != 1)
        return false;
    *ret = timegm(&utc) * CLOCK_NS_PER_SEC + ms * CLOCK_NS_PER_MS;
    return true;
}

const char *vm_record_format_time(const char *wire_time, char text[static VM_RECORD_TEXT_SIZE])
{
    struct tm local;
    int64_t when;
    time_t seconds;

    if (!parse_time(wire_time, &when))
        return strcpy(text, "-");
    seconds = (time_t)(when / CLOCK_NS_PER_SEC);
    if (!localtime_r(&seconds, &local))
        return strcpy(text, "-");
    strftime(text, VM_RECORD_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &local);
    return text;
}

int64_t vm_record_age_ns(const char *wire_time)
{
    int64_t when, now = clock_realtime_ns();

    return parse_time(wire_time, &when) && now > when ? now - when : 0;
}

void vm_record_report_end(const char *name, int64_t id, struct json_object *exit)
{
    char text[VM_RECORD_TEXT_SIZE];

    report("VM '%s' (%" PRId64 ") ended: %s: %s", name, id, vm_record_format_exit(exit, text),
           field_text(exit, "message"));
}

void vm_record_answer_end(struct json_object *record)
{
    struct json_object *exit = field_get(record, "exit");
    char text[VM_RECORD_TEXT_SIZE];

    report_answer("VM '%s' (%" PRId64 ") ended: %s: %s", field_text(record, "name"),
                  field_integer(record, "id"), vm_record_format_exit(exit, text),
                  field_text(exit, "message"));
}
