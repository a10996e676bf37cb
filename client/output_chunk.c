#include "output_chunk.h"

#include <errno.h>
#include <string.h>

#include "field.h"
#include "protocol/base64.h"

int output_chunk_read(struct json_object *value, struct output_chunk *ret)
{
    const char *text = field_text(value, "data");
    size_t length = strlen(text), size;
    _cleanup_free_ char *bytes = malloc(length / 4 * 3 + 1);
    int r;

    if (!bytes)
        return -ENOMEM;
    r = base64_decode(text, length, bytes, &size);
    if (r < 0)
        return r;
    ret->offset = field_integer(value, "offset");
    ret->lost = field_integer(value, "lost");
    ret->bytes = TAKE_PTR(bytes);
    ret->size = size;
    return 0;
}

void output_chunk_deinit(struct output_chunk *chunk)
{
    free(chunk->bytes);
    chunk->bytes = NULL;
}
