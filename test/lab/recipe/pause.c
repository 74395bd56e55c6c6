/* The program of a pod's sandbox: holds its namespaces, reaps what is orphaned in them, ends when told. */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) {
  (void)signal;
  _exit(0);
}

static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
}

int main(void) {
  struct sigaction on = {0};
  on.sa_handler = end;
  sigaction(SIGINT, &on, NULL);
  sigaction(SIGTERM, &on, NULL);
  on.sa_handler = reap;
  on.sa_flags = SA_NOCLDSTOP | SA_RESTART;
  sigaction(SIGCHLD, &on, NULL);
  for (;;) pause();
}
