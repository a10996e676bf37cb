/*
 * Config: the settings of the daemon, from defaults, a file and the command line, in this order.
 *
 * One table holds them all: a setting's name is its key in the file and its long option.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "rpc/context.h"
#include "util/error.h"
#include "util/log.h"
#include "vm/registry.h"

#define CONFIG_FILE_DEFAULT "/etc/vmmd/vmmd.conf"

struct config {
    char socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    char state_dir[PATH_MAX];
    char image_dir[PATH_MAX]; /* empty: none */
    struct vm_limits vm;      /* vm.image_dir points to image_dir, or is NULL */
    struct worker_pool_limits workers;
    struct rpc_limits rpc;
    bool keep_on_stop;    /* SIGTERM leaves VMs running */
    uint64_t idle_exit_s; /* 0: never */
    enum log_level log_level;
};

/* How many settings there are, for who has a row of each. */
enum { CONFIG_KEY_COUNT = 14 };

void config_init(struct config *config);

/* Sets one setting from text. Errors: -EINVAL, the sentence says what would be accepted. */
int config_set(struct config *config, const char *key, const char *value, struct error *err);

/*
 * Reads a file of `key = value` lines; `#` begins a comment. Errors: -EINVAL ("FILE, line N: ..."),
 * or what opening or reading it says.
 */
int config_read_file(struct config *config, const char *path, struct error *err);

/* Once all is set: what one setting says about another. Errors: -EINVAL. */
int config_check(struct config *config, struct error *err);

/* The names of the settings, in the order of the manual; NULL past the end. */
const char *config_key_at(size_t index);

/* The help text of a setting, and its default as it would be written. */
const char *config_help_at(size_t index);
const char *config_default_at(size_t index);

/* Names a setting in which two configs differ and which a running daemon cannot change, or NULL. */
const char *config_fixed_difference(const struct config *a, const struct config *b);

/* Takes over into config what a running daemon cannot change. */
void config_keep_fixed(struct config *config, const struct config *running);
