/*
 * Start message: what the daemon sends to have a VM started, as the worker has received it.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "memfd.h"
#include "shared/link.h"

/* A definition that there is nothing to refuse in. */
static inline struct definition start_definition(void)
{
    return (struct definition){
        .cpus = 1,
        .memory_bytes = 65536,
        .kernel_memory_bytes = 65536,
        .ring_capacity = 4096,
    };
}

/* Of VM 7, in slot 3; of each source the name is "source N", its arguments are "arguments N".
 * *ret_supply: the other end of the socket by which its files come. */
static inline void start_message_fill(struct link_message *message,
                                      const struct definition *definition, int *ret_supply)
{
    struct link_start start = {
        .vm = { .id = 7, .slot = 3 },
        .definition = *definition,
        .owner = { .uid = 1000, .gid = 100, .pid = 4711 },
        .created_ns = 1700000000000000000,
        .name = "lab",
    };
    static char names[DEFINITION_SOURCES_MAX][2][32];
    struct definition_texts texts = { .append = "a command line" };
    size_t size = 0;
    int ends[2];

    for (unsigned i = 0; i < DEFINITION_SOURCES_MAX; i++) {
        snprintf(names[i][0], sizeof(names[i][0]), "source %u", i);
        snprintf(names[i][1], sizeof(names[i][1]), "arguments %u", i);
        texts.sources[i].name = names[i][0];
        texts.sources[i].arguments = names[i][1];
    }
    memset(message, 0, sizeof(*message));
    assert_int_equal(definition_pack(definition, &texts, (char *)message->bytes + sizeof(start),
                                     DEFINITION_TEXTS_SIZE_MAX, &size),
                     0);
    start.texts_size = (uint32_t)size;
    message->size = sizeof(start) + size;
    start.vm.head = (struct link_head){ .type = LINK_START, .size = (uint32_t)message->size };
    memcpy(message->bytes, &start, sizeof(start));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    message->fds[0] = memfd_of("", 0);
    message->fds[1] = ends[0];
    message->fd_count = 2;
    *ret_supply = ends[1];
}
