#include "unit_test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/output_ring.h"

enum { STEP = OUTPUT_RING_STEP, UNTOUCHED = 0xee, RESERVES_MAX = 16 };

/* A ring in memory, and the disk under it: how much it may take, and what was asked of it. */
struct memory_ring {
    struct output_ring_state state;
    struct output_ring ring;
    uint64_t disk; /* bytes the disk has room for */
    uint64_t reserved[RESERVES_MAX];
    unsigned reserves;
};

static int reserve(void *context, uint64_t size)
{
    struct memory_ring *memory = context;

    if (memory->reserves == RESERVES_MAX)
        abort();
    memory->reserved[memory->reserves++] = size;
    return size <= memory->disk ? 0 : -ENOSPC;
}

static void make_ring(struct memory_ring *memory, uint64_t capacity)
{
    *memory = (struct memory_ring){
        .state = { .capacity = capacity, .size = output_ring_first_size(capacity) },
        .disk = UINT64_MAX,
    };
    memory->ring = (struct output_ring){
        .state = &memory->state,
        .bytes = malloc(capacity),
        .mapped = capacity,
        .reserve = reserve,
        .context = memory,
    };
    assert_non_null(memory->ring.bytes);
    memset(memory->ring.bytes, UNTOUCHED, capacity);
}

static void free_ring(struct memory_ring *memory)
{
    free(memory->ring.bytes);
}

