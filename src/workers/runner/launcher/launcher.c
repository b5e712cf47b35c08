/*
 * Starts plugins' processes, and takes their ends. Loaded into the agent, and called on the runner threads.
 *
 * A process is started the way `posix_spawn` does it: a child that shares the agent's memory until it executes its
 * program, so that the price does not depend on how much memory that is. Beyond `posix_spawn` the child is born in its
 * cgroup and gives itself its limits and its user before its program begins, so that there is no moment without them,
 * and the thread that starts it never is anybody else.
 *
 * Nobody waits for the child to become its program. Until then it runs in memory that the agent's threads use: it makes
 * system calls and nothing else, and those without the C library, whose `errno` belongs to a thread; and what it needs
 * is in memory of its own, which is there until it has gone from there, whatever becomes of the thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* From linux/sched.h, which not every C library brings along. */
#define CLEAR_SIGNAL_HANDLERS 0x100000000ULL
#define INTO_CGROUP 0x200000000ULL

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

/*
 * clone or clone3: the child goes on at `begin`, on the stack that it was given, and never comes back from there. What it
 * begins with stands in registers that nothing else takes.
 */
static inline long clone_child(long number, long a, long b, long c, long d, long e, void (*begin)(void *), void *what) {
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  register void (*function)(void *) __asm__("r12") = begin;
  register void *argument __asm__("r13") = what;
  long result;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r13, %%rdi\n\t"
      "callq *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(function), "r"(argument)
      : "rcx", "r11", "memory");
  return result;
}

#define OLD_CLONE(flags, stack, child_tid, begin, what) \
  clone_child(SYS_clone, (long)(flags), (long)(stack), 0, (long)(child_tid), 0, begin, what)

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

static inline long clone_child(long number, long a, long b, long c, long d, long e, void (*begin)(void *), void *what) {
  register long which __asm__("x8") = number;
  register long first __asm__("x0") = a;
  register long second __asm__("x1") = b;
  register long third __asm__("x2") = c;
  register long fourth __asm__("x3") = d;
  register long fifth __asm__("x4") = e;
  register void (*function)(void *) __asm__("x9") = begin;
  register void *argument __asm__("x10") = what;
  __asm__ volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk #1\n"
      "1:"
      : "+r"(first)
      : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(function), "r"(argument)
      : "memory");
  return first;
}

/* The last two arguments are the other way round here. */
#define OLD_CLONE(flags, stack, child_tid, begin, what) \
  clone_child(SYS_clone, (long)(flags), (long)(stack), 0, 0, (long)(child_tid), begin, what)

#else
#error "a processor that is not known here"
#endif

#define NEW_CLONE(arguments, begin, what) \
  clone_child(SYS_clone3, (long)(arguments), sizeof *(arguments), 0, 0, 0, begin, what)

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
enum step { NOWHERE, MEMORY, PIPES, CLONE, BIRTH, SESSION, STDIN, OUTPUTS, USER, FOLDER, PROGRAM };

/* Places in what comes in and goes out; launcher.ts has the same. An even count of numbers: limits follow. */
enum number { HAS_USER, UID, GID, GROUPS, NICE, LIMITS, ARGUMENTS, VARIABLES, STRING_BYTES, IS_OLD_WAY, NUMBERS };
enum launched { PID, STDOUT, STDERR, LAUNCH_STEP, LAUNCH_ERROR };
enum look { FAILED_STEP, ERROR, CGROUP_ERROR, LIMITS_ERROR, STATUS, USER_MICROSECONDS, SYSTEM_MICROSECONDS,
            MAX_RSS_KIBIBYTES, STDOUT_BYTES, IS_STDOUT_OVER, STDERR_BYTES, IS_STDERR_OVER, IS_CGROUP_EMPTY };

/* A bound of a resource. */
struct limit { double resource, soft, hard; };

#define STACK_BYTES 16384

/*
 * A process from its start to its end. The child reads from it, and writes how far it came, until `is_here` is 0: the
 * kernel sets it when the child has memory of its own, or is gone.
 */
