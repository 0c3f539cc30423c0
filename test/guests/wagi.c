/* A WAGI program over wasi-libc: a core module, as Spin pushed it before 3.2. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
  const char *query = getenv("QUERY_STRING");
  if (!query) query = "";
  if (!strcmp(query, "empty")) return 0;
  if (!strcmp(query, "exit")) return 3;
  if (!strcmp(query, "bare")) return puts("X-Only: 1\n\nbody"), 0;
  if (!strcmp(query, "moved")) return puts("Location: /there\n"), 0;
  if (!strcmp(query, "status")) return puts("Status: 418 Teapot\nContent-Type: text/plain\n\nshort"), 0;
  if (!strcmp(query, "inject")) return printf("Content-Type: text/plain\nX-A: a\x01b\n\n"), 0;
  printf("Content-Type: text/plain\r\n\r\n");
  for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
  printf("\n");
  if (!strcmp(query, "files")) {
    struct stat s;
    char buffer[64] = {0};
    printf("stat %d size %d\n", stat("/a/b.txt", &s), (int)s.st_size);
    FILE *file = fopen("/a/b.txt", "r");
    fseek(file, 1, SEEK_SET);
    printf("read %s\n", fgets(buffer, sizeof buffer, file));
    fclose(file);
    DIR *folder = opendir("/a");
    for (struct dirent *entry; (entry = readdir(folder));) printf("entry %s\n", entry->d_name);
    closedir(folder);
    printf("create %d", open("/new", O_CREAT | O_WRONLY, 0666));
    printf(" %s\n", strerror(errno));
    printf("write %d", open("/a/b.txt", O_WRONLY));
    printf(" %s\n", strerror(errno));
    printf("mkdir %d", mkdir("/folder", 0777));
    printf(" %s\n", strerror(errno));
    printf("unlink %d", unlink("/a/b.txt"));
    printf(" %s\n", strerror(errno));
    printf("rename %d", rename("/a/b.txt", "/c"));
    printf(" %s\n", strerror(errno));
    printf("up %d\n", open("../../etc/passwd", O_RDONLY));
    printf("missing %d\n", open("/nothing", O_RDONLY));
    return 0;
  }
  if (!strcmp(query, "sleep")) {
    struct timespec wait = {0, 20000000};
    printf("slept %d\n", nanosleep(&wait, 0));
    return 0;
  }
  for (char **e = environ; *e; e++) printf("%s\n", *e);
  unsigned char random[8] = {0};
  getentropy(random, sizeof random);
  int any = 0;
  for (int i = 0; i < 8; i++) any |= random[i];
  printf("random %d time %d\n", any != 0, time(0) > 1600000000);
  printf("body=");
  for (int c; (c = getchar()) != EOF;) putchar(c);
  fprintf(stderr, "to the log\n");
  return 0;
}
