#include "rpc/output_text.h"

#include <assert.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/base64.h"
#include "protocol/json_text.h"
#include "protocol/limits.h"

const struct rpc_word output_encoding_words[] = {
    { "base64", OUTPUT_BASE64 },
    { "utf-8", OUTPUT_UTF8 },
    { 0 },
};

static struct json_object *new_base64(const unsigned char *data, size_t size)
{
    char text[BASE64_LENGTH(PROTOCOL_OUTPUT_MAX)];

    return json_object_new_string_len(text, (int)base64_encode(data, size, text));
}

static struct json_object *new_utf8(const unsigned char *data, size_t size, bool final,
                                    size_t *ret_used)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    char text[PROTOCOL_OUTPUT_MAX * (sizeof(replacement) - 1)];
    size_t used = 0, length = 0;

    while (used < size) {
        int n = utf8_sequence((const char *)data + used, size - used);

        if (n > 0) {
            memcpy(text + length, data + used, (size_t)n);
            length += (size_t)n;
            used += (size_t)n;
        } else if (n == 0 || final) {
            memcpy(text + length, replacement, sizeof(replacement) - 1);
            length += sizeof(replacement) - 1;
            used++;
        } else {
            break; /* the rest of the sequence may come yet */
        }
    }
    *ret_used = used;
    return json_object_new_string_len(text, (int)length);
}

struct json_object *output_text_new(enum output_encoding encoding, const unsigned char *data,
                                    size_t size, bool final, size_t *ret_used)
{
    assert(size <= PROTOCOL_OUTPUT_MAX);
    if (encoding == OUTPUT_UTF8)
        return new_utf8(data, size, final, ret_used);
    *ret_used = size;
    return new_base64(data, size);
}
