// The limit of what starting processes can cost here: posix_spawn, both outputs read, the end taken; nothing else.
// usage: spawn-limit PROGRAM RUNS AT-ONCE; prints runs, seconds and CPU seconds, its children's included, as JSON.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct child { pid_t pid; int out, err; };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double cpu(int who) {
  struct rusage u;
  getrusage(who, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct child start(char *program) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) { perror("pipe2"); exit(1); }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  char *args[] = {program, NULL}, *environment[] = {"PATH=/usr/bin:/bin", NULL};
  struct child child = {0, out[0], err[0]};
  if (posix_spawn(&child.pid, program, &actions, &attributes, args, environment)) { perror("posix_spawn"); exit(1); }
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  return child;
}

static void finish(struct child *child) {
  char text[4096];
  while (read(child->err, text, sizeof text) > 0) {}
  close(child->out);
  close(child->err);
  waitpid(child->pid, NULL, 0);
}

int main(int count, char **args) {
  if (count != 4) return 2;
  int runs = atoi(args[2]), at_once = atoi(args[3]), started = 0, ended = 0;
  struct child *children = calloc(at_once, sizeof *children);
  struct pollfd *polled = calloc(at_once, sizeof *polled);
  double begun = now();
  for (int i = 0; i < at_once; i++) polled[i].fd = -1;
  while (ended < runs) {
    for (int i = 0; i < at_once && started < runs; i++) {
      if (polled[i].fd >= 0) continue;
      children[i] = start(args[1]);
      polled[i] = (struct pollfd){children[i].out, POLLIN, 0};
      started++;
    }
    poll(polled, at_once, -1);
    for (int i = 0; i < at_once; i++) {
      char text[4096];
      if (polled[i].fd < 0 || !polled[i].revents || read(polled[i].fd, text, sizeof text) > 0) continue;
      finish(&children[i]);
      polled[i].fd = -1;
      ended++;
    }
  }
  double seconds = now() - begun;
  printf("{\"runs\":%d,\"seconds\":%f,\"cpuSeconds\":%f}\n", runs, seconds, cpu(RUSAGE_SELF) + cpu(RUSAGE_CHILDREN));
  return 0;
}
