/*
 * Note: a sentence that is written once, by one thread, and that any may read from then on.
 *
 * Part of the VM's state file (shared/vm_file.h): its layout is fixed.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

enum { NOTE_TEXT_SIZE = 188 };

struct note {
    _Atomic uint32_t written; /* 0: not yet */
    char text[NOTE_TEXT_SIZE];
};

static_assert(sizeof(struct note) == 4 + NOTE_TEXT_SIZE, "layout of state files");

/* The first sentence stays: does nothing where there is one already. The writing thread. */
void note_set(struct note *note, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sentence; NULL: there is none yet. Any thread. */
const char *note_text(const struct note *note);