/* The stream that all tests print: each byte follows from its position. */
static unsigned char byte_at(uint64_t position)
{
    return (unsigned char)((position * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/* Appends the next bytes of the stream, in one call. */
static void append(struct output_ring *ring, size_t size)
{
    uint64_t end = output_ring_end(ring);
    unsigned char *data = malloc(size + 1);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(end + i);
    output_ring_append(ring, data, size);
    free(data);
}

/* Reads size bytes at position, and gets those of the stream from start to end. */
static void assert_reads(const struct output_ring *ring, uint64_t position, size_t size,
                         uint64_t start, uint64_t end)
{
    struct output_chunk chunk = { .start = UINT64_MAX };
    unsigned char *data = malloc(size + 1); /* not one more: a sanitizer sees what is too much */

    assert_non_null(data);
    assert_int_equal(output_ring_read(ring, position, data, size, &chunk), 0);
    assert_int_equal(chunk.start, start);
    assert_int_equal(chunk.length, end - start);
    for (size_t i = 0; i < chunk.length; i++)
        assert_int_equal(data[i], byte_at(start + i));
    free(data);
}

/* What it holds is the stream from first to end. */
static void assert_holds(const struct output_ring *ring, uint64_t first, uint64_t end)
{
    assert_int_equal(output_ring_first(ring), first);
    assert_int_equal(output_ring_end(ring), end);
    assert_reads(ring, 0, (size_t)(end - first) + 1, first, end);
}

static void assert_reserved(const struct memory_ring *memory, const uint64_t *sizes, unsigned count)
{
    assert_int_equal(memory->reserves, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(memory->reserved[i], sizes[i]);
}

static void first_reservation_is_a_step_or_a_smaller_capacity(void **state)
{
    (void)state;
    assert_int_equal(output_ring_first_size(OUTPUT_RING_CAPACITY_MIN), OUTPUT_RING_CAPACITY_MIN);
    assert_int_equal(output_ring_first_size(STEP), STEP);
    assert_int_equal(output_ring_first_size(UINT64_C(1) << 40), STEP);
}

/* As where its file was cut short (util/bus_error.h). */
static void append_to_a_ring_whose_counters_are_gone_writes_nothing(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    append(&memory.ring, 100);
    memory.state = (struct output_ring_state){ 0 };
    output_ring_append(&memory.ring, "more", 4);
    assert_int_equal(output_ring_end(&memory.ring), 0);
    assert_int_equal(memory.ring.bytes[0], byte_at(0));
    free_ring(&memory);
}

static void new_ring_holds_nothing(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    assert_holds(&memory.ring, 0, 0);
    free_ring(&memory);
}

static void what_was_appended_is_read_back(void **state)
{
    struct memory_ring memory;
    struct output_chunk chunk;
    char data[32];

    (void)state;
    make_ring(&memory, 4096);
    output_ring_append(&memory.ring, "Hello, ", 7);
    output_ring_append(&memory.ring, "KVM!\n", 5);
    assert_int_equal(output_ring_read(&memory.ring, 0, data, sizeof(data), &chunk), 0);
    assert_int_equal(chunk.start, 0);
    assert_int_equal(chunk.length, 12);
    assert_memory_equal(data, "Hello, KVM!\n", 12);
    free_ring(&memory);
}

static void append_of_nothing_changes_nothing(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    append(&memory.ring, 4096);
    append(&memory.ring, 0);
    assert_holds(&memory.ring, 0, 4096);
    assert_int_equal(memory.reserves, 0);
    free_ring(&memory);
}

static void any_position_and_size_reads_what_follows_it(void **state)
{
    struct memory_ring memory;
    const uint64_t end = 5000, first = end - 4096;

    (void)state;
    make_ring(&memory, 4096);
    append(&memory.ring, (size_t)end);
    for (uint64_t position = 0; position <= end; position++) {
        static const size_t sizes[] = { 0, 1, 2, 7, 8, 100, 4095, 4096, 10000 };
        uint64_t start = position > first ? position : first;

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            assert_reads(&memory.ring, position, sizes[i], start,
                         end - start < sizes[i] ? end : start + sizes[i]);
    }
    free_ring(&memory);
}

static void read_at_the_end_gets_nothing_yet(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    append(&memory.ring, 10);
    assert_reads(&memory.ring, 10, 100, 10, 10);
    append(&memory.ring, 1);
    assert_reads(&memory.ring, 10, 100, 10, 11);
    free_ring(&memory);
}

static void read_of_a_future_position_is_refused(void **state)
{
    struct output_chunk chunk = { .start = 77, .length = 88 };
    struct memory_ring memory;
    char data[16];

    (void)state;
    make_ring(&memory, 4096);
    assert_int_equal(output_ring_read(&memory.ring, 1, data, sizeof(data), &chunk), -ERANGE);
    append(&memory.ring, 5000);
    assert_int_equal(output_ring_read(&memory.ring, 5001, data, sizeof(data), &chunk), -ERANGE);
    assert_int_equal(output_ring_read(&memory.ring, UINT64_MAX, data, sizeof(data), &chunk),
                     -ERANGE);
    assert_int_equal(chunk.start, 77);
    assert_int_equal(chunk.length, 88);
    free_ring(&memory);
}

static void read_after_overflow_starts_at_the_oldest_byte_kept(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    append(&memory.ring, 4096);
    append(&memory.ring, 100);
    assert_reads(&memory.ring, 0, 10, 100, 110);
    assert_reads(&memory.ring, 99, 10, 100, 110);
    assert_reads(&memory.ring, 100, 10, 100, 110);
    assert_reads(&memory.ring, 101, 10, 101, 111);
    free_ring(&memory);
}

static void ring_is_exact_after_each_single_byte(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    for (uint64_t end = 1; end <= 3 * 4096; end++) {
        append(&memory.ring, 1);
        assert_int_equal(output_ring_end(&memory.ring), end);
        assert_int_equal(output_ring_first(&memory.ring), end > 4096 ? end - 4096 : 0);
    }
    assert_holds(&memory.ring, 2 * 4096, 3 * 4096);
    free_ring(&memory);
}

static void appends_of_any_size_wrap_at_any_place(void **state)
{
    static const size_t sizes[] = { 1, 3, 8, 13, 1000, 4093, 4095, 4096, 4097 };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct memory_ring memory;

        make_ring(&memory, 4096);
        for (uint64_t end = sizes[i]; end < 20000; end += sizes[i]) {
            append(&memory.ring, sizes[i]);
            if (sizes[i] >= 1000 || end % 4096 < 16) /* around each wrap, or time is long */
                assert_holds(&memory.ring, end > 4096 ? end - 4096 : 0, end);
        }
        free_ring(&memory);
    }
}

static void append_larger_than_the_ring_keeps_its_last_bytes(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    append(&memory.ring, 10);
    append(&memory.ring, 10 * 4096 + 5);
    assert_holds(&memory.ring, 9 * 4096 + 15, 10 * 4096 + 15);
    free_ring(&memory);
}

static void positions_go_on_beyond_32_bits(void **state)
{
    const uint64_t end = (UINT64_C(1) << 40) + UINT32_MAX;
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4096);
    memory.state.end = memory.state.claimed = end;
    append(&memory.ring, 5000);
    assert_holds(&memory.ring, end + 5000 - 4096, end + 5000);
    free_ring(&memory);
}

static void ring_grows_by_doubling_when_it_is_full_and_not_before(void **state)
{
    static const uint64_t sizes[] = { 2 * STEP, 4 * STEP };
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 4 * STEP);
    append(&memory.ring, STEP - 1);
    append(&memory.ring, 1);
    assert_reserved(&memory, sizes, 0);
    append(&memory.ring, 1);
    assert_reserved(&memory, sizes, 1);
    assert_int_equal(memory.state.size, 2 * STEP);
    append(&memory.ring, STEP - 1);
    assert_reserved(&memory, sizes, 1);
    append(&memory.ring, 1);
    assert_reserved(&memory, sizes, 2);
    assert_int_equal(memory.state.size, 4 * STEP);
    assert_holds(&memory.ring, 0, 2 * STEP + 1);
    free_ring(&memory);
}

static void ring_at_its_capacity_grows_no_more_and_drops_the_oldest(void **state)
{
    static const uint64_t sizes[] = { 2 * STEP };
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 2 * STEP);
    append(&memory.ring, 2 * STEP + 100);
    assert_reserved(&memory, sizes, 1);
    assert_int_equal(memory.state.size, 2 * STEP);
    assert_int_equal(memory.state.capacity, 2 * STEP);
    assert_holds(&memory.ring, 100, 2 * STEP + 100);
    free_ring(&memory);
}

