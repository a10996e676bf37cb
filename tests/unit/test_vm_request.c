#include "unit_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memfd.h"
#include "vm/vm_request.h"

static struct vm_request full_request(void)
{
    struct vm_request request = VM_REQUEST_NONE;

    request.append = strdup("console=ttyS0");
    for (size_t i = 0; i < DEFINITION_SOURCES_MAX; i++)
        request.sources[i] = (struct vm_source){
            .kind = (enum vm_source_kind)(i % 3),
            .fd = i % 3 == VM_SOURCE_FILE ? memfd_of("", 0) : -1,
            .path = i % 3 == VM_SOURCE_PATH ? strdup("a.bin") : NULL,
            .name = strdup("a name"),
            .arguments = i > 1 ? strdup("a b c") : NULL,
        };
    request.source_count = DEFINITION_SOURCES_MAX;
    return request;
}

/* A sanitizer sees what is not freed, or twice. */
static void deinit_releases_all_that_it_owns(void **state)
{
    struct vm_request request = full_request();
    int fds[DEFINITION_SOURCES_MAX];

    (void)state;
    for (size_t i = 0; i < DEFINITION_SOURCES_MAX; i++)
        fds[i] = request.sources[i].fd;
    vm_request_deinit(&request);
    for (size_t i = 0; i < DEFINITION_SOURCES_MAX; i++)
        if (fds[i] >= 0)
            assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    assert_int_equal(request.source_count, 0);
    assert_null(request.append);
}

static void deinit_may_be_done_again_and_of_nothing(void **state)
{
    struct vm_request request = full_request();

    (void)state;
    vm_request_deinit(&request);
    vm_request_deinit(&request);
    request = VM_REQUEST_NONE;
    vm_request_deinit(&request);
}

/* As where making one fails halfway: what is not counted yet is nobody's. */
static void sources_that_are_not_counted_are_let_alone(void **state)
{
    struct vm_request request = VM_REQUEST_NONE;
    int fd = memfd_of("", 0);

    (void)state;
    request.sources[0] = (struct vm_source){ .kind = VM_SOURCE_FILE, .fd = fd };
    vm_request_deinit(&request);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deinit_releases_all_that_it_owns),
        cmocka_unit_test(deinit_may_be_done_again_and_of_nothing),
        cmocka_unit_test(sources_that_are_not_counted_are_let_alone),
    };

    return cmocka_run_group_tests_name("vm_request", tests, NULL, NULL);
}
