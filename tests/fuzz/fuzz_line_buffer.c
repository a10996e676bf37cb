/*
 * Fuzz target: the line buffer, against a model that keeps the whole stream.
 *
 * Input: a byte for the limit, a byte for the size of the pieces, the stream.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "protocol/line_buffer.h"

enum { STREAM_MAX = 1024 }; /* the model searches it again for every piece */

struct model {
    const char *stream;
    size_t size; /* bytes that have arrived */
    size_t limit;
    size_t start; /* of the line that comes next */
    bool told;    /* that it is too long */
};

static struct line model_next(struct model *model)
{
    for (;;) {
        const char *text = model->stream + model->start;
        const char *lf = memchr(text, '\n', model->size - model->start);
        size_t length = lf ? (size_t)(lf - text) : model->size - model->start;
        struct line line = {
            .kind = length > model->limit ? LINE_TOO_LONG : LINE_WHOLE,
            .text = text,
            .length = length,
            .offset = model->start,
            .end_offset = model->start + length + (lf ? 1 : 0),
        };
        bool told = model->told;

        if (!lf && (told || line.kind == LINE_WHOLE))
            return (struct line){ .kind = LINE_NONE };
        if (lf)
            model->start = line.end_offset;
        model->told = !lf;
        if (!told)
            return line;
    }
}

static struct line model_last(const struct model *model)
{
    if (model->told || model->start == model->size)
        return (struct line){ .kind = LINE_NONE };
    return (struct line){
        .kind = LINE_WHOLE,
        .text = model->stream + model->start,
        .length = model->size - model->start,
        .offset = model->start,
        .end_offset = model->size,
    };
}

static void require_same(const struct line *line, const struct line *expected)
{
    REQUIRE(line->kind == expected->kind);
    if (line->kind == LINE_NONE)
        return;
    REQUIRE(line->length == expected->length);
    REQUIRE(line->offset == expected->offset);
    REQUIRE(line->end_offset == expected->end_offset);
    REQUIRE(memcmp(line->text, expected->text, line->length) == 0);
}

/* Puts the piece in and takes out every line there is. */
static void feed(struct line_buffer *buffer, struct model *model, const char *piece, size_t size)
{
    struct line line, expected;
    size_t room_size;
    char *room = line_buffer_room(buffer, &room_size);

    REQUIRE(room && room_size >= size); /* a piece and a line at the limit are less than the room */
    memcpy(room, piece, size);
    line_buffer_added(buffer, size);
    model->size += size;
    do {
        line = line_buffer_next(buffer);
        expected = model_next(model);
        require_same(&line, &expected);
    } while (line.kind != LINE_NONE);
    REQUIRE(buffer->end - buffer->start <= buffer->limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line_buffer buffer;
    struct model model;
    struct line line, expected;
    size_t piece_size;

    if (size < 2 || size - 2 > STREAM_MAX)
        return 0;
    model = (struct model){ .stream = (const char *)data + 2, .limit = data[0] + 1u };
    piece_size = data[1] + 1u;
    size -= 2;

    line_buffer_init(&buffer, model.limit);
    while (model.size < size) {
        size_t left = size - model.size;

        feed(&buffer, &model, model.stream + model.size, left < piece_size ? left : piece_size);
    }
    line = line_buffer_last(&buffer);
    expected = model_last(&model);
    require_same(&line, &expected);
    line_buffer_deinit(&buffer);
    return 0;
}
