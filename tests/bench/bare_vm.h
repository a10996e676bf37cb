/*
 * Bare VM: the least that KVM needs to run a real-mode guest to its HLT. What vmmd's own figures
 * are held against.
 */
#pragma once

#include <stddef.h>

/* Makes a VM with 1 MiB, copies the image to 0x1000, runs it until it halts, takes it all down.
 * kvm_fd: /dev/kvm. Ends the process if anything fails. */
void bare_vm_run(int kvm_fd, const void *image, size_t size);
