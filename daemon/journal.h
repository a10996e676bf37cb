/*
 * Journal: where the daemon's log lines go, with fields, if its stderr leads there.
 */
#pragma once

/* Finds out where stderr leads (systemd.exec(5): $JOURNAL_STREAM), and if it is the journal, makes
 * that the log's sink. Main, before the first line. */
void journal_open(void);
