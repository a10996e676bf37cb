#include "vm/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "util/cleanup.h"
#include "util/escape.h"

static const char *escape_name(struct sources *sources, const char *text)
{
    char *name = sources->names[sources->name_count++];

    escape_text(text, strlen(text), name, SOURCE_NAME_SIZE);
    return name;
}

/* A file of the image directory and nothing outside of it, whatever the path says. */
static int open_in_directory(const char *directory_path, const char *path, struct error *err)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    _cleanup_close_ int directory = open(directory_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char shown[128]; /* the client's: it goes into the log */
    int fd;

    if (directory < 0)
        return error_set(err, -ENOEXEC, "cannot open the image directory '%s': %s", directory_path,
                         strerror(errno));
    fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
    if (fd < 0)
        return error_set(err, -ENOEXEC, "cannot open '%s' in the image directory: %s",
                         escape_text(path, strlen(path), shown, sizeof(shown)),
                         errno == EXDEV ? "it leads outside of it" : strerror(errno));
    return fd;
}

/* what: "the image", for the sentence. */
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

static int open_source(struct sources *sources, const char *what, const struct vm_config *config,
                       const struct vm_source *source, struct image_file *ret, struct error *err)
{
    ret->fd = source->fd;
    ret->name = escape_name(sources, source->name);
    if (ret->fd < 0) {
        ret->fd = open_in_directory(config->image_directory, source->path, err);
        if (ret->fd < 0)
            return ret->fd;
        sources->opened[sources->opened_count++] = ret->fd;
    }
    return check_file(what, ret->fd, &ret->size, err);
}

int sources_open(struct sources *sources, const struct vm_config *config, struct error *err)
{
    struct image_request *request = &sources->request;
    int r;

    *sources = (struct sources){ .opened_count = 0 };
    *request = (struct image_request){
        .format = config->format,
        .mode_given = config->mode_given,
        .mode = config->mode,
        .load_given = config->load_given,
        .load = config->load,
        .entry_given = config->entry_given,
        .entry = config->entry,
        .append = config->append ? config->append : "",
        .has_initrd = config->has_initrd,
        .modules = sources->modules,
        .module_count = config->module_count,
    };
    r = open_source(sources, "the image", config, &config->image, &request->image, err);
    if (r == 0 && config->has_initrd)
        r = open_source(sources, "the initrd", config, &config->initrd, &request->initrd, err);
    for (size_t i = 0; r == 0 && i < config->module_count; i++) {
        const struct vm_source *source = &config->modules[i];

        sources->modules[i].arguments = source->arguments ? source->arguments : "";
        r = open_source(sources, "a module", config, source, &sources->modules[i].file, err);
    }
    return r;
}

void sources_close(struct sources *sources)
{
    for (size_t i = 0; i < sources->opened_count; i++)
        close(sources->opened[i]);
    sources->opened_count = 0;
}
