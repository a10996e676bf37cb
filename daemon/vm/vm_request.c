#include "vm/vm_request.h"

#include <stdlib.h>
#include <unistd.h>

void vm_request_deinit(struct vm_request *request)
{
    for (size_t i = 0; i < request->source_count; i++) {
        struct vm_source *source = &request->sources[i];

        if (source->fd >= 0)
            close(source->fd);
        free(source->path);
        free(source->name);
        free(source->arguments);
    }
    request->source_count = 0;
    free(request->append);
    request->append = NULL;
}
