/* LD_PRELOAD: from the FAULT_FROM-th write to a file below FAULT_FOLDER on, FAULT_COUNT writes fail with ENOSPC.
   The first one that fails makes the file FAULT_MARK. Works without privileges. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long written;

static int full(int file) {
    const char *folder = getenv("FAULT_FOLDER"), *from = getenv("FAULT_FROM"), *count = getenv("FAULT_COUNT");
    char link[64], path[PATH_MAX];
    if (!folder || !from || !count) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder))) return 0;
    long number = __atomic_add_fetch(&written, 1, __ATOMIC_SEQ_CST);
    if (number < atol(from) || number >= atol(from) + atol(count)) return 0;
    const char *mark = getenv("FAULT_MARK");
    if (mark) {
        int made = syscall(SYS_openat, AT_FDCWD, mark, O_CREAT | O_WRONLY, 0666);
        if (made >= 0) close(made);
    }
    errno = ENOSPC;
    return 1;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = dlsym(RTLD_NEXT, #name);

ssize_t write(int file, const void *data, size_t size) {
    REAL(write)
    return full(file) ? -1 : real(file, data, size);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t place) {
    REAL(pwrite)
    return full(file) ? -1 : real(file, data, size, place);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t place) {
    REAL(pwrite64)
    return full(file) ? -1 : real(file, data, size, place);
}
ssize_t writev(int file, const struct iovec *data, int count) {
    REAL(writev)
    return full(file) ? -1 : real(file, data, count);
}
ssize_t sendfile(int out, int in, off_t *place, size_t size) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "sendfile");
    return full(out) ? -1 : real(out, in, place, size);
}
