/*
 * Small operations on an SMB share through libsmbclient, from one or more connections at the same time.
 *
 *   small-operations files|reads HOST PORT SHARE CONF CONNECTIONS COUNT   < "USER\nPASSWORD\n"
 *
 * files: every connection makes COUNT files one after the other: create, write 4 KiB, close, stat, delete.
 * reads: every connection reads 4 KiB from COUNT random places of `data`, a file of 64 MiB.
 *
 * Prints what was done per second by all, and how much of one core a client needed (near 1: the client is the limit).
 * Each connection is a process of its own; connecting and opening is done before the clock starts.
 * CONF is the smb.conf that says whether to sign or encrypt.
 */
#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { block_bytes = 4096, data_bytes = 64 << 20, url_bytes = 512 };

static struct options {
  int is_files;
  const char *host, *port, *share, *conf;
  int connections, count;
  char user[128], password[128];
} options;

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void give_credentials(SMBCCTX *context, const char *server, const char *share, char *domain, int domain_bytes, char *user,
                             int user_bytes, char *password, int password_bytes) {
  (void)context, (void)server, (void)share, (void)domain, (void)domain_bytes;
  snprintf(user, (size_t)user_bytes, "%s", options.user);
  snprintf(password, (size_t)password_bytes, "%s", options.password);
}

static SMBCCTX *new_context(void) {
  SMBCCTX *context = smbc_new_context();
  if (context == NULL) die("smbc_new_context");
  smbc_setConfiguration(context, options.conf);
  smbc_setPort(context, (uint16_t)atoi(options.port));
  smbc_setFunctionAuthDataWithContext(context, give_credentials);
  if (smbc_init_context(context) == NULL) die("smbc_init_context");
  return context;
}

static void make_url(char *url, const char *name) {
  snprintf(url, url_bytes, "smb://%s/%s/%s", options.host, options.share, name);
}

static void one_file(SMBCCTX *context, int connection, int number) {
  static const char block[block_bytes];
  char name[64], url[url_bytes];
  struct stat info;
  snprintf(name, sizeof name, "small-%d-%d", connection, number);
  make_url(url, name);
  SMBCFILE *file = smbc_getFunctionOpen(context)(context, url, O_RDWR | O_CREAT | O_EXCL, 0666);
  if (file == NULL) die("create");
  if (smbc_getFunctionWrite(context)(context, file, block, block_bytes) != block_bytes) die("write");
  if (smbc_getFunctionClose(context)(context, file) != 0) die("close");
  if (smbc_getFunctionStat(context)(context, url, &info) != 0 || info.st_size != block_bytes) die("stat");
  if (smbc_getFunctionUnlink(context)(context, url) != 0) die("delete");
}

static void one_read(SMBCCTX *context, SMBCFILE *file, uint64_t *state) {
  char block[block_bytes];
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  off_t at = (off_t)((*state >> 33) % (data_bytes / block_bytes)) * block_bytes;
  if (smbc_getFunctionLseek(context)(context, file, at, SEEK_SET) != at) die("seek");
  if (smbc_getFunctionRead(context)(context, file, block, block_bytes) != block_bytes) die("read");
}

static void run_connection(int connection, pthread_barrier_t *start) {
  /* One that fails before the start must not leave the others waiting for ever. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  char url[url_bytes];
  struct stat info;
  SMBCCTX *context = new_context();
  SMBCFILE *file = NULL;
  make_url(url, "data");
  if (options.is_files) {
    if (smbc_getFunctionStat(context)(context, url, &info) != 0) die("connect");
  } else {
    file = smbc_getFunctionOpen(context)(context, url, O_RDONLY, 0);
    if (file == NULL) die("open");
  }
  uint64_t state = (uint64_t)connection + 1;
  pthread_barrier_wait(start);
  for (int i = 0; i < options.count; i++) {
    if (options.is_files) one_file(context, connection, i);
    else one_read(context, file, &state);
  }
  _exit(0);
}

int main(int count, char **words) {
  if (count != 8 || scanf("%127[^\n]\n%127[^\n]", options.user, options.password) != 2) {
    fprintf(stderr, "usage: small-operations files|reads HOST PORT SHARE CONF CONNECTIONS COUNT, user and password on stdin\n");
    return 2;
  }
  options.is_files = strcmp(words[1], "files") == 0;
  options.host = words[2], options.port = words[3], options.share = words[4], options.conf = words[5];
  options.connections = atoi(words[6]), options.count = atoi(words[7]);

  pthread_barrier_t *start = mmap(NULL, sizeof *start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_barrierattr_t shared;
  pthread_barrierattr_init(&shared);
  pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  if (start == MAP_FAILED || pthread_barrier_init(start, &shared, (unsigned)options.connections + 1) != 0) die("barrier");
  pid_t children[256];
  if (options.connections < 1 || options.connections > 256) return 2;
  for (int i = 0; i < options.connections; i++) {
    children[i] = fork();
    if (children[i] < 0) die("fork");
    if (children[i] == 0) run_connection(i, start);
  }
  alarm(600);
  pthread_barrier_wait(start);
  double begin = now();
  for (int i = 0; i < options.connections; i++) {
    int status;
    if (waitpid(children[i], &status, 0) < 0 || status != 0) return 1;
  }
  double seconds = now() - begin;
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  printf("{\"perSecond\":%.1f,\"clientCores\":%.2f}\n", options.connections * (double)options.count / seconds, cpu / seconds / options.connections);
  return 0;
}
