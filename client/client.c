#include "client.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_code.h"
#include "field.h"
#include "protocol/rpc_error.h"
#include "report.h"
#include "socket_path.h"

void client_deinit(struct client *client)
{
    client->connection = connection_free(client->connection);
}

/* How a user comes to be among those who may connect to a socket. */
static void report_hint_for_access(const char *subject, const char *path)
{
    const struct passwd *user = getpwuid(geteuid());
    const struct group *group = NULL;
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & S_IWGRP) != 0)
        group = getgrgid(st.st_gid);
    if (group && user)
        report_hint("%s is for the group '%s': 'usermod -aG %s %s', as root, then log in anew",
                    subject, group->gr_name, group->gr_name, user->pw_name);
    else
        report_hint("%s is for others: 'ls -l %s' shows whose it is", subject, path);
}

static int connect_named(struct client *client, const char *path)
{
    struct error err;

    if (place_find(&client->place, PLACE_SOCKET, path, &client->connection, &err) == 0)
        return EXIT_CODE_OK;
    report("%s", err.text);
    if (err.code == -EACCES)
        report_hint_for_access("it", path);
    else
        report_hint("'vmmd --socket %s' starts one there; without --socket and $VMMD_SOCKET there "
                    "is a private one",
                    path);
    return EXIT_CODE_NO_DAEMON;
}

/* The system's daemon, or else, be it not there, not answering or not for this user, one's own. */
static int connect_found(struct client *client)
{
    char directory[PATH_MAX];
    struct error err;
    int system =
        place_find(&client->place, PLACE_SOCKET, SOCKET_PATH_SYSTEM, &client->connection, &err);

    if (system == 0)
        return EXIT_CODE_OK;
    if (socket_path_private_directory(directory, &err) == 0 &&
        place_find(&client->place, PLACE_PRIVATE, directory, &client->connection, &err) == 0)
        return EXIT_CODE_OK;

    report("%s", err.text);
    if (err.code == -ENOENT)
        report_hint("set VMMD to the path of vmmd, or VMMD_SOCKET to the socket of one that runs");
    else if (err.code == -ECHILD)
        report_hint("'%s/vmmd.log' says more", directory);
    if (system == -EACCES)
        report_hint_for_access("the system's vmmd at '" SOCKET_PATH_SYSTEM "'", SOCKET_PATH_SYSTEM);
    return EXIT_CODE_NO_DAEMON;
}

int client_connect(struct client *client)
{
    const char *named = socket_path_named(client->socket_option);

    if (client->connection)
        return EXIT_CODE_OK;
    return named ? connect_named(client, named) : connect_found(client);
}

int client_fail(const struct error *err)
{
    report("%s", err->text);
    return err->code == -ECONNRESET ? EXIT_CODE_NO_DAEMON : EXIT_CODE_FAILED;
}

static const struct hint_row {
    enum rpc_error_code code;
    const char *command; /* NULL: any */
    const char *hint;
} hints[] = {
    { RPC_VM_NOT_FOUND, NULL, "'vmmctl list --all' shows all VMs" },
    { RPC_NAME_TAKEN, NULL, "without --name it gets a name of its own" },
    { RPC_WRONG_STATE, "rm", "'vmmctl rm --force' stops it first" },
    { RPC_METHOD_NOT_FOUND, "call", "'vmmctl call rpc.discover' lists the methods" },
    { RPC_SHUTTING_DOWN, NULL, "try again in a moment" },
    { RPC_WORKER_SILENT, NULL, "'vmmctl info --workers' shows the process and its VMs" },
};

static void report_hint_for(const struct client *client, int code)
{
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if ((int)hints[i].code == code &&
            (!hints[i].command || strcmp(hints[i].command, client->command) == 0))
            report_hint("%s", hints[i].hint);
}

int client_refused(struct client *client, struct json_object *error)
{
    int code = (int)field_integer(error, "code");

    if (client->json) {
        _cleanup_json_ struct json_object *answer = json_object_new_object();

        json_object_object_add(answer, "error", json_object_get(error));
        client_print_json(answer);
    }
    report("%s", field_text(error, "message"));
    report_hint_for(client, code);
    return code == RPC_INVALID_PARAMS ? EXIT_CODE_USAGE : EXIT_CODE_FAILED;
}

int client_send(struct client *client, const char *method, struct json_object *params,
                const struct passed_fds *passed, int64_t *ret_id)
{
    struct error err;
    int code = client_connect(client);

    if (code != EXIT_CODE_OK) {
        json_object_put(params);
        return code;
    }
    if (connection_send(client->connection, method, params, passed, ret_id, &err) < 0)
        return client_fail(&err);
    return EXIT_CODE_OK;
}

int client_wait(struct client *client, int64_t id, struct json_object **ret_result)
{
    _cleanup_incoming_ struct incoming answer = { 0 };
    struct error err;

    if (connection_wait_answer(client->connection, id, &answer, &err) < 0)
        return client_fail(&err);
    if (answer.error)
        return client_refused(client, answer.error);
    *ret_result = json_object_get(answer.result);
    return EXIT_CODE_OK;
}

int client_call_with_fds(struct client *client, const char *method, struct json_object *params,
                         const struct passed_fds *passed, struct json_object **ret_result)
{
    int64_t id;
    int code = client_send(client, method, params, passed, &id);

    return code == EXIT_CODE_OK ? client_wait(client, id, ret_result) : code;
}

int client_call(struct client *client, const char *method, struct json_object *params,
                struct json_object **ret_result)
{
    return client_call_with_fds(client, method, params, NULL, ret_result);
}

void client_print_json(struct json_object *value)
{
    puts(json_object_to_json_string_ext(value,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout); /* whoever reads a stream wants each line when it comes */
}

struct json_object *client_vm_params(const char *vm)
{
    struct json_object *params = json_object_new_object();

    json_object_object_add(params, "vm", field_new_text(vm));
    return params;
}
