/*
 * Starts plugins' processes, and takes their ends. Loaded into the agent, and called on the runner threads.
 *
 * A process is started the way `posix_spawn` does it: a child that shares the agent's memory until it executes its
 * program, so that the price does not depend on how much memory that is. Beyond `posix_spawn` the child is born in its
 * cgroup and gives itself its limits and its user before its program begins, so that there is no moment without them,
 * and the thread that starts it never is anybody else.
 *
 * Until it executes its program the child writes to memory that the agent's threads use: it makes system calls and
 * nothing else, and those without the C library, whose `errno` belongs to the thread that it was started from.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* From linux/sched.h, linux/close_range.h and linux/futex.h, which not every C library brings along. */
#define INTO_CGROUP 0x200000000ULL
#define ALL_CLOSE_ON_EXEC 4
#define WAIT_FOR_CHANGE 0

struct clone_arguments {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* System calls without the C library: the result, or an error number below zero. */
#if defined(__x86_64__)

static inline long call(long number, long a, long b, long c, long d, long e) {
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                   : "rcx", "r11", "memory");
  return result;
}

/* The child goes on at `begin`, on the stack of the arguments, and never comes back from there. */
static inline long clone_child(struct clone_arguments *arguments, void (*begin)(void *), void *what) {
  long result;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %[what], %%rdi\n\t"
      "callq *%[begin]\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "0"((long)SYS_clone3), "D"(arguments), "S"(sizeof *arguments), [begin] "r"(begin), [what] "r"(what)
      : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

static inline long call(long number, long a, long b, long c, long d, long e) {
  register long which __asm__("x8") = number;
  register long first __asm__("x0") = a;
  register long second __asm__("x1") = b;
  register long third __asm__("x2") = c;
  register long fourth __asm__("x3") = d;
  register long fifth __asm__("x4") = e;
  __asm__ volatile("svc #0"
                   : "+r"(first)
                   : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth)
                   : "memory");
  return first;
}

static inline long clone_child(struct clone_arguments *arguments, void (*begin)(void *), void *what) {
  register long which __asm__("x8") = SYS_clone3;
  register long first __asm__("x0") = (long)arguments;
  register long second __asm__("x1") = sizeof *arguments;
  __asm__ volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, %[what]\n\t"
      "blr %[begin]\n\t"
      "brk #1\n"
      "1:"
      : "+r"(first)
      : "r"(which), "r"(second), [begin] "r"(begin), [what] "r"(what)
      : "memory");
  return first;
}

#else
#error "a processor that is not known here"
#endif

#define CALL1(number, a) call(number, (long)(a), 0, 0, 0, 0)
#define CALL2(number, a, b) call(number, (long)(a), (long)(b), 0, 0, 0)
#define CALL3(number, a, b, c) call(number, (long)(a), (long)(b), (long)(c), 0, 0)
#define CALL4(number, a, b, c, d) call(number, (long)(a), (long)(b), (long)(c), (long)(d), 0)

/* The kernel's forms of what the C libraries each have their own of. */
#define SIGNALS 64
#define SIGNAL_SET_BYTES 8
struct signal_action { void *handler; unsigned long flags; void *restorer; uint64_t mask; };
struct bounds { uint64_t soft, hard; };

/* Where a start can fail; launcher.ts has the same list. */
enum step { NOWHERE, PIPES, CLONE, SESSION, STDIN, OUTPUTS, USER, FOLDER, PROGRAM, TIME };

/* Places in what comes in and goes out; launcher.ts has the same. */
enum number { HAS_USER, UID, GID, GROUPS, NICE, LIMITS, ARGUMENTS, VARIABLES, STACK_BYTES, IS_OLD_WAY };
enum result { PID, STDOUT, STDERR, FAILED_STEP, ERROR, CGROUP_ERROR, LIMITS_ERROR };

/* All that a child needs to know, and what it tells in return. */
struct start {
  const int32_t *numbers;
  /* Three each: resource, soft and hard bound. */
  const double *limits;
  const uint32_t *groups;
  char *file, *folder;
  char **arguments, **environment;
  int stdout_end, stderr_end;
  /* Where it puts itself into its cgroup, as the kernel cannot do that at its birth; -1: nowhere. */
  int cgroup_processes;
  int32_t *result;
  /* Not 0 until it has executed its program or ended, which the kernel says by itself. */
  int32_t is_here;
};

static void give_up(struct start *start, enum step step, long error) {
  start->result[FAILED_STEP] = step;
  start->result[ERROR] = (int32_t)-error;
  for (;;) CALL1(SYS_exit_group, 127);
}

