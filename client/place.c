#include "place.h"

#include <errno.h>
#include <stdio.h>

#include "private_daemon.h"

int place_find(struct place *place, enum place_kind kind, const char *path, struct connection **ret,
               struct error *err)
{
    struct place found = { .kind = kind };
    int r;

    if (snprintf(found.path, sizeof(found.path), "%s", path) >= (int)sizeof(found.path))
        return error_set(err, -ENAMETOOLONG, "the path '%.64s...' is too long", path);
    r = place_open(&found, ret, err);
    if (r == 0)
        *place = found;
    return r;
}

int place_open(const struct place *place, struct connection **ret, struct error *err)
{
    switch (place->kind) {
    case PLACE_SOCKET:
        return connection_open(place->path, ret, err);
    case PLACE_PRIVATE:
        return private_daemon_connect(place->path, ret, err);
    case PLACE_UNKNOWN:
        break;
    }
    return error_set(err, -EINVAL, "no vmmd was found before");
}
