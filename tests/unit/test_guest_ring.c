#include "unit_test.h"

#include <errno.h>
#include <string.h>

#include "captured_console.h"
#include "device/guest_ring.h"
#include "guests/hypercall.h"

enum { MEMORY = 64 * 1024, DESCRIPTOR = 0x2000, DATA = 0x3000, SIZE = 64 };

/* A guest that has a ring of SIZE bytes, and what the VMM has of it. */
struct guest {
    struct guest_memory memory;
    struct guest_ring ring;
    struct captured_console captured;
    struct error err;
};

static void store_32(struct guest *guest, gpa_t address, uint32_t value)
{
    assert_int_equal(guest_memory_write(&guest->memory, address, &value, sizeof(value)), 0);
}

static void store_64(struct guest *guest, gpa_t address, uint64_t value)
{
    assert_int_equal(guest_memory_write(&guest->memory, address, &value, sizeof(value)), 0);
}

static uint32_t consumer(struct guest *guest)
{
    uint32_t value = 0;

    assert_int_equal(
        guest_memory_read(&guest->memory, DESCRIPTOR + RING_CONSUMER_AT, &value, sizeof(value)), 0);
    return value;
}

/* A descriptor that is sound, save what the test breaks. */
static void write_descriptor(struct guest *guest, gpa_t at)
{
    store_32(guest, at + RING_MAGIC_AT, RING_MAGIC);
    store_32(guest, at + RING_SIZE_AT, SIZE);
    store_64(guest, at + RING_DATA_AT, DATA);
}

static int set_up(void **state)
{
    static struct guest guest;

    guest = (struct guest){ 0 };
    captured_console_init(&guest.captured);
    if (guest_memory_init(&guest.memory, 0, MEMORY, &guest.err) < 0)
        return -1;
    write_descriptor(&guest, DESCRIPTOR);
    *state = &guest;
    return 0;
}

static int tear_down(void **state)
{
    struct guest *guest = *state;

    guest_memory_deinit(&guest->memory);
    return 0;
}

static int open_at(struct guest *guest, gpa_t at)
{
    return guest_ring_open(&guest->ring, &guest->memory, at, &guest->err);
}

static void open_ring(struct guest *guest)
{
    assert_int_equal(open_at(guest, DESCRIPTOR), 0);
}

/* What the guest does to print: the bytes, then the producer. position: of the first of them. */
static void print(struct guest *guest, uint32_t position, const char *text)
{
    for (; *text; text++, position++)
        assert_int_equal(guest_memory_write(&guest->memory, DATA + position % SIZE, text, 1), 0);
    store_32(guest, DESCRIPTOR + RING_PRODUCER_AT, position);
}

static int drain(struct guest *guest)
{
    return guest_ring_drain(&guest->ring, &guest->memory, &guest->captured.console, &guest->err);
}

static void assert_refused(struct guest *guest, gpa_t at, const char *expected)
{
    assert_int_equal(open_at(guest, at), -EINVAL);
    assert_string_equal(guest->err.text, expected);
    assert_int_equal(guest->ring.size, 0);
}

/* Taking what is there. */

static void bytes_up_to_the_producer_are_printed_and_the_consumer_says_so(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    print(guest, 0, "hello");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "hello");
    assert_int_equal(consumer(guest), 5);
}

static void what_was_there_before_the_ring_was_handed_over_is_printed(void **state)
{
    struct guest *guest = *state;

    print(guest, 0, "early");
    open_ring(guest);
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "early");
}

static void nothing_new_prints_nothing(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    print(guest, 0, "x");
    drain(guest);
    captured_console_init(&guest->captured);
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "");
}

static void drain_without_a_ring_does_nothing(void **state)
{
    struct guest *guest = *state;

    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "");
}

static void bytes_that_wrap_in_the_data_area_come_in_their_order(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    print(guest, 0, "0123456789012345678901234567890123456789");
    drain(guest);
    captured_console_init(&guest->captured);
    print(guest, 40, "abcdefghijklmnopqrstuvwxyzabcdefghijklmn");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "abcdefghijklmnopqrstuvwxyzabcdefghijklmn");
    assert_int_equal(consumer(guest), 80);
}

static void ring_that_is_full_is_printed_whole(void **state)
{
    struct guest *guest = *state;
    char text[SIZE + 1];

    memset(text, 'f', SIZE);
    text[SIZE] = '\0';
    open_ring(guest);
    print(guest, 0, text);
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, text);
}

static void indices_may_start_anywhere(void **state)
{
    struct guest *guest = *state;

    store_32(guest, DESCRIPTOR + RING_CONSUMER_AT, 1000);
    store_32(guest, DESCRIPTOR + RING_PRODUCER_AT, 1000);
    open_ring(guest);
    assert_int_equal(drain(guest), 0);
    print(guest, 1000, "later");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "later");
    assert_int_equal(consumer(guest), 1005);
}