/* What the agent was told to ignore would be ignored by the program, too. */
static void reset_signals(void) {
  struct signal_action by_default = {0, 0, 0, 0};
  for (long number = 1; number <= SIGNALS; number++)
    CALL4(SYS_rt_sigaction, number, &by_default, 0, SIGNAL_SET_BYTES);
}

/* Only some may go beyond what the agent itself is bound to; for the others that is the limit then. */
static long bind(long resource, struct bounds bounds) {
  long error = CALL4(SYS_prlimit64, 0, resource, &bounds, 0);
  if (error != -EPERM) return error;
  struct bounds own;
  error = CALL4(SYS_prlimit64, 0, resource, 0, &own);
  if (error < 0) return error;
  if (bounds.hard <= own.hard) return -EPERM;
  own.soft = own.hard;
  return CALL4(SYS_prlimit64, 0, resource, &own, 0);
}

/* Those that the kernel counts for a user must not hold before there is that user: the agent's own would count. */
static void set_limits(struct start *start, int of_user) {
  for (int at = 0; at < start->numbers[LIMITS]; at++) {
    const double *limit = start->limits + 3 * at;
    if (((long)limit[0] == RLIMIT_NPROC) != of_user) continue;
    long error = bind((long)limit[0], (struct bounds){(uint64_t)limit[1], (uint64_t)limit[2]});
    if (error < 0) start->result[LIMITS_ERROR] = (int32_t)-error;
  }
  if (of_user || start->numbers[NICE] == 0) return;
  long error = CALL3(SYS_setpriority, PRIO_PROCESS, 0, start->numbers[NICE]);
  if (error < 0) start->result[LIMITS_ERROR] = (int32_t)-error;
}

/* Groups first: who is no longer root may not change them. */
static long become_user(const int32_t *numbers, const uint32_t *groups) {
  long uid = numbers[UID], gid = numbers[GID];
  long error = CALL2(SYS_setgroups, numbers[GROUPS], groups);
  if (error >= 0) error = CALL3(SYS_setresgid, gid, gid, gid);
  return error < 0 ? error : CALL3(SYS_setresuid, uid, uid, uid);
}

static void set_outputs(struct start *start) {
  long nothing = CALL4(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
  if (nothing < 0) give_up(start, STDIN, nothing);
  long error = CALL3(SYS_dup3, nothing, 0, 0);
  if (error >= 0) error = CALL3(SYS_dup3, start->stdout_end, 1, 0);
  if (error >= 0) error = CALL3(SYS_dup3, start->stderr_end, 2, 0);
  if (error < 0) give_up(start, OUTPUTS, error);
  /* All that the agent opens is closed then anyway; a library in it might forget to say so. Not before Linux 5.11. */
  CALL3(SYS_close_range, 3, ~0U, ALL_CLOSE_ON_EXEC);
}

static void become_program(void *memory) {
  struct start *start = memory;
  long error = CALL1(SYS_setsid, 0);
  if (error < 0) give_up(start, SESSION, error);
  reset_signals();
  set_outputs(start);
  if (start->cgroup_processes >= 0) {
    error = CALL3(SYS_write, start->cgroup_processes, "0", 1);
    if (error < 0) start->result[CGROUP_ERROR] = (int32_t)-error;
  }
  set_limits(start, 0);
  if (start->numbers[HAS_USER]) {
    error = become_user(start->numbers, start->groups);
    if (error < 0) give_up(start, USER, error);
  }
  set_limits(start, 1);
  error = CALL1(SYS_chdir, start->folder);
  if (error < 0) give_up(start, FOLDER, error);
  uint64_t none = 0;
  CALL4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, SIGNAL_SET_BYTES);
  give_up(start, PROGRAM, CALL3(SYS_execve, start->file, start->arguments, start->environment));
}

static int become_program_the_old_way(void *memory) {
  become_program(memory);
  return 127;
}

/* Behind the end of a string. */
static char *after(char *string) { return string + strlen(string) + 1; }

static char **point_to(char **pointers, char **string, int count) {
  for (int at = 0; at < count; at++, *string = after(*string)) *pointers++ = *string;
  *pointers++ = 0;
  return pointers;
}

/* Whether it has ended; it stays to be taken. An error number below zero when there is no such child. */
static int has_ended(pid_t pid) {
  siginfo_t info;
  info.si_pid = 0;
  if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) return errno == ECHILD ? -ECHILD : 0;
  return info.si_pid != 0;
}

#define LOOK_AGAIN_NS 100000000
#define LOOKS_MAX 50

/*
 * Waits till the child has memory of its own or is gone. Other processes of its user may stop it before: one that takes
 * longer than the slowest disk needs is ended.
 */
