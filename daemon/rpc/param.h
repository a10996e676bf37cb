/*
 * Parameters: one table per method says what it takes; one loop checks it and fills the method's
 * struct, so that a handler only ever sees values of the right type and range.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct json_object;
struct registry;
struct vm;

enum rpc_param_type {
    RPC_END,
    RPC_BOOL,     /* bool */
    RPC_UINT,     /* uint64_t; min..max */
    RPC_TEXT,     /* const char *, UTF-8 without NUL; NULL if left out */
    RPC_WORD,     /* unsigned: the value that `words` gives it */
    RPC_VM,       /* struct vm *; NULL if left out */
    RPC_POSITION, /* struct rpc_position */
    RPC_IMAGE,    /* struct rpc_image */
    RPC_IMAGES,   /* struct rpc_images; at most max of them */
};

enum { RPC_PARAM_TYPE_COUNT = RPC_IMAGES + 1 };

/* A word of the wire, and what the method's struct gets for it. */
struct rpc_word {
    const char *word; /* NULL: the end of a table */
    unsigned value;
};

enum rpc_requirement { RPC_OPTIONAL, RPC_REQUIRED };

/* A row. Rows that cannot have a value for a field leave it 0. */
struct rpc_param {
    const char *name;
    enum rpc_param_type type;
    size_t offset; /* in the method's struct */
    enum rpc_requirement requirement;
    uint64_t min;
    uint64_t max;
    uint64_t fallback;            /* RPC_UINT, RPC_BOOL and RPC_WORD: if left out */
    const struct rpc_word *words; /* RPC_WORD */
};

#define RPC_PARAMS_END                                                                             \
    {                                                                                              \
        .type = RPC_END                                                                            \
    }

/* Where in a VM's output to start. */
struct rpc_position {
    enum rpc_position_kind {
        RPC_FROM_START, /* also if left out */
        RPC_FROM_END,
        RPC_FROM_OFFSET, /* absolute */
        RPC_FROM_LAST,   /* the last `value` bytes */
    } kind;
    uint64_t value;
};

/* Where an image comes from: exactly one of the three. */
struct rpc_image {
    enum rpc_image_kind { RPC_IMAGE_FD, RPC_IMAGE_DATA, RPC_IMAGE_PATH } kind;
    struct json_object *data; /* a string */
    const char *path;
    const char *name;      /* as given, or NULL */
    const char *arguments; /* of one among several: as given, or NULL */
};

struct rpc_images {
    struct json_object *array; /* NULL: none; each read by rpc_images_at() */
    size_t count;
};

/* One of the images of a parameter that was read. */
struct rpc_image rpc_images_at(const struct rpc_images *images, size_t index);

/* What went wrong with which parameter. */
struct rpc_param_fault {
    const char *parameter;     /* static, or the request's; NULL: with all of them */
    struct json_object *value; /* the request's; NULL: there is none */
    struct error error;        /* -EINVAL or -ESRCH; -ENOMEM: there is no telling */
};

/*
 * Checks params (object, array or NULL) against a table and fills the struct, which is zeroed
 * first. What is stored belongs to params and registry. Errors: the fault's.
 */
int rpc_params_read(const struct rpc_param *table, struct json_object *params,
                    const struct registry *registry, void *ret, size_t size,
                    struct rpc_param_fault *fault);

/* The value given for the row called name, or NULL. */
struct json_object *rpc_params_value(const struct rpc_param *table, struct json_object *params,
                                     const char *name);

/* Resolves a position in a VM's output. Errors: -ERANGE. */
int rpc_position_resolve(const struct rpc_position *position, const struct vm *vm,
                         uint64_t *ret_offset, struct error *err);