static void indices_go_round_at_2_to_the_32(void **state)
{
    struct guest *guest = *state;
    const uint32_t start = UINT32_MAX - 2;

    store_32(guest, DESCRIPTOR + RING_CONSUMER_AT, start);
    store_32(guest, DESCRIPTOR + RING_PRODUCER_AT, start);
    open_ring(guest);
    print(guest, start, "around");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "around");
    assert_int_equal(consumer(guest), 3);
}

static void count_written(void *context, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    size_t *count = context;

    for (size_t i = 0; i < size; i++)
        *count += bytes[i] == 'm';
}

static void largest_ring_is_printed_whole(void **state)
{
    enum { LARGE = RING_SIZE_MAX };
    static char text[LARGE];
    struct guest *guest = *state;
    size_t count = 0;
    const struct console console = { .write = count_written, .context = &count };

    guest_memory_deinit(&guest->memory);
    assert_int_equal(guest_memory_init(&guest->memory, 0, 2 * LARGE, &guest->err), 0);
    write_descriptor(guest, DESCRIPTOR);
    store_32(guest, DESCRIPTOR + RING_SIZE_AT, LARGE);
    store_64(guest, DESCRIPTOR + RING_DATA_AT, LARGE); /* up to the last byte of memory */
    memset(text, 'm', LARGE);
    assert_int_equal(guest_memory_write(&guest->memory, LARGE, text, LARGE), 0);
    store_32(guest, DESCRIPTOR + RING_CONSUMER_AT, 12345);
    open_ring(guest);
    store_32(guest, DESCRIPTOR + RING_PRODUCER_AT, LARGE + 12345);
    assert_int_equal(guest_ring_drain(&guest->ring, &guest->memory, &console, &guest->err), 0);
    assert_int_equal(count, LARGE);
}

/* What breaks a ring. */

static void producer_too_far_ahead_ends_the_ring(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    store_32(guest, DESCRIPTOR + RING_PRODUCER_AT, SIZE + 1);
    assert_int_equal(drain(guest), -EBADMSG);
    assert_string_equal(guest->err.text,
                        "the output ring was ended: its producer index is 65, 65 bytes past the "
                        "consumer's 0, more than the ring can hold");
    assert_printed(&guest->captured, "");
    print(guest, 0, "too late");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "");
}

static void producer_that_goes_back_ends_the_ring(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    print(guest, 0, "abc");
    assert_int_equal(drain(guest), 0);
    store_32(guest, DESCRIPTOR + RING_PRODUCER_AT, 2);
    assert_int_equal(drain(guest), -EBADMSG);
}

static void consumer_that_the_guest_changes_is_not_believed(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    print(guest, 0, "abc");
    assert_int_equal(drain(guest), 0);
    store_32(guest, DESCRIPTOR + RING_CONSUMER_AT, 0xffffff00);
    print(guest, 3, "def");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "abcdef");
    assert_int_equal(consumer(guest), 6);
}

static void descriptor_is_read_once(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    store_32(guest, DESCRIPTOR + RING_MAGIC_AT, 0);
    store_32(guest, DESCRIPTOR + RING_SIZE_AT, UINT32_MAX);
    store_64(guest, DESCRIPTOR + RING_DATA_AT, UINT64_MAX - 3);
    print(guest, 0, "still here");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "still here");
}

/* The consumer lies in the data: what is printed is what was there, whatever comes of it. */
static void data_may_lie_over_the_descriptor(void **state)
{
    struct guest *guest = *state;

    store_64(guest, DESCRIPTOR + RING_DATA_AT, DESCRIPTOR + RING_CONSUMER_AT);
    open_ring(guest);
    store_32(guest, DESCRIPTOR + RING_PRODUCER_AT, SIZE);
    assert_int_equal(drain(guest), 0);
    assert_int_equal(guest->captured.length, SIZE);
    assert_int_equal(consumer(guest), SIZE);
}

/* What is no ring. */

static void wrong_magic_is_refused(void **state)
{
    struct guest *guest = *state;

    store_32(guest, DESCRIPTOR + RING_MAGIC_AT, 0x52494e47);
    assert_refused(guest, DESCRIPTOR, "its magic is 0x52494e47, not 0x474e4952");
}

static void features_that_do_not_exist_are_refused(void **state)
{
    struct guest *guest = *state;

    store_32(guest, DESCRIPTOR + RING_FEATURES_AT, 0x80000000);
    assert_refused(guest, DESCRIPTOR, "its features are 0x80000000 and 0x0, not 0");
    store_32(guest, DESCRIPTOR + RING_FEATURES_AT, 0);
    store_32(guest, DESCRIPTOR + RING_RESERVED_AT, 1);
    assert_refused(guest, DESCRIPTOR, "its features are 0x0 and 0x1, not 0");
}