static void one_append_may_pass_several_steps(void **state)
{
    static const uint64_t sizes[] = { 2 * STEP, 4 * STEP, 8 * STEP };
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 64 * STEP);
    append(&memory.ring, 7 * STEP);
    assert_reserved(&memory, sizes, 3);
    assert_holds(&memory.ring, 0, 7 * STEP);
    free_ring(&memory);
}

static void bytes_are_written_only_where_space_is_reserved(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 8 * STEP);
    append(&memory.ring, 2 * STEP);
    for (size_t i = 2 * STEP; i < 8 * STEP; i++)
        assert_int_equal(memory.ring.bytes[i], UNTOUCHED);
    free_ring(&memory);
}

static void full_disk_leaves_the_ring_the_size_it_has(void **state)
{
    static const uint64_t sizes[] = { 2 * STEP, 4 * STEP };
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 64 * STEP);
    memory.disk = 2 * STEP;
    append(&memory.ring, 2 * STEP);
    append(&memory.ring, 100);
    assert_reserved(&memory, sizes, 2);
    assert_int_equal(memory.state.size, 2 * STEP);
    assert_int_equal(memory.state.capacity, 2 * STEP);
    assert_holds(&memory.ring, 100, 2 * STEP + 100);
    free_ring(&memory);
}

static void full_disk_is_asked_only_once(void **state)
{
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 64 * STEP);
    memory.disk = 0;
    for (int i = 0; i < 100; i++)
        append(&memory.ring, STEP / 2);
    assert_int_equal(memory.reserves, 1);
    assert_holds(&memory.ring, 49 * STEP, 50 * STEP);
    free_ring(&memory);
}

static void another_view_of_the_same_memory_reads_the_same(void **state)
{
    struct output_ring view;
    struct memory_ring memory;

    (void)state;
    make_ring(&memory, 2 * STEP);
    append(&memory.ring, 3 * STEP);
    view = (struct output_ring){ .state = &memory.state,
                                 .bytes = memory.ring.bytes,
                                 .mapped = memory.ring.mapped };
    assert_holds(&view, STEP, 3 * STEP);
    free_ring(&memory);
}

/* One writer, several readers that look at every byte. */

enum { READERS = 4, CHUNK_MAX = 8192 };

struct reader {
    pthread_t thread;
    const struct output_ring *ring;
    const _Atomic bool *done; /* nothing more is appended */
    size_t size;              /* of each read */
    uint64_t delivered;
    uint64_t lost;
    const char *fault;
    uint64_t fault_position;
};

static void note_fault(struct reader *reader, const char *fault, uint64_t position)
{
    if (!reader->fault) {
        reader->fault = fault;
        reader->fault_position = position;
    }
}

