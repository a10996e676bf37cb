#include "worker/sources.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/escape.h"

DEFINE_CLEANUP(struct sources *, sources_free);

/* How often a guest that waits for its files looks whether it is to end: a signal may come just
 * before the wait. */
enum { LOOK_MS = 100 };

void sources_free(struct sources *sources)
{
    if (!sources)
        return;
    for (size_t i = 0; i < DEFINITION_SOURCES_MAX; i++)
        if (sources->fds[i] >= 0)
            close(sources->fds[i]);
    free(sources);
}

/* What a source is called in sentences. */
static const char *kind_of(const struct definition *definition, size_t source)
{
    if (source == 0)
        return "the image";
    return source == 1 && definition->flags & DEFINITION_INITRD ? "the initrd" : "a module";
}

/* The parameter of the start. */
static const char *parameter_of(const struct definition *definition, size_t source)
{
    if (source == 0)
        return "image";
    return source == 1 && definition->flags & DEFINITION_INITRD ? "initrd" : "modules";
}

static int check_file(const char *what, int fd, uint64_t *ret_size, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set(err, -ENOEXEC, "cannot look at %s: %s", what, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, -ENOEXEC, "%s is a directory", what);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -ENOEXEC, "%s is not a regular file", what);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

/* Whether somebody asked the guest to end, which carries out no request before it runs. */
static bool is_to_end(struct guest *guest)
{
    struct request *request;

    while (!atomic_load(&guest->end) && (request = request_queue_take(&guest->requests))) {
        if (request->kind == REQUEST_END)
            guest_note_end(guest, &request->end);
        free(request);
    }
    return atomic_load(&guest->end) != 0;
}

static int wait_for_message(struct guest *guest, struct error *err)
{
    struct pollfd pollfd = { .fd = guest->supply_fd, .events = POLLIN };

    while (poll(&pollfd, 1, LOOK_MS) <= 0)
        if (is_to_end(guest))
            return error_set(err, -ECANCELED, "it was to end before it had its files");
    return 0;
}

static int take_message(struct guest *guest, struct sources *sources, struct link_message *message,
                        struct error *err)
{
    struct link_source source;
    const char *parameter;

    link_message_read(message, &source, sizeof(source));
    if (source.head.type != LINK_SOURCE ||
        source.source >= definition_source_count(&guest->definition) ||
        sources->fds[source.source] >= 0)
        return error_set(err, -ENOEXEC, "what was to bring its files makes no sense");
    parameter = parameter_of(&guest->definition, source.source);
    source.text[sizeof(source.text) - 1] = '\0';
    if (source.error == -EINVAL)
        return error_set_about(err, parameter, -EINVAL, "parameter '%s': %s", parameter,
                               source.text);
    if (source.error < 0)
        return error_set(err, -ENOEXEC, "%s", source.text);
    sources->fds[source.source] = link_message_take_fd(message, 0);
    if (sources->fds[source.source] < 0)
        return error_set(err, -ENOEXEC, "%s did not come: there are no descriptors left",
                         kind_of(&guest->definition, source.source));
    return 0;
}

static int receive_one(struct guest *guest, struct sources *sources, struct link_message *message,
                       struct error *err)
{
    int r = link_receive(guest->supply_fd, message);

    if (r == -EAGAIN)
        return wait_for_message(guest, err);
    if (r < 0)
        return error_set(err, -ENOEXEC, "its files did not come: what was to bring them is gone");
    r = take_message(guest, sources, message, err);
    link_message_release(message);
    return r < 0 ? r : 1;
}

static int receive_all(struct guest *guest, struct sources *sources, struct error *err)
{
    /* too large for this thread's stack */
    _cleanup_free_ struct link_message *message = malloc(sizeof(*message));
    size_t count = definition_source_count(&guest->definition);

    if (!message)
        return error_set(err, -ENOMEM, "out of memory");
    while (count > 0) {
        int r = receive_one(guest, sources, message, err);

        if (r < 0)
            return r;
        count -= (size_t)r;
    }
    return 0;
}

static int fill_file(struct guest *guest, struct sources *sources, size_t source,
                     struct image_file *ret, struct error *err)
{
    const char *name = guest->texts.sources[source].name;

    escape_text(name, strlen(name), sources->names[source], sizeof(sources->names[source]));
    ret->fd = sources->fds[source];
    ret->name = sources->names[source];
    return check_file(kind_of(&guest->definition, source), ret->fd, &ret->size, err);
}

static int fill_request(struct guest *guest, struct sources *sources, struct error *err)
{
    const struct definition *definition = &guest->definition;
    struct image_request *request = &sources->request;
    size_t source = 0;
    int r;

    *request = (struct image_request){
        .format = (enum image_format)definition->format,
        .mode_given = (definition->flags & DEFINITION_MODE) != 0,
        .mode = (enum boot_mode)definition->mode,
        .load_given = (definition->flags & DEFINITION_LOAD) != 0,
        .load = definition->load,
        .entry_given = (definition->flags & DEFINITION_ENTRY) != 0,
        .entry = definition->entry,
        .append = guest->texts.append,
        .has_initrd = (definition->flags & DEFINITION_INITRD) != 0,
        .modules = sources->modules,
        .module_count = definition->module_count,
    };
    r = fill_file(guest, sources, source++, &request->image, err);
    if (r == 0 && request->has_initrd)
        r = fill_file(guest, sources, source++, &request->initrd, err);
    for (size_t i = 0; r == 0 && i < definition->module_count; i++, source++) {
        sources->modules[i].arguments = guest->texts.sources[source].arguments;
        r = fill_file(guest, sources, source, &sources->modules[i].file, err);
    }
    return r;
}

int sources_receive(struct guest *guest, struct sources **ret, struct error *err)
{
    _cleanup_(sources_freep) struct sources *sources = calloc(1, sizeof(*sources));
    int r;

    if (!sources)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < DEFINITION_SOURCES_MAX; i++)
        sources->fds[i] = -1;
    r = receive_all(guest, sources, err);
    close(TAKE_FD(guest->supply_fd));
    if (r == 0)
        r = fill_request(guest, sources, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(sources);
    return 0;
}
