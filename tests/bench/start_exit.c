/*
 * What vmmd adds to a VM's life: start to exit of a guest that halts at once, asked for by a
 * connected client, beside the same VM made, run and taken down by bare KVM calls in one process.
 *
 * Both sides take turns within one run, so that a noisy machine is noisy for both.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "bare_vm.h"
#include "daemon_under_test.h"

enum { ROUNDS = 40, LIVES_PER_ROUND = 10, WARM_UP_ROUNDS = 2 };

/* The guest that ends at once. */
struct image {
    const char *path;
    unsigned char bytes[64];
    size_t size;
};

struct samples {
    int count;
    double us[ROUNDS * LIVES_PER_ROUND];
};

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void add(struct samples *samples, double us)
{
    samples->us[samples->count++] = us;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static double quantile(struct samples *samples, double q)
{
    qsort(samples->us, (size_t)samples->count, sizeof(samples->us[0]), compare);
    return samples->us[(int)(q * (samples->count - 1))];
}

static double mean(const struct samples *samples)
{
    double sum = 0;

    for (int i = 0; i < samples->count; i++)
        sum += samples->us[i];
    return sum / samples->count;
}

static int open_image(const struct image *image)
{
    int fd = open(image->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        err(1, "%s", image->path);
    return fd;
}

static void read_image(struct image *image)
{
    int fd = open_image(image);
    ssize_t size = read(fd, image->bytes, sizeof(image->bytes));

    if (size <= 0 || size == sizeof(image->bytes))
        errx(1, "%s: not below %zu bytes", image->path, sizeof(image->bytes));
    image->size = (size_t)size;
    close(fd);
}

static void live_bare(struct samples *samples, int kvm_fd, const struct image *image)
{
    double start = now_us();

    bare_vm_run(kvm_fd, image->bytes, image->size);
    add(samples, now_us() - start);
}

static void live_in_daemon(struct samples *samples, struct daemon_under_test *daemon,
                           const struct image *image)
{
    struct json_object *started, *record, *id;
    double start = now_us();
    int fd = open_image(image);

    started = daemon_under_test_call(daemon, fd,
                                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vm.start\","
                                     "\"params\":{\"image\":{\"fd\":true}}}");
    close(fd);
    json_object_object_get_ex(started, "id", &id);
    record = daemon_under_test_call(
        daemon, -1,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"vm.wait\",\"params\":[%" PRId64 "]}",
        json_object_get_int64(id));
    json_object_put(started);
    json_object_put(record);
    add(samples, now_us() - start);
}

static void report(const char *what, struct samples *samples)
{
    printf("%-28s mean %7.0f us, median %7.0f us, 90%% below %7.0f us\n", what, mean(samples),
           quantile(samples, 0.5), quantile(samples, 0.9));
}

int main(int argc, char **argv)
{
    static struct samples bare, in_daemon;
    struct daemon_under_test *daemon;
    struct image image;
    int kvm_fd;

    if (argc != 3)
        errx(2, "usage: %s VMMD MINIMAL.BIN", argv[0]);
    image.path = argv[2];
    read_image(&image);
    kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm_fd < 0)
        err(1, "/dev/kvm");
    daemon = daemon_under_test_start(argv[1]);

    for (int round = 0; round < ROUNDS; round++) {
        if (round == WARM_UP_ROUNDS)
            bare.count = in_daemon.count = 0;
        for (int i = 0; i < LIVES_PER_ROUND; i++)
            live_bare(&bare, kvm_fd, &image);
        for (int i = 0; i < LIVES_PER_ROUND; i++)
            live_in_daemon(&in_daemon, daemon, &image);
    }
    daemon_under_test_stop(daemon);
    close(kvm_fd);

    report("bare create, run, destroy:", &bare);
    report("vm.start to vm.wait:", &in_daemon);
    printf("ratio: %.2f of the means, %.2f of the medians\n", mean(&in_daemon) / mean(&bare),
           quantile(&in_daemon, 0.5) / quantile(&bare, 0.5));
    return 0;
}
