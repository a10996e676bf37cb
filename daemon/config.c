#include "config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "setting.h"
#include "util/cleanup.h"
#include "util/word_list.h"

static const struct setting settings[] = {
#define AT(field)         offsetof(struct config, field)
#define KIB               UINT64_C(1024)
#define GIB               (KIB * 1024 * 1024)
#define PATH_FIELD(field) AT(field), 0, sizeof(((struct config *)NULL)->field)
    { "socket", SETTING_PATH, PATH_FIELD(socket), "/run/vmmd/vmmd.sock", true,
      "the socket to serve on, unless systemd hands one over" },
    { "state-dir", SETTING_PATH, PATH_FIELD(state_dir), "/var/lib/vmmd", true,
      "where records and output of VMs are kept" },
    { "image-dir", SETTING_PATH, PATH_FIELD(image_dir), "", false,
      "where images by path are looked up; empty: they are refused" },
    { "max-vms", SETTING_NUMBER, AT(vm.max_vms), 1, 1000000, "4096", false, "VMs live at once" },
    { "worker-vms", SETTING_NUMBER, AT(workers.worker_vms), 1, SLOTS_MAX, "64", false,
      "VMs in one worker process" },
    { "max-connections", SETTING_NUMBER, AT(rpc.max_connections), 1, 1000000, "1024", false,
      "clients at once" },
    { "memory", SETTING_SIZE, AT(vm.memory), 64 * KIB, 1024 * GIB, "1M", false,
      "guest memory of a VM that asks for none" },
    { "max-memory", SETTING_SIZE, AT(vm.max_memory), 64 * KIB, 1024 * GIB, "1G", false,
      "the most guest memory a VM may ask for" },
    { "ring", SETTING_SIZE, AT(vm.ring), 4 * KIB, GIB, "1M", false,
      "output kept of a VM that asks for none" },
    { "max-ring", SETTING_SIZE, AT(vm.max_ring), 4 * KIB, GIB, "16M", false,
      "the most kept output a VM may ask for" },
    { "retain", SETTING_NUMBER, AT(vm.retain), 0, 1000000, "256", false,
      "ended VMs that stay listed" },
    { "on-stop", SETTING_KEEP, AT(keep_on_stop), 0, 0, "end", false,
      "end or keep: what becomes of VMs when vmmd is stopped" },
    { "idle-exit", SETTING_NUMBER, AT(idle_exit_s), 0, 1000000, "0", false,
      "seconds without VM and client after which to exit; 0: never" },
    { "log-level", SETTING_LEVEL, AT(log_level), 0, 0, "info", false,
      "error, warning, info or debug" },
#undef PATH_FIELD
#undef AT
};

enum { SETTING_COUNT = sizeof(settings) / sizeof(settings[0]) };

static_assert((int)SETTING_COUNT == (int)CONFIG_KEY_COUNT, "config.h says how many there are");

const char *config_key_at(size_t index)
{
    return index < SETTING_COUNT ? settings[index].key : NULL;
}

const char *config_help_at(size_t index)
{
    return settings[index].help;
}

const char *config_default_at(size_t index)
{
    return settings[index].fallback;
}

void config_init(struct config *config)
{
    int r = 0;

    memset(config, 0, sizeof(*config));
    for (size_t i = 0; i < SETTING_COUNT; i++)
        r |= setting_set(&settings[i], config, settings[i].fallback, NULL);
    assert(r == 0);
    (void)r;
}

int config_set(struct config *config, const char *key, const char *value, struct error *err)
{
    char text[256] = "";
    struct word_list keys = WORD_LIST(text);

    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(settings[i].key, key) == 0)
            return setting_set(&settings[i], config, value, err);

    for (size_t i = 0; i < SETTING_COUNT; i++)
        word_list_add(&keys, "%s", settings[i].key);
    return error_set(err, -EINVAL, "there is no setting '%.64s'; there are: %s", key, text);
}

/* Cuts white space at both ends, in place. */
static char *trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return text;
}

static int read_line(struct config *config, char *line, struct error *err)
{
    char *key = trim(line), *value;

    if (key[0] == '\0' || key[0] == '#')
        return 0;
    value = strchr(key, '=');
    if (!value)
        return error_set(err, -EINVAL, "a line must be 'key = value' or a comment (#), not '%.64s'",
                         key);
    *value++ = '\0';
    return config_set(config, trim(key), trim(value), err);
}

static void close_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

int config_read_file(struct config *config, const char *path, struct error *err)
{
    _cleanup_(close_file) FILE *file = fopen(path, "re");
    _cleanup_free_ char *line = NULL;
    unsigned number = 0;
    size_t size = 0;

    if (!file)
        return error_set(err, -errno, "cannot open '%s': %s", path, strerror(errno));
    while (getline(&line, &size, file) >= 0) {
        number++;
        if (read_line(config, line, err) < 0)
            return error_prefix(err, "%s, line %u", path, number);
    }
    if (ferror(file))
        return error_set(err, -EIO, "cannot read '%s': %s", path, strerror(errno));
    return 0;
}

int config_check(struct config *config, struct error *err)
{
    config->vm.image_dir = config->image_dir[0] ? config->image_dir : NULL;
    if (config->vm.memory > config->vm.max_memory)
        return error_set(err, -EINVAL,
                         "'memory' (%" PRIu64 " bytes) is more than 'max-memory' (%" PRIu64 ")",
                         config->vm.memory, config->vm.max_memory);
    if (config->vm.ring > config->vm.max_ring)
        return error_set(err, -EINVAL,
                         "'ring' (%" PRIu64 " bytes) is more than 'max-ring' (%" PRIu64 ")",
                         config->vm.ring, config->vm.max_ring);
    return 0;
}

const char *config_fixed_difference(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (settings[i].fixed && !setting_is_equal(&settings[i], a, b))
            return settings[i].key;
    return NULL;
}

void config_keep_fixed(struct config *config, const struct config *running)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (settings[i].fixed)
            setting_copy(&settings[i], config, running);
}