/* Reads once; returns the next position. */
static uint64_t read_and_verify(struct reader *reader, uint64_t position)
{
    unsigned char data[CHUNK_MAX];
    struct output_chunk chunk;

    if (output_ring_read(reader->ring, position, data, reader->size, &chunk) < 0) {
        note_fault(reader, "the reader's own position was refused", position);
        return position;
    }
    if (chunk.start < position || chunk.length > reader->size)
        note_fault(reader, "the chunk is not what was asked for", position);
    for (size_t i = 0; i < chunk.length; i++)
        if (data[i] != byte_at(chunk.start + i))
            note_fault(reader, "the byte is another one's", chunk.start + i);
    if (chunk.length == 0)
        sched_yield();
    reader->lost += chunk.start - position;
    reader->delivered += chunk.length;
    return chunk.start + chunk.length;
}

static void *read_to_the_end(void *argument)
{
    struct reader *reader = argument;
    uint64_t position = 0;
    bool done;

    do {
        done = atomic_load(reader->done); /* before the read: so what is read then is the last */
        position = read_and_verify(reader, position);
    } while (!reader->fault && !(done && position == output_ring_end(reader->ring)));
    return NULL;
}

/* Appends total bytes in chunks of all sizes, some larger than a small ring. */
static void append_in_chunks(struct output_ring *ring, uint64_t total)
{
    uint64_t random = 1;

    while (output_ring_end(ring) < total) {
        uint64_t left = total - output_ring_end(ring), size;

        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        size = (random >> 40) % (random >> 63 ? 64 : CHUNK_MAX);
        append(ring, (size_t)(size < left ? size : left));
    }
}

static void run_readers(uint64_t capacity, uint64_t total)
{
    static const size_t sizes[READERS] = { 1, 100, 4096, CHUNK_MAX };
    struct reader readers[READERS];
    struct memory_ring memory;
    _Atomic bool done = false;

    make_ring(&memory, capacity);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .ring = &memory.ring, .done = &done, .size = sizes[i] };
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_to_the_end, &readers[i]), 0);
    }
    append_in_chunks(&memory.ring, total);
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);

    for (int i = 0; i < READERS; i++) {
        if (readers[i].fault)
            fail_msg("at %llu: %s", (unsigned long long)readers[i].fault_position,
                     readers[i].fault);
        assert_int_equal(readers[i].delivered + readers[i].lost, total);
        assert_true(readers[i].delivered > 0);
    }
    free_ring(&memory);
}

static void readers_of_a_ring_that_overflows_get_each_byte_or_its_loss(void **state)
{
    (void)state;
    run_readers(4096, UINT64_C(2) << 20);
}

static void readers_of_a_ring_that_grows_get_each_byte(void **state)
{
    (void)state;
    run_readers(UINT64_C(1) << 20, UINT64_C(1) << 20);
}

static void readers_of_a_ring_that_grows_and_then_overflows_get_each_byte_or_its_loss(void **state)
{
    (void)state;
    run_readers(4 * STEP, UINT64_C(2) << 20);
}

/* Counters that somebody else wrote. */

static const uint64_t hostile[] = {
    0,          1,
    4095,       4096,
    4097,       8192,
    12345,      UINT64_C(1) << 40,
    INT64_MAX,  UINT64_C(1) << 63,
    UINT64_MAX, UINT64_MAX - 4095,
};

