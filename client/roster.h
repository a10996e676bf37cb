/*
 * Roster: in which state each VM was last known to be, so that what changed while nobody told can
 * be found out.
 *
 * Ids are given in ascending order and never twice. So a VM with a higher id than any before is
 * new, and one that is not among the live ones had ended: only those are kept, however many VMs
 * come and go.
 */
#pragma once

#include <stdint.h>

#include <json-c/json.h>

/* All zero is one that knows of no VM. */
struct roster {
    struct json_object *live; /* by id, an object with "id", "name", "state" */
    struct json_object
        *heard;      /* the ids of which there was an event since; NULL: no list awaited */
    int64_t last_id; /* the highest that was seen */
};

void roster_deinit(struct roster *roster);

/* A list was asked for, and events may come before it: what they tell is no news in the list, but
 * other VMs may be new there, also with lower ids. */
void roster_await_list(struct roster *roster);

/* Notes the state that a record or the params of a vm.state tell. */
void roster_note(struct roster *roster, struct json_object *vm);

/* Who hears what is found out; what is passed belongs to the roster, and the call may not change
 * that. */
struct roster_listener {
    /* A record tells another state than was known, or of a VM that was not. */
    void (*changed)(void *context, struct json_object *record);
    /* A VM that was live is not listed: it has ended and was removed. It has "id", "name" and
     * "state", the last that was known. */
    void (*missing)(void *context, struct json_object *vm);
    void *context;
};

/* Tells what is otherwise in a list of records, in the order of the list, then what is missing
 * there; from then on, the list is what is known. listener: NULL: nobody. */
void roster_update(struct roster *roster, struct json_object *records,
                   const struct roster_listener *listener);
