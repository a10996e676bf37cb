#include "vm/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

#define MAGIC UINT64_C(0x31524744454d4d56) /* "VMMEDGR1" */

enum { LAYOUT = 1 };

/* In the place of the first row. */
struct head {
    uint64_t magic;
    uint32_t layout;
    uint32_t row_size;
    char reserved[sizeof(struct ledger_row) - 16];
};

static_assert(sizeof(struct head) == sizeof(struct ledger_row), "layout of the ledger");

struct ledger {
    int fd;
    struct ledger_row *rows; /* all that the file has, those that are free too */
    size_t count, capacity;
    size_t first_free; /* no row before it is free */
};

DEFINE_CLEANUP(struct ledger *, ledger_close);

static off_t offset_of(size_t index)
{
    return (off_t)((index + 1) * sizeof(struct ledger_row));
}

static bool write_row(const struct ledger *ledger, size_t index)
{
    return pwrite(ledger->fd, &ledger->rows[index], sizeof(ledger->rows[0]), offset_of(index)) ==
           sizeof(ledger->rows[0]);
}

static int grow(struct ledger *ledger)
{
    size_t capacity = ledger->capacity ? ledger->capacity * 2 : 64;
    struct ledger_row *rows = reallocarray(ledger->rows, capacity, sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    ledger->rows = rows;
    ledger->capacity = capacity;
    return 0;
}

static bool is_terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

/* A torn write, or a disk's fault: the daemon is the only one who writes. */
static bool row_is_sound(const struct ledger_row *row)
{
    return is_terminated(row->name, sizeof(row->name)) &&
           is_terminated(row->image, sizeof(row->image)) && row->created_ns >= 0;
}

static int read_rows(struct ledger *ledger)
{
    struct ledger_row row;

    while (pread(ledger->fd, &row, sizeof(row), offset_of(ledger->count)) == sizeof(row)) {
        if (ledger->count == ledger->capacity && grow(ledger) < 0)
            return -ENOMEM;
        if (row.id != 0 && !row_is_sound(&row)) {
            log_warning("a row of the ledger in the state directory is damaged, ignoring it");
            row.id = 0;
        }
        ledger->rows[ledger->count++] = row;
    }
    return 0;
}

static int make(struct ledger *ledger)
{
    const struct head head = {
        .magic = MAGIC,
        .layout = LAYOUT,
        .row_size = sizeof(struct ledger_row),
    };

    if (ftruncate(ledger->fd, 0) < 0)
        return -errno;
    return pwrite(ledger->fd, &head, sizeof(head), 0) == sizeof(head) ? 0 : -EIO;
}

static int open_file(struct ledger *ledger, int directory_fd, bool *ret_made)
{
    struct head head;
    ssize_t n;

    ledger->fd = openat(directory_fd, "ledger", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (ledger->fd < 0)
        return -errno;
    n = pread(ledger->fd, &head, sizeof(head), 0);
    *ret_made = n != sizeof(head) || head.magic != MAGIC || head.layout != LAYOUT ||
                head.row_size != sizeof(struct ledger_row);
    if (*ret_made && n > 0)
        log_warning("the ledger in the state directory is damaged: making it anew, of what the "
                    "VMs' own files say");
    return *ret_made ? make(ledger) : read_rows(ledger);
}

int ledger_open(int directory_fd, struct ledger **ret, bool *ret_made, struct error *err)
{
    _cleanup_(ledger_closep) struct ledger *ledger = calloc(1, sizeof(*ledger));
    int r;

    if (!ledger)
        return error_set(err, -ENOMEM, "out of memory");
    ledger->fd = -1;
    r = open_file(ledger, directory_fd, ret_made);
    if (r < 0)
        return error_set(err, -EIO, "cannot use 'ledger' in the state directory: %s", strerror(-r));
    *ret = TAKE_PTR(ledger);
    return 0;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->fd >= 0)
        close(ledger->fd);
    free(ledger->rows);
    free(ledger);
}

const struct ledger_row *ledger_next(const struct ledger *ledger, size_t *index)
{
    for (; *index < ledger->count; ++*index)
        if (ledger->rows[*index].id != 0)
            return &ledger->rows[*index];
    return NULL;
}

int ledger_add(struct ledger *ledger, const struct ledger_row *row, size_t *ret_index,
               struct error *err)
{
    size_t index = ledger->first_free;

    while (index < ledger->count && ledger->rows[index].id != 0)
        index++;
    if (index == ledger->capacity && grow(ledger) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    ledger->rows[index] = *row;
    if (!write_row(ledger, index)) {
        ledger->rows[index].id = 0;
        return error_set(err, -EIO, "cannot write 'ledger' in the state directory: %s",
                         strerror(errno));
    }
    if (index == ledger->count)
        ledger->count++;
    ledger->first_free = index + 1;
    *ret_index = index;
    return 0;
}

void ledger_end(struct ledger *ledger, size_t index)
{
    ledger->rows[index].ended = 1;
    if (!write_row(ledger, index))
        log_warning("cannot write the end of VM %llu into the ledger: %s",
                    (unsigned long long)ledger->rows[index].id, strerror(errno));
}

void ledger_remove(struct ledger *ledger, size_t index)
{
    ledger->rows[index] = (struct ledger_row){ 0 };
    if (!write_row(ledger, index))
        log_warning("cannot take a VM out of the ledger: %s", strerror(errno));
    if (index < ledger->first_free)
        ledger->first_free = index;
}