static void wait_for_program(struct start *start, pid_t pid) {
  for (int look = 1; __atomic_load_n(&start->is_here, __ATOMIC_ACQUIRE) != 0; look++) {
    struct timespec some = {0, LOOK_AGAIN_NS};
    CALL4(SYS_futex, &start->is_here, WAIT_FOR_CHANGE, 1, &some);
    /* Some kernels do not tell of one that a signal ended. */
    if (has_ended(pid)) return;
    if (look != LOOKS_MAX) continue;
    kill(pid, SIGKILL);
    start->result[FAILED_STEP] = TIME;
    start->result[ERROR] = ETIMEDOUT;
  }
}

/* What kernels and sandboxes say that do not know of it. */
static int is_unknown(long error) { return error == -ENOSYS || error == -EINVAL || error == -E2BIG; }

/* Linux 5.7 and later: born in its cgroup. Where that is refused it is born outside, rather than not at all. */
static long clone_new_way(struct start *start, const char *cgroup, uint8_t *stack, uint64_t bytes) {
  struct clone_arguments arguments = {
      .flags = CLONE_VM | CLONE_CHILD_CLEARTID,
      .child_tid = (uintptr_t)&start->is_here,
      .exit_signal = SIGCHLD,
      .stack = (uintptr_t)stack,
      .stack_size = bytes,
  };
  if (*cgroup == 0) return clone_child(&arguments, become_program, start);
  int folder = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
  long error = -errno;
  if (folder >= 0) {
    arguments.flags |= INTO_CGROUP;
    arguments.cgroup = (uint64_t)folder;
    error = clone_child(&arguments, become_program, start);
    close(folder);
    if (error >= 0 || is_unknown(error) || error == -EAGAIN || error == -ENOMEM) return error;
    arguments.flags &= ~INTO_CGROUP;
    arguments.cgroup = 0;
  }
  start->result[CGROUP_ERROR] = (int32_t)-error;
  return clone_child(&arguments, become_program, start);
}

/* The child puts itself into its cgroup. */
static long clone_old_way(struct start *start, const char *cgroup, uint8_t *stack, uint64_t bytes) {
  if (*cgroup) {
    int folder = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    start->cgroup_processes = folder < 0 ? -1 : openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (start->cgroup_processes < 0) start->result[CGROUP_ERROR] = errno;
    if (folder >= 0) close(folder);
  }
  int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
  pid_t pid = clone(become_program_the_old_way, stack + bytes, flags, start, 0, 0, &start->is_here);
  long error = pid < 0 ? -errno : pid;
  if (start->cgroup_processes >= 0) close(start->cgroup_processes);
  return error;
}

static long clone_somehow(struct start *start, const char *cgroup, uint8_t *stack) {
  uint8_t *base = stack + (-(uintptr_t)stack & 15);
  uint64_t bytes = ((uint64_t)start->numbers[STACK_BYTES] - 16) & ~15ULL;
  /* No handler of the agent's may run in the child, whose memory is the agent's. */
  uint64_t all = ~0ULL, before;
  CALL4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, SIGNAL_SET_BYTES);
  long pid = start->numbers[IS_OLD_WAY] ? -ENOSYS : clone_new_way(start, cgroup, base, bytes);
  if (is_unknown(pid)) pid = clone_old_way(start, cgroup, base, bytes);
  if (pid > 0) wait_for_program(start, (pid_t)pid);
  CALL4(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, SIGNAL_SET_BYTES);
  return pid;
}

static void close_both(const int *ends) {
  close(ends[0]);
  close(ends[1]);
}

/* Only the end to read from never blocks: a program that finds its stdout so may lose what it prints. */
static int open_pipe(int *ends) {
  if (pipe2(ends, O_CLOEXEC) < 0) return errno;
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0) return 0;
  int error = errno;
  close_both(ends);
  return error;
}

/*
 * Starts a program as leader of a session, its stdin empty, and waits till it has begun.
 * strings: file, folder, folder of the cgroup or nothing, arguments, environment; each ends with a null byte.
 * pointers: room for as many as there are arguments and variables, and two more.
 * result: see `enum result`; the descriptors are the ends to read from. The caller takes the process's end.
 */
