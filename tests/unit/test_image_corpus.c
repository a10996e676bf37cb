/*
 * Every file of tests/corpus/image is a test of its own: FORMAT/accept-... is loaded, without any
 * parameter, and FORMAT/reject-... is refused.
 */
#include "unit_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "image_fixture.h"

struct sample {
    char path[PATH_MAX];
    enum image_format format;
    bool accepted;
};

static void sample_is_what_its_name_says(void **state)
{
    const struct sample *sample = *state;
    struct image_fixture fixture;
    struct stat st;
    int fd = open(sample->path, O_RDONLY | O_CLOEXEC);

    assert_int_not_equal(fd, -1);
    assert_int_equal(fstat(fd, &st), 0);
    image_fixture_init(&fixture, "", 0, FIXTURE_MEMORY);
    assert_int_equal(dup2(fd, fixture.request.image.fd), fixture.request.image.fd);
    close(fd);
    fixture.request.image.size = (uint64_t)st.st_size;

    if (sample->accepted)
        image_fixture_accept(&fixture, sample->format);
    else
        assert_int_equal(image_fixture_load(&fixture, sample->format), -ENOEXEC);
    image_fixture_deinit(&fixture);
}

enum { SAMPLES_MAX = 256 };

/* The tests of one program must be one group: TAP has one plan. */
struct suite {
    struct sample samples[SAMPLES_MAX];
    struct CMUnitTest tests[SAMPLES_MAX];
    size_t count;
};

static void add_sample(struct suite *suite, const char *folder, const char *name,
                       enum image_format format)
{
    struct sample *sample = &suite->samples[suite->count];

    snprintf(sample->path, sizeof(sample->path), "%s/%s", folder, name);
    sample->format = format;
    sample->accepted = strncmp(name, "accept-", strlen("accept-")) == 0;
    suite->tests[suite->count++] = (struct CMUnitTest){
        .name = sample->path + strlen(folder) - strlen(image_format_to_string(format)),
        .test_func = sample_is_what_its_name_says,
        .initial_state = sample,
    };
}

static int is_sample(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* 0, or -1: there are none, or too many. */
static int add_samples(struct suite *suite, const char *corpus, enum image_format format)
{
    char folder[PATH_MAX / 2];
    struct dirent **entries;
    int count;

    snprintf(folder, sizeof(folder), "%s/%s", corpus, image_format_to_string(format));
    count = scandir(folder, &entries, is_sample, alphasort);
    if (count <= 0 || suite->count + (size_t)count > SAMPLES_MAX) {
        fprintf(stderr, "'%s': %d samples, not 1 to %d\n", folder, count, SAMPLES_MAX);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        add_sample(suite, folder, entries[i]->d_name, format);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int main(int argc, char **argv)
{
    static struct suite suite;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    for (unsigned i = IMAGE_FLAT; i < IMAGE_FORMAT_COUNT; i++)
        if (add_samples(&suite, argv[1], (enum image_format)i) < 0)
            return 1;
    /* what cmocka_run_group_tests() expands to, for an array whose length is not constant */
    return _cmocka_run_group_tests("image_corpus", suite.tests, suite.count, NULL, NULL);
}
