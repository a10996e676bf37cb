/*
 * Fuzz target: a line of the wire, from its bytes to the answer.
 *
 * json_text_check() and json-c must agree: what the check accepts, json-c parses; what json-c then
 * writes, the check accepts, and it is the same value.
 */
#include "fuzz.h"

#include <string.h>

#include "protocol/limits.h"
#include "protocol/message.h"

/* Writes the value, reads it back, and requires that nothing changed. Takes the value. */
static void require_round_trip(struct json_object *value)
{
    const struct json_text_limits limits = { .depth = PROTOCOL_DEPTH_MAX + 1, .values = SIZE_MAX };
    struct json_text_fault fault;
    struct json_object *again;
    const char *text, *text_again;
    size_t length, length_again;

    text = message_text(value, &length);
    REQUIRE(json_text_check(text, length, limits, &fault) == 0);
    REQUIRE(!memchr(text, '\n', length));

    again = json_tokener_parse(text);
    text_again = message_text(again, &length_again);
    REQUIRE(json_object_equal(value, again));
    REQUIRE(length == length_again && memcmp(text, text_again, length) == 0);

    json_object_put(again);
    json_object_put(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json_text_limits limits = { .depth = PROTOCOL_DEPTH_MAX,
                                             .values = PROTOCOL_VALUES_MAX };
    const char *line = (const char *)data;
    struct json_text_fault fault = { .offset = SIZE_MAX };
    struct json_object *value = NULL;
    struct message_request request;
    const char *why;
    int r;

    if (json_text_check(line, size, limits, &fault) < 0) {
        REQUIRE(fault.offset <= size && fault.what);
        REQUIRE(message_parse(line, size, &value, &fault) < 0 && !value);
        return 0;
    }
    REQUIRE(message_parse(line, size, &value, &fault) == 0);

    /* the answer is an object around the id, which may be any scalar the peer chose */
    r = message_read_request(value, &request, &why);
    REQUIRE(r < 0 ? !request.method && why : request.method && !why);
    if (r < 0)
        require_round_trip(
            message_new_error(json_object_get(request.id), RPC_INVALID_REQUEST, why, NULL));
    else
        require_round_trip(message_new_request(json_object_get(request.id), request.method,
                                               json_object_get(request.params)));
    require_round_trip(value);
    return 0;
}
