/* Stands between a process and the system's calls that write, on what lies below one folder.
 *
 * Once `shim_arm` is called, the N-th call of the wanted kind fails with an errno, is cut short, or kills the process;
 * or all calls are written down, with their data, for the power-loss replayer. Linux and glibc; built by shim.py. What
 * makes system calls without the C library passes by: safetensors' own rename, in the midst of a draft.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, PWRITE, FSYNC, FDATASYNC, RENAME, TRUNCATE, CREATE, LINK, UNLINK, MKDIR, ACK, KINDS };

static char root[PATH_MAX]; /* empty: not armed */
static int wanted = -1, error_, short_, forever, log_ = -1;
static long nth, counts[KINDS];
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* `kind` -1: none is to fail. `error` 0: the process is killed before the call; `cut`: half of the data is written. */
void shim_arm(const char *folder, int kind, long number, int error, int cut, int ever, int log) {
    pthread_mutex_lock(&mutex);
    memset(counts, 0, sizeof counts);
    wanted = kind, nth = number, error_ = error, short_ = cut, forever = ever, log_ = log;
    snprintf(root, sizeof root, "%s", folder);
    pthread_mutex_unlock(&mutex);
}

long shim_count(int kind) { return counts[kind]; }

static int below(const char *path) {
    size_t length = strlen(root);
    return length && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

/* The absolute path of `path` as openat takes it; "" where there is none. */
static const char *whole(int at, const char *path, char *out) {
    char link[64];
    ssize_t length = 0;
    *out = 0;
    if (!path) return out;
    if (*path == '/') {
        snprintf(out, PATH_MAX, "%s", path);
        return out;
    }
    if (at == AT_FDCWD) {
        if (!getcwd(out, PATH_MAX)) return *out = 0, out;
        length = strlen(out);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        length = readlink(link, out, PATH_MAX - 1);
        if (length < 0) return *out = 0, out;
        out[length] = 0;
    }
    snprintf(out + length, PATH_MAX - length, "/%s", path);
    return out;
}

static const char *of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    out[length < 0 ? 0 : length] = 0;
    return out;
}

static void put(const void *data, size_t size) {
    while (size) {
        long done = syscall(SYS_write, log_, data, size);
        if (done <= 0) abort();
        data = (const char *)data + done, size -= done;
    }
}

/* kind, inode, offset, three lengths; then path, second path, data. */
static void record(int kind, uint64_t inode, int64_t offset, const char *one, const char *two, const void *data, size_t size) {
    if (log_ < 0) return;
    uint64_t head[6] = {kind, inode, offset, strlen(one), two ? strlen(two) : 0, size};
    pthread_mutex_lock(&mutex);
    put(head, sizeof head);
    put(one, head[3]);
    if (two) put(two, head[4]);
    put(data, size);
    pthread_mutex_unlock(&mutex);
}

void shim_acknowledge(const char *line) { record(ACK, 0, 0, line, NULL, "", 0); }

/* 0: go on; 1: errno is set, fail; 2: write only half. */
static int struck(int kind) {
    long now = __sync_add_and_fetch(&counts[kind], 1);
    if (kind != wanted || now < nth || (now > nth && !forever)) return 0;
    if (short_) return 2;
    if (!error_) syscall(SYS_kill, getpid(), SIGKILL);
    errno = error_;
    return 1;
}

static uint64_t inode(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_ino;
}

