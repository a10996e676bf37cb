/*
 * Lock file: one process at a time.
 */
#pragma once

/*
 * Opens, or makes, the file at path (relative to directory_fd, openat(2)) and takes its flock(2).
 * One that is just being given up is waited for, two seconds at most: not for the loop thread once
 * it turns. Returns the descriptor, which holds the lock as long as it is open. Errors:
 * -EWOULDBLOCK (another process has it), or what opening it says.
 */
int lock_file_open(int directory_fd, const char *path);
