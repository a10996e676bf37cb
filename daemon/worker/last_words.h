/*
 * Last words: why a worker dies, written where the daemon finds it. A daemon that took a worker
 * over is not its parent, and gets no exit status.
 */
#pragma once

/* From now on: what a signal or a failed assertion ends this process with goes into the file fd,
 * before it does. Main, before there are threads. */
void last_words_install(int fd);