struct process {
  pid_t pid;
  int32_t is_here;
  /* It has come to do something. */
  int32_t was_here;
  int32_t failed_step, error, cgroup_error, limits_error;
  int32_t numbers[NUMBERS];
  /* Those that are not by default when it begins. */
  uint64_t signals;
  const struct limit *limits;
  const uint32_t *groups;
  char *file, *folder, *cgroup;
  char **arguments, **environment;
  int stdout_end, stderr_end;
  /* Where it puts itself into its cgroup, as the kernel cannot do that at its birth; -1: nowhere. */
  int cgroup_processes;
  /* Freed when it is no more in use. */
  uint8_t *stack;
};

static void give_up(struct process *process, enum step step, long error) {
  process->failed_step = step;
  process->error = (int32_t)-error;
  for (;;) CALL1(SYS_exit_group, 127);
}

static void end_without_core(int number) {
  for (;;) CALL1(SYS_exit_group, 128 + number);
}

/* Signals that make the kernel write down the memory of a process, which is the agent's as long as no program begins. */
#define WITH_CORE                                                                                                    \
  (BIT(SIGQUIT) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGSEGV) | BIT(SIGSYS) | \
   BIT(SIGXCPU) | BIT(SIGXFSZ))
#define BIT(number) (1ULL << ((number) - 1))
/* SA_RESTORER: x86-64 wants something to come back by, even of a handler that does not. */
#define HAS_RESTORER 0x04000000

/* What the agent ignores, which it does from its begin on or never: the program would ignore it, too. */
static uint64_t ignored_signals;
/* The stdin of all programs; below zero when it could not be opened. */
static int nothing = -1;

