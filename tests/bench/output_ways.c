/*
 * What each way of printing costs: exits, time and bytes per second.
 *
 * First the same text, the times tables, as hypercalls a piece, a line, and by the ring. Then
 * flood, which prints for ever, by each way for the same time. Both take turns, so that a noisy
 * machine is noisy for all; each figure is the median of its rounds.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#include "daemon_under_test.h"

enum { ROUNDS = 9, FLOOD_MS = 500 };

struct run {
    double bytes, exits, seconds;
};

struct way {
    const char *name;
    const char *image;
    bool coalesce;
    struct run runs[ROUNDS];
};

static struct way tables[] = {
    { .name = "PUTCHAR, PUTNUM, NEWLINE", .image = "multiplication.bin" },
    { .name = "WRITE a line", .image = "multiplication-write.bin" },
    { .name = "ring", .image = "multiplication-ring.bin" },
};

static struct way floods[] = {
    { .name = "UART", .image = "flood-uart.bin" },
    { .name = "UART, coalesced", .image = "flood-uart.bin", .coalesce = true },
    { .name = "PUTCHAR", .image = "flood-putchar.bin" },
    { .name = "WRITE, 32 KiB", .image = "flood-write.bin" },
    { .name = "ring, 256 KiB", .image = "flood-ring.bin" },
};

enum {
    TABLE_COUNT = sizeof(tables) / sizeof(tables[0]),
    FLOOD_COUNT = sizeof(floods) / sizeof(floods[0]),
};

static struct json_object *field(struct json_object *object, const char *name)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, name, &value))
        errx(1, "vmmd's answer has no '%s'", name);
    return value;
}

static struct json_object *start(struct daemon_under_test *daemon, const char *directory,
                                 const struct way *way, int timeout_ms)
{
    struct json_object *started;
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, way->image);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", path);
    started =
        daemon_under_test_call(daemon, fd,
                               "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vm.start\",\"params\":"
                               "{\"image\":{\"fd\":true},\"coalesce\":%s,\"timeout_ms\":%d}}",
                               way->coalesce ? "true" : "false", timeout_ms);
    close(fd);
    return started;
}

static struct run measure(struct daemon_under_test *daemon, const char *directory,
                          const struct way *way, int timeout_ms)
{
    struct json_object *started = start(daemon, directory, way, timeout_ms), *record;
    struct run run;

    record = daemon_under_test_call(
        daemon, -1,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"vm.wait\",\"params\":[%" PRId64 "]}",
        json_object_get_int64(field(started, "id")));
    run = (struct run){
        .bytes = json_object_get_double(field(field(record, "output"), "next")),
        .exits = json_object_get_double(field(record, "exits")),
        .seconds = json_object_get_double(field(record, "uptime_ns")) / 1e9,
    };
    json_object_put(started);
    json_object_put(record);
    return run;
}

static int by_rate(const void *a, const void *b)
{
    const struct run *left = a, *right = b;
    double difference = left->bytes / left->seconds - right->bytes / right->seconds;

    return difference < 0 ? -1 : difference > 0;
}

static void report(struct way *way)
{
    const struct run *median = &way->runs[ROUNDS / 2];

    qsort(way->runs, ROUNDS, sizeof(way->runs[0]), by_rate);
    printf("%-25s %11.0f bytes %8.0f exits %8.2f ms %11.0f bytes/s %9.0f bytes an exit\n",
           way->name, median->bytes, median->exits, median->seconds * 1e3,
           median->bytes / median->seconds, median->bytes / median->exits);
}

int main(int argc, char **argv)
{
    struct daemon_under_test *daemon;

    if (argc != 3)
        errx(2, "usage: %s VMMD GUESTS", argv[0]);
    daemon = daemon_under_test_start(argv[1]);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < TABLE_COUNT; i++)
            tables[i].runs[round] = measure(daemon, argv[2], &tables[i], 60000);
        for (int i = 0; i < FLOOD_COUNT; i++)
            floods[i].runs[round] = measure(daemon, argv[2], &floods[i], FLOOD_MS);
    }
    daemon_under_test_stop(daemon);

    for (int i = 0; i < TABLE_COUNT; i++)
        report(&tables[i]);
    for (int i = 0; i < FLOOD_COUNT; i++)
        report(&floods[i]);
    return 0;
}
