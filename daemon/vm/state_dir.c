#include "vm/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/vm_file.h"
#include "util/cleanup.h"
#include "util/lock_file.h"
#include "util/log.h"
#include "util/work_queue.h"

static int open_directory(struct state_dir *dir, const char *path, struct error *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(err, -EIO, "cannot make the state directory '%s': %s", path,
                         strerror(errno));
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0)
        return error_set(err, -EIO, "cannot open the state directory '%s': %s", path,
                         strerror(errno));
    dir->path = strdup(path);
    return dir->path ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int lock_directory(struct state_dir *dir, struct error *err)
{
    int fd = lock_file_open(dir->fd, "lock");

    if (fd == -EWOULDBLOCK)
        return error_set(err, -EBUSY,
                         "another vmmd uses the state directory '%s': stop it, or give this one "
                         "another with --state-dir",
                         dir->path);
    if (fd < 0)
        return error_set(err, -EIO, "cannot write to the state directory '%s': %s", dir->path,
                         strerror(-fd));
    dir->lock_fd = fd;
    return 0;
}

/* The number after the highest id ever given, as text, in a file of its own. */
static int open_next_id(struct state_dir *dir, struct error *err)
{
    char text[32] = "";

    dir->next_id_fd = openat(dir->fd, "next-id", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dir->next_id_fd < 0 || pread(dir->next_id_fd, text, sizeof(text) - 1, 0) < 0)
        return error_set(err, -EIO, "cannot read 'next-id' in the state directory '%s': %s",
                         dir->path, strerror(errno));
    dir->next_id = strtoull(text, NULL, 10);
    if (dir->next_id > VM_FILE_ID_MAX)
        return error_set(err, -EIO,
                         "'next-id' in the state directory '%s' is damaged; without it, ids go on "
                         "after the highest that is there",
                         dir->path);
    if (dir->next_id == 0)
        dir->next_id = 1;
    return 0;
}

int state_dir_open(struct state_dir *dir, const char *path, struct work_queue *queue,
                   struct error *err)
{
    int r;

    *dir = STATE_DIR_NONE;
    dir->queue = queue;
    r = open_directory(dir, path, err);
    if (r == 0)
        r = lock_directory(dir, err);
    if (r == 0)
        r = open_next_id(dir, err);
    if (r < 0)
        state_dir_close(dir);
    return r;
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void state_dir_close(struct state_dir *dir)
{
    close_if_open(&dir->next_id_fd);
    close_if_open(&dir->fd);
    close_if_open(&dir->lock_fd);
    free(dir->path);
    dir->path = NULL;
}

int state_dir_take_id(struct state_dir *dir, uint64_t *ret_id, struct error *err)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%020" PRIu64 "\n", dir->next_id + 1);

    if (pwrite(dir->next_id_fd, text, (size_t)n, 0) != n)
        return error_set(err, -EIO, "cannot write 'next-id' in the state directory '%s': %s",
                         dir->path, strerror(errno));
    *ret_id = dir->next_id++;
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* Takes directory. What the daemon before had discarded goes on the way. */
static int collect_ids(DIR *directory, uint64_t **ret_ids, size_t *ret_count)
{
    size_t count = 0, capacity = 64;
    uint64_t *ids = malloc(capacity * sizeof(*ids));
    struct dirent *entry;

    while (ids && (entry = readdir(directory))) {
        uint64_t id = vm_file_id(entry->d_name);
        uint64_t discarded = vm_file_discarded_id(entry->d_name);

        if (discarded > 0)
            (void)vm_file_remove_discarded(dirfd(directory), discarded); /* else the next time */
        if (id == 0)
            continue;
        if (count == capacity) {
            uint64_t *more = reallocarray(ids, capacity *= 2, sizeof(*ids));

            if (!more)
                free(ids);
            ids = more;
            if (!ids)
                break;
        }
        ids[count++] = id;
    }
    closedir(directory);
    if (!ids)
        return -ENOMEM;
    qsort(ids, count, sizeof(*ids), compare_numbers);
    *ret_ids = ids;
    *ret_count = count;
    return 0;
}

int state_dir_read_ids(struct state_dir *dir, uint64_t **ret_ids, size_t *ret_count,
                       struct error *err)
{
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);

    r = directory ? collect_ids(directory, ret_ids, ret_count) : -errno;
    if (r < 0)
        return error_set(err, -EIO, "cannot read the state directory '%s': %s", dir->path,
                         strerror(-r));
    if (*ret_count > 0 && (*ret_ids)[*ret_count - 1] >= dir->next_id)
        dir->next_id = (*ret_ids)[*ret_count - 1] + 1;
    return 0;
}

struct removal {
    struct work_item item;
    int directory_fd; /* its own: the queue may come to it when the directory is closed */
    uint64_t id;
};

static void remove_file(void *argument)
{
    struct removal *removal = argument;
    int r = vm_file_remove_discarded(removal->directory_fd, removal->id);

    if (r < 0)
        log_warning("cannot delete the state file of VM %" PRIu64 ": %s, leaving that to a restart",
                    removal->id, strerror(-r));
    close(removal->directory_fd);
    free(removal);
}

static int submit_removal(struct state_dir *dir, uint64_t id)
{
    struct removal *removal = calloc(1, sizeof(*removal));

    if (!removal)
        return -ENOMEM;
    removal->item = (struct work_item){ .fn = remove_file, .argument = removal };
    removal->id = id;
    removal->directory_fd = fcntl(dir->fd, F_DUPFD_CLOEXEC, 0);
    if (removal->directory_fd < 0) {
        free(removal);
        return -errno;
    }
    work_queue_submit(dir->queue, &removal->item);
    return 0;
}

void state_dir_remove(struct state_dir *dir, uint64_t id)
{
    int r = vm_file_discard(dir->fd, id);

    if (r == -ENOENT)
        return;
    if (r == 0)
        r = submit_removal(dir, id);
    if (r < 0)
        log_warning("cannot delete the state file of VM %" PRIu64 ": %s", id, strerror(-r));
}
