/* Drives a Golang output plugin from C, as fast as it goes: what the plugin itself takes, without any host.
 * usage: go-driver LIBRARY MODE FILE EVENTS SECONDS
 * FILE holds one chunk of EVENTS events. Prints events a second and processor seconds for a million events. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct api { const char *(*get_property)(const char *, void *); void *others[15]; };
struct context { void *remote; void *proxy; };
struct plugin { char *name; struct api *api; void *instance; struct context *context; void *others[8]; };

static const char *mode;

static const char *get_property(const char *key, void *instance) {
  (void)instance;
  return strcasecmp(key, "mode") == 0 ? mode : NULL;
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static double used(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
  mode = argv[2];
  int (*reg)(void *) = dlsym(library, "FLBPluginRegister");
  int (*init)(void *) = dlsym(library, "FLBPluginInit");
  int (*flush)(void *, const void *, int, const char *) = dlsym(library, "FLBPluginFlushCtx");
  void *def = calloc(1, 512);
  struct api *api = calloc(1, sizeof *api);
  struct context *context = calloc(1, sizeof *context);
  struct plugin *plugin = calloc(1, sizeof *plugin);
  api->get_property = get_property;
  plugin->name = "driver";
  plugin->api = api;
  plugin->context = context;
  if (reg(def) == -1 || init(plugin) <= 0) return 1;
  FILE *file = fopen(argv[3], "rb");
  if (!file) return 1;
  char *data = malloc(4 << 20);
  int length = (int)fread(data, 1, 4 << 20, file);
  long events = atol(argv[4]);
  double seconds = atof(argv[5]);
  flush(context->remote, data, length, "bench");
  double begun = now(), usedBefore = used();
  long flushed = 0;
  while (now() - begun < seconds) {
    if (flush(context->remote, data, length, "bench") != 1) return 1;
    flushed += events;
  }
  double took = now() - begun;
  printf("%.0f %.3f\n", flushed / took, (used() - usedBefore) / flushed * 1e6);
  fflush(stdout);
  _exit(0);
}
