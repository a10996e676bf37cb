#include "roster.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "field.h"
#include "vm_record.h"

enum { KEY_SIZE = 24 };

void roster_deinit(struct roster *roster)
{
    json_object_put(roster->live);
    json_object_put(roster->heard);
    *roster = (struct roster){ 0 };
}

/* A record has its id as "id", an event has it as "vm". */
static int64_t id_of(struct json_object *vm)
{
    return field_get(vm, "id") ? field_integer(vm, "id") : field_integer(vm, "vm");
}

static const char *key_of(struct json_object *vm, char key[static KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%" PRId64, id_of(vm));
    return key;
}

/* What is kept of a VM: its record would be some 2 KiB. */
static struct json_object *summary_of(struct json_object *vm)
{
    struct json_object *summary = json_object_new_object();

    json_object_object_add(summary, "id", json_object_new_int64(id_of(vm)));
    json_object_object_add(summary, "name", json_object_get(field_get(vm, "name")));
    json_object_object_add(summary, "state", json_object_get(field_get(vm, "state")));
    return summary;
}

void roster_await_list(struct roster *roster)
{
    json_object_put(roster->heard);
    roster->heard = json_object_new_object();
}

void roster_note(struct roster *roster, struct json_object *vm)
{
    char key[KEY_SIZE];

    if (!roster->live)
        roster->live = json_object_new_object();
    if (vm_record_has_ended(vm))
        json_object_object_del(roster->live, key_of(vm, key));
    else
        json_object_object_add(roster->live, key_of(vm, key), summary_of(vm));
    if (roster->heard)
        json_object_object_add(roster->heard, key_of(vm, key), NULL);
    else if (id_of(vm) > roster->last_id)
        roster->last_id = id_of(vm);
}

static bool is_news(const struct roster *roster, struct json_object *record)
{
    struct json_object *known = NULL;
    char key[KEY_SIZE];

    if (roster->heard && json_object_object_get_ex(roster->heard, key_of(record, key), NULL))
        return false;
    if (roster->live && json_object_object_get_ex(roster->live, key_of(record, key), &known))
        return strcmp(field_text(known, "state"), field_text(record, "state")) != 0;
    return id_of(record) > roster->last_id;
}

static void tell_changed(const struct roster *roster, struct json_object *records,
                         const struct roster_listener *listener)
{
    for (size_t i = 0; i < json_object_array_length(records); i++) {
        struct json_object *record = json_object_array_get_idx(records, i);

        if (is_news(roster, record))
            listener->changed(listener->context, record);
    }
}

static void tell_missing(const struct roster *roster, struct json_object *records,
                         const struct roster_listener *listener)
{
    _cleanup_json_ struct json_object *listed = json_object_new_object();
    char key[KEY_SIZE];

    for (size_t i = 0; i < json_object_array_length(records); i++) {
        struct json_object *record = json_object_array_get_idx(records, i);

        json_object_object_add(listed, key_of(record, key), json_object_get(record));
    }
    json_object_object_foreach(roster->live, id, vm) {
        if (!json_object_object_get_ex(listed, id, NULL))
            listener->missing(listener->context, vm);
    }
}

void roster_update(struct roster *roster, struct json_object *records,
                   const struct roster_listener *listener)
{
    if (!json_object_is_type(records, json_type_array))
        return;
    if (listener)
        tell_changed(roster, records, listener);
    if (listener && roster->live)
        tell_missing(roster, records, listener);

    json_object_put(roster->live);
    json_object_put(roster->heard);
    roster->live = roster->heard = NULL;
    for (size_t i = 0; i < json_object_array_length(records); i++)
        roster_note(roster, json_object_array_get_idx(records, i));
}