enum { HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

/* What is read, if anything is, lies in the memory that there is; a sanitizer sees if not. */
static void read_at(const struct output_ring *ring, uint64_t position, unsigned char *data,
                    size_t size)
{
    struct output_chunk chunk = { .start = 77 };
    int r = output_ring_read(ring, position, data, size, &chunk);

    if (r < 0) {
        assert_int_equal(r, -ERANGE);
        assert_int_equal(chunk.start, 77);
    } else {
        assert_in_range(chunk.length, 0, size);
        assert_true(chunk.start >= position);
    }
}

static void counters_that_make_no_sense_are_an_empty_ring(void **state)
{
    unsigned char *data = malloc(8192);
    struct memory_ring memory;

    (void)state;
    assert_non_null(data);
    make_ring(&memory, 4096);
    for (size_t size = 0; size < HOSTILE; size++)
        for (size_t claimed = 0; claimed < HOSTILE; claimed++)
            for (size_t end = 0; end < HOSTILE; end++) {
                memory.state.size = hostile[size];
                memory.state.claimed = hostile[claimed];
                memory.state.end = hostile[end];
                output_ring_first(&memory.ring);
                output_ring_end(&memory.ring);
                for (size_t i = 0; i < HOSTILE; i++)
                    read_at(&memory.ring, hostile[i], data, 8192);
            }
    free(data);
    free_ring(&memory);
}

static void size_beyond_what_is_mapped_is_not_believed(void **state)
{
    struct memory_ring memory;
    struct output_chunk chunk;
    char data[16];

    (void)state;
    make_ring(&memory, 8192);
    append(&memory.ring, 100);
    memory.state.size = 16384;
    assert_int_equal(output_ring_read(&memory.ring, 0, data, sizeof(data), &chunk), -ERANGE);
    memory.state.size = 8192;
    assert_int_equal(output_ring_read(&memory.ring, 0, data, sizeof(data), &chunk), 0);
    free_ring(&memory);
}

static void *write_nonsense(void *argument)
{
    struct memory_ring *memory = argument;

    for (size_t i = 0; i < 300000; i++) {
        atomic_store(&memory->state.size, hostile[i % HOSTILE]);
        atomic_store(&memory->state.claimed, hostile[i / 7 % HOSTILE]);
        atomic_store(&memory->state.end, hostile[i / 3 % HOSTILE]);
    }
    return NULL;
}

static void counters_that_change_while_they_are_read_do_no_harm(void **state)
{
    unsigned char *data = malloc(4096);
    struct memory_ring memory;
    pthread_t writer;

    (void)state;
    assert_non_null(data);
    make_ring(&memory, 4096);
    assert_int_equal(pthread_create(&writer, NULL, write_nonsense, &memory), 0);
    for (size_t i = 0; i < 100000; i++)
        read_at(&memory.ring, hostile[i % HOSTILE], data, 4096);
    assert_int_equal(pthread_join(writer, NULL), 0);
    free(data);
    free_ring(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_reservation_is_a_step_or_a_smaller_capacity),
        cmocka_unit_test(new_ring_holds_nothing),
        cmocka_unit_test(what_was_appended_is_read_back),
        cmocka_unit_test(append_of_nothing_changes_nothing),
        cmocka_unit_test(any_position_and_size_reads_what_follows_it),
        cmocka_unit_test(read_at_the_end_gets_nothing_yet),
        cmocka_unit_test(read_of_a_future_position_is_refused),
        cmocka_unit_test(read_after_overflow_starts_at_the_oldest_byte_kept),
        cmocka_unit_test(ring_is_exact_after_each_single_byte),
        cmocka_unit_test(appends_of_any_size_wrap_at_any_place),
        cmocka_unit_test(append_larger_than_the_ring_keeps_its_last_bytes),
        cmocka_unit_test(positions_go_on_beyond_32_bits),
        cmocka_unit_test(ring_grows_by_doubling_when_it_is_full_and_not_before),
        cmocka_unit_test(ring_at_its_capacity_grows_no_more_and_drops_the_oldest),
        cmocka_unit_test(one_append_may_pass_several_steps),
        cmocka_unit_test(bytes_are_written_only_where_space_is_reserved),
        cmocka_unit_test(full_disk_leaves_the_ring_the_size_it_has),
        cmocka_unit_test(full_disk_is_asked_only_once),
        cmocka_unit_test(another_view_of_the_same_memory_reads_the_same),
        cmocka_unit_test(append_to_a_ring_whose_counters_are_gone_writes_nothing),
        cmocka_unit_test(readers_of_a_ring_that_overflows_get_each_byte_or_its_loss),
        cmocka_unit_test(readers_of_a_ring_that_grows_get_each_byte),
        cmocka_unit_test(readers_of_a_ring_that_grows_and_then_overflows_get_each_byte_or_its_loss),
        cmocka_unit_test(counters_that_make_no_sense_are_an_empty_ring),
        cmocka_unit_test(size_beyond_what_is_mapped_is_not_believed),
        cmocka_unit_test(counters_that_change_while_they_are_read_do_no_harm),
    };

    return cmocka_run_group_tests_name("output_ring", tests, NULL, NULL);
}
