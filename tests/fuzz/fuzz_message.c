/*
 * Fuzz target: a line of the wire, from its bytes to the answer.
 *
 * json_text_check() and json-c must agree: what the check accepts, json-c parses. json_read() must
 * make the same value of it, json_write() the same text of that, and the check accept that text.
 */
#include "fuzz.h"

#include <string.h>

#include "protocol/json_writer.h"
#include "protocol/limits.h"
#include "protocol/message.h"

/* json-c's own parser and writer are what the reader and the writer are held to. Takes the value.
 */
static void require_round_trip(struct json_object *value)
{
    const struct json_text_limits limits = { .depth = PROTOCOL_DEPTH_MAX + 1, .values = SIZE_MAX };
    struct json_text_fault fault;
    struct json_object *again;
    const char *theirs;
    size_t length;
    char *text;

    text = json_write(value, &length);
    REQUIRE(text && json_text_check(text, length, limits, &fault) == 0);
    REQUIRE(!memchr(text, '\n', length));

    theirs = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                       JSON_C_TO_STRING_NOSLASHESCAPE);
    REQUIRE(strcmp(text, theirs) == 0);
    again = json_tokener_parse(text);
    REQUIRE(json_object_equal(value, again));

    json_object_put(again);
    json_object_put(value);
    free(text);
}

/* What the line is to json-c. */
static struct json_object *parse_by_json_c(const char *line, size_t size)
{
    struct json_tokener *tokener = json_tokener_new_ex(PROTOCOL_DEPTH_MAX + 1);
    struct json_object *value;

    REQUIRE(tokener);
    value = json_tokener_parse_ex(tokener, line, (int)size);
    /* a number at the top level ends only with the text */
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        value = json_tokener_parse_ex(tokener, "", 1);
    REQUIRE(json_tokener_get_error(tokener) == json_tokener_success);
    json_tokener_free(tokener);
    return value;
}

/* json-c 0.16 takes U+1D800 to U+1DFFF and their like in other planes for halves of a surrogate
 * pair, and replaces them. */
static bool has_replacement(struct json_object *value)
{
    return strstr(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), "\xef\xbf\xbd");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json_text_limits limits = { .depth = PROTOCOL_DEPTH_MAX,
                                             .values = PROTOCOL_VALUES_MAX };
    const char *line = (const char *)data;
    struct json_text_fault fault = { .offset = SIZE_MAX };
    struct json_object *value = NULL, *theirs;
    struct message_request request;
    const char *why;
    int r;

    if (json_text_check(line, size, limits, &fault) < 0) {
        REQUIRE(fault.offset <= size && fault.what);
        REQUIRE(message_parse(line, size, &value, &fault) < 0 && !value);
        return 0;
    }
    REQUIRE(message_parse(line, size, &value, &fault) == 0);
    theirs = parse_by_json_c(line, size);
    REQUIRE(json_object_equal(value, theirs) || has_replacement(theirs));
    json_object_put(theirs);

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