static void size_that_cannot_be_is_refused(void **state)
{
    static const struct {
        uint32_t size;
        const char *text;
    } rows[] = {
        { 0, "its size is 0, no power of two from 64 to 1048576 bytes" },
        { 32, "its size is 32, no power of two from 64 to 1048576 bytes" },
        { 63, "its size is 63, no power of two from 64 to 1048576 bytes" },
        { 65, "its size is 65, no power of two from 64 to 1048576 bytes" },
        { 96, "its size is 96, no power of two from 64 to 1048576 bytes" },
        { 0x200000, "its size is 2097152, no power of two from 64 to 1048576 bytes" },
        { 0x80000000, "its size is 2147483648, no power of two from 64 to 1048576 bytes" },
        { UINT32_MAX, "its size is 4294967295, no power of two from 64 to 1048576 bytes" },
    };
    struct guest *guest = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        store_32(guest, DESCRIPTOR + RING_SIZE_AT, rows[i].size);
        assert_refused(guest, DESCRIPTOR, rows[i].text);
    }
}

static void data_that_is_not_all_memory_is_refused(void **state)
{
    static const struct {
        uint64_t data;
        const char *text;
    } rows[] = {
        { MEMORY - SIZE + 1, "its 64 bytes of data at 0xffc1 are not all memory" },
        { MEMORY, "its 64 bytes of data at 0x10000 are not all memory" },
        { UINT64_MAX, "its 64 bytes of data at 0xffffffffffffffff are not all memory" },
        { UINT64_MAX - SIZE + 1, "its 64 bytes of data at 0xffffffffffffffc0 are not all memory" },
    };
    struct guest *guest = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        store_64(guest, DESCRIPTOR + RING_DATA_AT, rows[i].data);
        assert_refused(guest, DESCRIPTOR, rows[i].text);
    }
}

static void data_may_be_unaligned_and_end_with_memory(void **state)
{
    struct guest *guest = *state;

    store_64(guest, DESCRIPTOR + RING_DATA_AT, MEMORY - SIZE);
    open_ring(guest);
    store_64(guest, DESCRIPTOR + RING_DATA_AT, DATA + 1);
    open_ring(guest);
}

static void descriptor_that_is_not_aligned_is_refused(void **state)
{
    struct guest *guest = *state;

    write_descriptor(guest, DESCRIPTOR + 4);
    assert_refused(guest, DESCRIPTOR + 4, "its descriptor at 0x2004 is not at a multiple of 64");
    assert_refused(guest, DESCRIPTOR + 63, "its descriptor at 0x203f is not at a multiple of 64");
}

static void descriptor_must_be_all_memory(void **state)
{
    struct guest *guest = *state;

    write_descriptor(guest, MEMORY - 128);
    assert_refused(guest, MEMORY - 64, "its descriptor at 0xffc0 is not all memory");
    assert_refused(guest, MEMORY - 128, "its descriptor at 0xff80 is not all memory");
    assert_refused(guest, MEMORY, "its descriptor at 0x10000 is not all memory");
    assert_refused(guest, UINT64_MAX - 63,
                   "its descriptor at 0xffffffffffffffc0 is not all memory");
    assert_refused(guest, UINT64_MAX - 127,
                   "its descriptor at 0xffffffffffffff80 is not all memory");
}

static void descriptor_may_end_with_memory(void **state)
{
    struct guest *guest = *state;

    write_descriptor(guest, MEMORY - RING_DESCRIPTOR_SIZE);
    assert_int_equal(open_at(guest, MEMORY - RING_DESCRIPTOR_SIZE), 0);
}

static void refused_ring_leaves_the_one_before(void **state)
{
    struct guest *guest = *state;

    open_ring(guest);
    assert_int_equal(open_at(guest, DESCRIPTOR + 1), -EINVAL);
    print(guest, 0, "the first");
    assert_int_equal(drain(guest), 0);
    assert_printed(&guest->captured, "the first");
}

int main(void)
{
#define RING_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RING_TEST(bytes_up_to_the_producer_are_printed_and_the_consumer_says_so),
        RING_TEST(what_was_there_before_the_ring_was_handed_over_is_printed),
        RING_TEST(nothing_new_prints_nothing),
        RING_TEST(drain_without_a_ring_does_nothing),
        RING_TEST(bytes_that_wrap_in_the_data_area_come_in_their_order),
        RING_TEST(ring_that_is_full_is_printed_whole),
        RING_TEST(indices_may_start_anywhere),
        RING_TEST(indices_go_round_at_2_to_the_32),
        RING_TEST(largest_ring_is_printed_whole),
        RING_TEST(producer_too_far_ahead_ends_the_ring),
        RING_TEST(producer_that_goes_back_ends_the_ring),
        RING_TEST(consumer_that_the_guest_changes_is_not_believed),
        RING_TEST(descriptor_is_read_once),
        RING_TEST(data_may_lie_over_the_descriptor),
        RING_TEST(wrong_magic_is_refused),
        RING_TEST(features_that_do_not_exist_are_refused),
        RING_TEST(size_that_cannot_be_is_refused),
        RING_TEST(data_that_is_not_all_memory_is_refused),
        RING_TEST(data_may_be_unaligned_and_end_with_memory),
        RING_TEST(descriptor_that_is_not_aligned_is_refused),
        RING_TEST(descriptor_must_be_all_memory),
        RING_TEST(descriptor_may_end_with_memory),
        RING_TEST(refused_ring_leaves_the_one_before),
    };

    return cmocka_run_group_tests_name("guest_ring", tests, NULL, NULL);
}