/* Once, when this is loaded. */
__attribute__((constructor)) static void get_ready(void) {
  for (long number = 1; number <= SIGNALS; number++) {
    struct signal_action action = {0, 0, 0, 0};
    CALL4(SYS_rt_sigaction, number, 0, &action, SIGNAL_SET_BYTES);
    if (action.handler == (void *)SIG_IGN) ignored_signals |= BIT(number);
  }
  nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Handlers end with the begin of the program. A call for each of the 64 would cost more than all else that a child does. */
static void reset_signals(const struct process *process) {
  struct signal_action by_default = {0, 0, 0, 0};
  struct signal_action without_core = {(void *)end_without_core, HAS_RESTORER, (void *)end_without_core, 0};
  for (long number = 1; number <= SIGNALS; number++) {
    int has_core = (WITH_CORE & BIT(number)) != 0;
    if (has_core || (process->signals & BIT(number)))
      CALL4(SYS_rt_sigaction, number, has_core ? &without_core : &by_default, 0, SIGNAL_SET_BYTES);
  }
}

/* Only some may go beyond what the agent itself is bound to; for the others that is the limit then. */
static long bind(long resource, struct bounds bounds) {
  long error = CALL4(SYS_prlimit64, 0, resource, &bounds, 0);
  if (error != -EPERM) return error;
  struct bounds own;
  error = CALL4(SYS_prlimit64, 0, resource, 0, &own);
  if (error < 0) return error;
  if (bounds.hard <= own.hard) return -EPERM;
  own.soft = bounds.soft < own.hard ? bounds.soft : own.hard;
  return CALL4(SYS_prlimit64, 0, resource, &own, 0);
}

/* Those that the kernel counts for a user must not hold before there is that user: the agent's own would count. */
static void set_limits(struct process *process, int of_user) {
  for (int at = 0; at < process->numbers[LIMITS]; at++) {
    const struct limit *limit = process->limits + at;
    if (((long)limit->resource == RLIMIT_NPROC) != of_user) continue;
    long error = bind((long)limit->resource, (struct bounds){(uint64_t)limit->soft, (uint64_t)limit->hard});
    if (error < 0) process->limits_error = (int32_t)-error;
  }
  if (of_user || process->numbers[NICE] == 0) return;
  long error = CALL3(SYS_setpriority, PRIO_PROCESS, 0, process->numbers[NICE]);
  if (error < 0) process->limits_error = (int32_t)-error;
}

/* Groups first: who is no longer root may not change them. */
static long become_user(const int32_t *numbers, const uint32_t *groups) {
  long uid = numbers[UID], gid = numbers[GID];
  /* To the kernel that means as before. */
  if (uid == -1 || gid == -1) return -EINVAL;
  long error = CALL2(SYS_setgroups, numbers[GROUPS], groups);
  if (error >= 0) error = CALL3(SYS_setresgid, gid, gid, gid);
  return error < 0 ? error : CALL3(SYS_setresuid, uid, uid, uid);
}

static void set_outputs(struct process *process) {
  long input = nothing >= 0 ? nothing : CALL4(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
  if (input < 0) give_up(process, STDIN, input);
  long error = CALL3(SYS_dup3, input, 0, 0);
  if (error >= 0) error = CALL3(SYS_dup3, process->stdout_end, 1, 0);
  if (error >= 0) error = CALL3(SYS_dup3, process->stderr_end, 2, 0);
  if (error < 0) give_up(process, OUTPUTS, error);
  /*
   * The program would not get what the agent has open; but a disk may let it wait before it begins, and until then nobody
   * would see the end of an output whose other end another thread had just opened. Not before Linux 5.9.
   */
  CALL3(SYS_close_range, 3, ~0U, 0);
}

static void become_program(void *memory) {
  struct process *process = memory;
  process->was_here = 1;
  long error = CALL1(SYS_setsid, 0);
  if (error < 0) give_up(process, SESSION, error);
  reset_signals(process);
  if (process->cgroup_processes >= 0) {
    error = CALL3(SYS_write, process->cgroup_processes, "0", 1);
    if (error < 0) process->cgroup_error = (int32_t)-error;
  }
  set_outputs(process);
  set_limits(process, 0);
  if (process->numbers[HAS_USER]) {
    error = become_user(process->numbers, process->groups);
    if (error < 0) give_up(process, USER, error);
  }
  set_limits(process, 1);
  /* An agent that is killed ends nobody itself. Behind the change of user, which forgets it. */
  CALL2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  error = CALL1(SYS_chdir, process->folder);
  if (error < 0) give_up(process, FOLDER, error);
  uint64_t none = 0;
  CALL4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, SIGNAL_SET_BYTES);
  give_up(process, PROGRAM, CALL3(SYS_execve, process->file, process->arguments, process->environment));
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

/* What may be there a moment later: no reason to do without something. */
static int is_short(long error) {
  return error == -EAGAIN || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* What kernels and sandboxes say that do not know of it. */
static int is_unknown(long error) { return error == -ENOSYS || error == -EINVAL || error == -E2BIG; }

/* Linux 5.7 and later: born in its cgroup, with no handlers. Where that is refused it is born outside, rather than not at all. */
static long clone_new_way(struct process *process) {
  struct clone_arguments arguments = {
      .flags = CLONE_VM | CLONE_CHILD_CLEARTID | CLEAR_SIGNAL_HANDLERS,
      .child_tid = (uintptr_t)&process->is_here,
      .exit_signal = SIGCHLD,
      .stack = (uintptr_t)process->stack,
      .stack_size = STACK_BYTES,
  };
  process->signals = ignored_signals;
  if (*process->cgroup == 0) return NEW_CLONE(&arguments, become_program, process);
  int folder = open(process->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
  long error = -errno;
  if (folder >= 0) {
    arguments.flags |= INTO_CGROUP;
    arguments.cgroup = (uint64_t)folder;
    error = NEW_CLONE(&arguments, become_program, process);
    close(folder);
    if (error >= 0 || is_unknown(error)) return error;
    arguments.flags &= ~INTO_CGROUP;
    arguments.cgroup = 0;
  }
  if (is_short(error)) return error;
  process->cgroup_error = (int32_t)-error;
  return NEW_CLONE(&arguments, become_program, process);
}

/* The child puts itself into its cgroup. */
static long clone_old_way(struct process *process) {
  if (*process->cgroup) {
    int folder = open(process->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    process->cgroup_processes = folder < 0 ? -1 : openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (process->cgroup_processes < 0) process->cgroup_error = errno;
    if (folder >= 0) close(folder);
    if (is_short(-process->cgroup_error)) return -process->cgroup_error;
  }
  process->signals = ~0ULL;
  int own_end = process->cgroup_processes;
  int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
  long pid = OLD_CLONE(flags, process->stack + STACK_BYTES, &process->is_here, become_program, process);
  if (own_end >= 0) close(own_end);
  return pid;
}

static long clone_somehow(struct process *process) {
  /* No handler of the agent's may run in the child, whose memory is the agent's. */
  uint64_t all = ~0ULL, before;
  CALL4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, SIGNAL_SET_BYTES);
  long pid = process->numbers[IS_OLD_WAY] ? -ENOSYS : clone_new_way(process);
  if (is_unknown(pid)) pid = clone_old_way(process);
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

/* Copies all that is behind a process, and lays it out behind itself. */
static struct process *new_process(const int32_t *numbers) {
  size_t pointers = ((size_t)numbers[ARGUMENTS] + (size_t)numbers[VARIABLES] + 2) * sizeof(char *);
  size_t limits_bytes = (size_t)numbers[LIMITS] * sizeof(struct limit);
  size_t groups_bytes = (size_t)numbers[GROUPS] * sizeof(uint32_t);
  size_t bytes = limits_bytes + groups_bytes + (size_t)numbers[STRING_BYTES];
  struct process *process = malloc(sizeof *process + pointers + bytes);
  uint8_t *stack = aligned_alloc(16, STACK_BYTES);
  if (!process || !stack) {
    free(process);
    free(stack);
    return 0;
  }
  char *at = (char *)(process + 1), *copy = at + pointers;
  memcpy(copy, numbers + NUMBERS, bytes);
  *process = (struct process){
      .is_here = 1,
      .limits = (struct limit *)copy,
      .groups = (uint32_t *)(copy + limits_bytes),
      .arguments = (char **)at,
      .cgroup_processes = -1,
      .stack = stack,
  };
  memcpy(process->numbers, numbers, sizeof process->numbers);
  process->file = copy + limits_bytes + groups_bytes;
  process->folder = after(process->file);
  process->cgroup = after(process->folder);
  char *rest = after(process->cgroup);
  process->environment = point_to(process->arguments, &rest, numbers[ARGUMENTS]);
  point_to(process->environment, &rest, numbers[VARIABLES]);
  return process;
}

static void free_process(struct process *process) {
  free(process->stack);
  free(process);
}

static struct process *not_launched(struct process *process, int32_t *launched, enum step step, int error) {
  launched[LAUNCH_STEP] = (int32_t)step;
  launched[LAUNCH_ERROR] = error;
  if (process) free_process(process);
  return 0;
}

/*
 * Starts a program as leader of a session, its stdin empty; how that comes out `agent_look` tells.
 * program: numbers, then limits, groups (32 bits each), and strings: file, folder, folder of the cgroup or nothing,
 * arguments, environment; each ends with a null byte.
 * launched: its pid and the ends to read from, which the caller closes; or at what that failed.
 * Returns what to give to agent_look until that tells of the end; 0 when there is no process.
 */
struct process *agent_launch(const int32_t *program, int32_t *launched) {
  struct process *process = new_process(program);
  if (!process) return not_launched(0, launched, MEMORY, ENOMEM);
  int output[2], errors[2], error;
  if ((error = open_pipe(output)) != 0) return not_launched(process, launched, PIPES, error);
  if ((error = open_pipe(errors)) != 0) {
    close_both(output);
    return not_launched(process, launched, PIPES, error);
  }
  process->stdout_end = output[1];
  process->stderr_end = errors[1];
  long pid = clone_somehow(process);
  close(output[1]);
  close(errors[1]);
  if (pid < 0) {
    close(output[0]);
    close(errors[0]);
    return not_launched(process, launched, CLONE, (int)-pid);
  }
  process->pid = (pid_t)pid;
  launched[PID] = (int32_t)pid;
  launched[STDOUT] = output[0];
  launched[STDERR] = errors[0];
  launched[LAUNCH_STEP] = NOWHERE;
  return process;
}

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

/* Nobody comes into a cgroup that is empty but by the agent. True as well where there is none. */
static int is_cgroup_empty(const char *cgroup) {
  char path[4096], byte;
  size_t length = strlen(cgroup);
  if (length == 0) return 1;
  if (length + sizeof "/cgroup.procs" > sizeof path) return 0;
  memcpy(path, cgroup, length);
  memcpy(path + length, "/cgroup.procs", sizeof "/cgroup.procs");
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t count = read(file, &byte, 1);
  close(file);
  return count == 0;
}

/*
 * How its start came out; its stack is no more in use. A child that never came to anything was ended at once: some
 * kernels do that to what is born in a cgroup when more often a `cgroup.kill` was written there than in its parent's.
 */
static void take_start(struct process *process, double *look) {
  if (!process->was_here) {
    process->failed_step = BIRTH;
    process->error = ECANCELED;
  }
  look[FAILED_STEP] = process->failed_step;
  look[ERROR] = process->error;
  look[CGROUP_ERROR] = process->cgroup_error;
  look[LIMITS_ERROR] = process->limits_error;
  free(process->stack);
  process->stack = 0;
}

/* Returns 0 when there is no such child. */
static int take_end(const struct process *process, double *look) {
  struct rusage usage;
  memset(&usage, 0, sizeof usage);
  int status = 0, is_taken = 1;
  /* Till its end is taken its number and that of its group are nobody else's. */
  kill(-process->pid, SIGKILL);
  while (wait4(process->pid, &status, 0, &usage) < 0 && (is_taken = errno == EINTR)) {}
  look[STATUS] = status;
  look[USER_MICROSECONDS] = microseconds(usage.ru_utime);
  look[SYSTEM_MICROSECONDS] = microseconds(usage.ru_stime);
  look[MAX_RSS_KIBIBYTES] = (double)usage.ru_maxrss;
  return is_taken;
}

#define HAS_BEGUN 1
#define HAS_ENDED 2
#define IS_NOT_OURS 4

/*
 * Looks how a process fares, and when it has ended, ends its group, takes its end, and reads what is left of its
 * outputs, that of stdout first; a descriptor below zero is not read. Never waits.
 * Returns some of the bits above. HAS_BEGUN comes once; from HAS_ENDED on the process must not be given to this again.
 */
int agent_look(struct process *process, int output, int errors, uint8_t *into, int room, double *look) {
  int found = 0;
  int state = has_ended(process->pid);
  if (process->stack && (state != 0 || __atomic_load_n(&process->is_here, __ATOMIC_ACQUIRE) == 0)) {
    take_start(process, look);
    found = HAS_BEGUN;
  }
  if (state == 0) return found;
  found |= HAS_ENDED;
  if (state < 0 || !take_end(process, look)) found |= IS_NOT_OURS;
  size_t bytes = read_now(output, into, (size_t)room, &look[IS_STDOUT_OVER]);
  look[STDOUT_BYTES] = (double)bytes;
  look[STDERR_BYTES] = (double)read_now(errors, into + bytes, (size_t)room - bytes, &look[IS_STDERR_OVER]);
  look[IS_CGROUP_EMPTY] = is_cgroup_empty(process->cgroup);
  free_process(process);
  return found;
}

/*
 * Whose files are: three numbers each, mode, user and group. The first ones are not followed if they are links.
 * Returns 0, or at the first that cannot be looked at an error number below zero.
 */
int agent_owners(const char *paths, int count, int not_followed, int32_t *owners) {
  for (int at = 0; at < count; at++, paths += strlen(paths) + 1, owners += 3) {
    struct stat status;
    if ((at < not_followed ? lstat(paths, &status) : stat(paths, &status)) < 0) return -errno;
    owners[0] = (int32_t)status.st_mode;
    owners[1] = (int32_t)status.st_uid;
    owners[2] = (int32_t)status.st_gid;
  }
  return 0;
}