void agent_launch(const int32_t *numbers, const double *limits, const uint32_t *groups, char *strings, char **pointers,
                  uint8_t *stack, int32_t *result) {
  struct start start = {
      .numbers = numbers,
      .limits = limits,
      .groups = groups,
      .file = strings,
      .folder = after(strings),
      .cgroup_processes = -1,
      .result = result,
      .is_here = 1,
  };
  char *cgroup = after(start.folder), *rest = after(cgroup);
  start.arguments = pointers;
  start.environment = point_to(start.arguments, &rest, numbers[ARGUMENTS]);
  point_to(start.environment, &rest, numbers[VARIABLES]);
  memset(result, 0, (LIMITS_ERROR + 1) * sizeof *result);

  int output[2], errors[2];
  result[FAILED_STEP] = PIPES;
  if ((result[ERROR] = open_pipe(output)) != 0) return;
  if ((result[ERROR] = open_pipe(errors)) != 0) {
    close_both(output);
    return;
  }
  start.stdout_end = output[1];
  start.stderr_end = errors[1];
  result[FAILED_STEP] = NOWHERE;
  long pid = clone_somehow(&start, cgroup, stack);
  if (pid < 0) {
    result[FAILED_STEP] = CLONE;
    result[ERROR] = (int32_t)-pid;
  }
  close(output[1]);
  close(errors[1]);
  if (result[FAILED_STEP] == NOWHERE) {
    result[PID] = (int32_t)pid;
    result[STDOUT] = output[0];
    result[STDERR] = errors[0];
    return;
  }
  close(output[0]);
  close(errors[0]);
  if (pid > 0)
    while (waitpid((pid_t)pid, 0, 0) < 0 && errno == EINTR) {}
}

/* Places in what comes of looking at a process; launcher.ts has the same. */
enum end { STATUS, USER_MICROSECONDS, SYSTEM_MICROSECONDS, MAX_RSS_KIBIBYTES, STDOUT_BYTES, IS_STDOUT_OVER, STDERR_BYTES,
           IS_STDERR_OVER };

/* Reads what is there: the bytes; whether that was all that will ever come goes to `is_over`. */
static size_t read_now(int descriptor, uint8_t *into, size_t room, double *is_over) {
  size_t bytes = 0;
  *is_over = 0;
  while (descriptor >= 0 && bytes < room) {
    ssize_t count = read(descriptor, into + bytes, room - bytes);
    if (count > 0) bytes += (size_t)count;
    else if (count < 0 && errno == EINTR) continue;
    else {
      *is_over = count == 0 || errno != EAGAIN;
      break;
    }
  }
  return bytes;
}

static double microseconds(struct timeval time) { return (double)time.tv_sec * 1e6 + (double)time.tv_usec; }

/*
 * Looks whether a child has ended, and if so ends its group, takes its end, and reads what is left of its outputs, that
 * of stdout first; a descriptor below zero is not read. Never waits.
 * Returns 1 when it has ended, 0 while it lives, an error number below zero when there is no such child.
 */
int agent_take_end(int pid, int output, int errors, uint8_t *into, int room, double *end) {
  int state = has_ended(pid);
  if (state == 0) return 0;
  struct rusage usage;
  memset(&usage, 0, sizeof usage);
  int status = 0;
  if (state > 0) {
    /* Till its end is taken its number and that of its group are nobody else's. */
    kill(-pid, SIGKILL);
    while (wait4(pid, &status, 0, &usage) < 0)
      if (errno != EINTR) { state = -ECHILD; break; }
  }
  end[STATUS] = status;
  end[USER_MICROSECONDS] = microseconds(usage.ru_utime);
  end[SYSTEM_MICROSECONDS] = microseconds(usage.ru_stime);
  end[MAX_RSS_KIBIBYTES] = (double)usage.ru_maxrss;
  size_t bytes = read_now(output, into, (size_t)room, &end[IS_STDOUT_OVER]);
  end[STDOUT_BYTES] = (double)bytes;
  end[STDERR_BYTES] = (double)read_now(errors, into + bytes, (size_t)room - bytes, &end[IS_STDERR_OVER]);
  return state;
}

/* Reads a small file: its bytes, as far as there is room, or an error number below zero. */
int agent_read_file(const char *path, uint8_t *into, int room) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  double is_over;
  size_t bytes = read_now(file, into, (size_t)room, &is_over);
  close(file);
  return (int)bytes;
}

/* Who may do what with files, links not followed. Three each: mode, user, group. An error number below zero at the first
 * that cannot be looked at. */
int agent_owners(const char *paths, int count, int32_t *owners) {
  for (int at = 0; at < count; at++, paths += strlen(paths) + 1, owners += 3) {
    struct stat status;
    if (lstat(paths, &status) < 0) return -errno;
    owners[0] = (int32_t)status.st_mode;
    owners[1] = (int32_t)status.st_uid;
    owners[2] = (int32_t)status.st_gid;
  }
  return 0;
}
