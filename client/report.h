/*
 * Report: what vmmctl says, line by line. Whatever is put into a line comes out fit for a terminal
 * (safe_text.h).
 */
#pragma once

/* On stderr, "vmmctl: <sentence>". Standard output is flushed first, so that the order is kept
 * where both go to one place. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* On stderr, "vmmctl: hint: <sentence>": what to do about the line before. */
void report_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* On stdout: a line of what was asked for. */
void report_answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
