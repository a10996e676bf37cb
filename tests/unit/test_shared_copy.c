#include "unit_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "util/shared_copy.h"

enum { GUARD = 0xee, SPAN = 64, SIZE_MAX_TESTED = 40 };

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i + 1);
}

/* to[at .. at + size) is what from holds, and everything else in it is as before. */
static void assert_only_copied(const unsigned char *to, size_t at, const unsigned char *from,
                               size_t size)
{
    assert_memory_equal(to + at, from, size);
    for (size_t i = 0; i < SPAN; i++)
        if (i < at || i >= at + size)
            assert_int_equal(to[i], GUARD);
}

static void store_copies_any_size_between_any_alignments(void **state)
{
    _Alignas(8) unsigned char from[SPAN], to[SPAN];

    (void)state;
    fill(from, sizeof(from));
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
        for (size_t at = 0; at < 64; at++) {
            size_t to_at = at % 8, from_at = at / 8;

            memset(to, GUARD, sizeof(to));
            shared_store(to + to_at, from + from_at, size);
            assert_only_copied(to, to_at, from + from_at, size);
        }
    }
}

static void load_copies_any_size_between_any_alignments(void **state)
{
    _Alignas(8) unsigned char from[SPAN], to[SPAN];

    (void)state;
    fill(from, sizeof(from));
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
        for (size_t at = 0; at < 64; at++) {
            size_t to_at = at % 8, from_at = at / 8;

            memset(to, GUARD, sizeof(to));
            shared_load(from + from_at, to + to_at, size);
            assert_only_copied(to, to_at, from + from_at, size);
        }
    }
}

/* One writer, one reader, and a counter that is stored before the bytes. */

enum { ROUNDS = 50000, WORDS = 8, BYTES = 7 };

struct exchange {
    _Atomic uint64_t counter;   /* of the round that is being stored */
    uint64_t words[WORDS];      /* shared: word_of(round) in each */
    unsigned char bytes[BYTES]; /* shared: byte_of(round) in each */
    bool torn;                  /* a word was seen that no round stored */
    bool early;                 /* bytes were seen before the counter of their round */
};

static uint64_t word_of(uint64_t round)
{
    return round << 32 | round;
}

static unsigned char byte_of(uint64_t round)
{
    return (unsigned char)(round * 255 / ROUNDS);
}

static void *read_rounds(void *argument)
{
    struct exchange *exchange = argument;
    uint64_t words[WORDS] = { 0 };
    unsigned char bytes[BYTES];

    while (words[WORDS - 1] != word_of(ROUNDS)) {
        uint64_t counter;

        shared_load(exchange->bytes, bytes, sizeof(bytes));
        shared_load(exchange->words, words, sizeof(words));
        counter = atomic_load_explicit(&exchange->counter, memory_order_relaxed);
        for (int i = 0; i < WORDS; i++) {
            exchange->torn |= words[i] >> 32 != (uint32_t)words[i];
            exchange->early |= (uint32_t)words[i] > counter;
        }
        for (int i = 0; i < BYTES; i++)
            exchange->early |= bytes[i] > byte_of(counter);
    }
    return NULL;
}

static void bytes_never_run_ahead_of_a_counter_stored_before_them(void **state)
{
    static struct exchange exchange;
    pthread_t reader;

    (void)state;
    assert_int_equal(pthread_create(&reader, NULL, read_rounds, &exchange), 0);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        unsigned char bytes[BYTES];
        uint64_t words[WORDS];

        memset(bytes, byte_of(round), sizeof(bytes));
        for (int i = 0; i < WORDS; i++)
            words[i] = word_of(round);
        atomic_store_explicit(&exchange.counter, round, memory_order_relaxed);
        shared_store(exchange.bytes, bytes, sizeof(bytes));
        shared_store(exchange.words, words, sizeof(words));
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_false(exchange.torn);
    assert_false(exchange.early);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_copies_any_size_between_any_alignments),
        cmocka_unit_test(load_copies_any_size_between_any_alignments),
        cmocka_unit_test(bytes_never_run_ahead_of_a_counter_stored_before_them),
    };

    return cmocka_run_group_tests_name("shared_copy", tests, NULL, NULL);
}