static uint64_t inode_at(const char *path) {
    struct stat found;
    return lstat(path, &found) ? 0 : found.st_ino;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    char path[PATH_MAX];
    int how = 0;
    if (!*root || !below(of(fd, path))) return real(fd, data, size);
    if ((how = struck(WRITE)) == 1) return -1;
    ssize_t done = real(fd, data, how == 2 && size > 1 ? size / 2 : size);
    if (done > 0) record(WRITE, inode(fd), lseek(fd, 0, SEEK_CUR) - done, path, NULL, data, done);
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    char path[PATH_MAX];
    if (!*root || !below(of(fd, path))) return real(fd, parts, count);
    return count ? write(fd, parts[0].iov_base, parts[0].iov_len) : 0; /* a short one, which is allowed */
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(pwrite64);
    char path[PATH_MAX];
    int how = 0;
    if (!*root || !below(of(fd, path))) return real(fd, data, size, offset);
    if ((how = struck(PWRITE)) == 1) return -1;
    ssize_t done = real(fd, data, how == 2 && size > 1 ? size / 2 : size, offset);
    if (done > 0) record(PWRITE, inode(fd), offset, path, NULL, data, done);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

#define SYNC(name, kind) \
    int name(int fd) { \
        REAL(name); \
        char path[PATH_MAX]; \
        if (!*root || !below(of(fd, path))) return real(fd); \
        if (struck(kind) == 1) return -1; \
        int done = real(fd); \
        if (!done) record(kind, inode(fd), 0, path, NULL, "", 0); \
        return done; \
    }
SYNC(fsync, FSYNC)
SYNC(fdatasync, FDATASYNC)

#define TRUNCATES(name, type) \
    int name(int fd, type size) { \
        REAL(name); \
        char path[PATH_MAX]; \
        if (!*root || !below(of(fd, path))) return real(fd, size); \
        if (struck(TRUNCATE) == 1) return -1; \
        int done = real(fd, size); \
        if (!done) record(TRUNCATE, inode(fd), size, path, NULL, "", 0); \
        return done; \
    }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

static int opened(int (*real)(int, const char *, int, ...), int at, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    if (!*root || !(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !below(whole(at, path, full)))
        return real(at, path, flags, mode);
    int fresh = !inode_at(full);
    if (fresh && struck(CREATE) == 1) return -1;
    int fd = real(at, path, flags, mode);
    if (fd >= 0 && fresh) record(CREATE, inode(fd), 0, full, NULL, "", 0);
    if (fd >= 0 && !fresh && (flags & O_TRUNC)) record(TRUNCATE, inode(fd), 0, full, NULL, "", 0);
    return fd;
}

#define MODE \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more)

int openat64(int at, const char *path, int flags, ...) {
    REAL(openat64);
    MODE;
    return opened(real, at, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE;
    return openat64(at, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE;
    return openat64(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    MODE;
    return openat64(AT_FDCWD, path, flags, mode);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    char one[PATH_MAX], two[PATH_MAX];
    if (!*root || !below(whole(to, new, two))) return syscall(SYS_renameat2, from, old, to, new, flags);
    if (struck(RENAME) == 1) return -1;
    uint64_t moved = inode_at(whole(from, old, one));
    int done = syscall(SYS_renameat2, from, old, to, new, flags);
    if (!done) record(RENAME, moved, 0, one, two, "", 0);
    return done;
}

int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
    REAL(linkat);
    char one[PATH_MAX], two[PATH_MAX];
    if (!*root || !below(whole(to, new, two))) return real(from, old, to, new, flags);
    if (struck(LINK) == 1) return -1;
    int done = real(from, old, to, new, flags);
    if (!done) record(LINK, inode_at(two), 0, whole(from, old, one), two, "", 0);
    return done;
}

int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat);
    char full[PATH_MAX];
    if (!*root || !below(whole(at, path, full))) return real(at, path, flags);
    if (struck(UNLINK) == 1) return -1;
    uint64_t gone = inode_at(full);
    int done = real(at, path, flags);
    if (!done) record(UNLINK, gone, 0, full, NULL, "", 0);
    return done;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int at, const char *path, mode_t mode) {
    REAL(mkdirat);
    char full[PATH_MAX];
    if (!*root || !below(whole(at, path, full))) return real(at, path, mode);
    if (struck(MKDIR) == 1) return -1;
    int done = real(at, path, mode);
    if (!done) record(MKDIR, inode_at(full), 0, full, NULL, "", 0);
    return done;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
