/* A core module as SDKs make them: a wasi:http component by its component-type section, over wasi-libc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define HTTP "wasi:http/types@0.2.0"
#define IO "wasi:io/streams@0.2.0"
#define KV "fermyon:spin/key-value@2.0.0"

IMPORT(IO, "[method]output-stream.blocking-write-and-flush") void stream_write(u32 self, const void *bytes, u32 len, void *ret);
IMPORT(IO, "[resource-drop]output-stream") void output_stream_drop(u32 self);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(u32 self, void *ret);
IMPORT(HTTP, "[constructor]fields") u32 fields_new(void);
IMPORT(HTTP, "[constructor]outgoing-response") u32 response_new(u32 headers);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(u32 self, void *ret);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(u32 self, void *ret);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(u32 self, u32 has_trailers, u32 trailers, void *ret);
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(u32 self, u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);
IMPORT("fermyon:spin/variables@2.0.0", "get") void variables_get(const char *name, u32 len, void *ret);
IMPORT(KV, "[static]store.open") void store_open(const char *label, u32 len, void *ret);
IMPORT(KV, "[method]store.set") void store_set(u32 self, const char *key, u32 len, const char *value, u32 value_len, void *ret);
IMPORT(KV, "[method]store.get") void store_get(u32 self, const char *key, u32 len, void *ret);

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  void *made = realloc(old, size);
  if (!made || (u32)made % align) __builtin_trap();
  return made;
}

static union { u64 whole[16]; u32 word[32]; u8 byte[128]; } ret;
static char out[8192];
static u32 length;
static int initialized;

__attribute__((constructor)) static void initialize(void) { initialized = 1; }

static void print(const char *format, ...) {
  va_list args;
  va_start(args, format);
  length += vsnprintf(out + length, sizeof out - length, format, args);
  va_end(args);
}

static void files(void) {
  char buffer[64] = {0};
  FILE *file = fopen("/a/b.txt", "r");
  print("read %s\n", file ? fgets(buffer, sizeof buffer, file) : strerror(errno));
  if (file) fclose(file);
  DIR *folder = opendir("/a");
  for (struct dirent *entry; folder && (entry = readdir(folder));) print("entry %s\n", entry->d_name);
  if (folder) closedir(folder);
  print("write %d %s\n", open("/a/b.txt", O_WRONLY), strerror(errno));
  print("up %d\n", open("../../etc/passwd", O_RDONLY));
}

static void respond(u32 outparam) {
  u32 response = response_new(fields_new());
  response_body(response, &ret);
  u32 body = ret.word[1];
  outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
  body_write(body, &ret);
  u32 stream = ret.word[1];
  for (u32 at = 0; at < length; at += 4096) {
    stream_write(stream, out + at, length - at < 4096 ? length - at : 4096, &ret);
  }
  output_stream_drop(stream);
  body_finish(body, 0, 0, &ret);
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle(u32 request, u32 outparam) {
  request_path(request, &ret);
  char path[256] = {0};
  memcpy(path, (void *)ret.word[1], ret.word[2] < 255 ? ret.word[2] : 255);
  if (!strcmp(path, "/start")) print("initialized %d", initialized);
  else if (!strcmp(path, "/files")) files();
  else if (!strcmp(path, "/env")) print("%s", getenv("MODE") ? getenv("MODE") : "none");
  else if (!strcmp(path, "/time")) print("%d", time(0) > 1700000000);
  else if (!strcmp(path, "/random")) {
    u8 random[8] = {0};
    print("%d", getentropy(random, sizeof random));
  } else if (!strcmp(path, "/print")) {
    printf("to stdout\n");
    fflush(stdout);
    fprintf(stderr, "to stderr\n");
    print("printed");
  } else if (!strcmp(path, "/stdin")) print("%d", getchar());
  else if (!strcmp(path, "/variable")) {
    variables_get("greeting", 8, &ret);
    print("%d %.*s", ret.byte[0], (int)ret.word[2], (char *)ret.word[1]);
  } else if (!strcmp(path, "/kv")) {
    store_open("default", 7, &ret);
    u32 store = ret.word[1];
    store_set(store, "key", 3, "value", 5, &ret);
    store_get(store, "key", 3, &ret);
    print("%.*s", (int)ret.word[3], (char *)ret.word[2]);
  } else if (!strcmp(path, "/sleep")) {
    struct timespec wait = {0, 20000000};
    print("slept %d", nanosleep(&wait, 0));
  } else if (!strcmp(path, "/exit")) exit(3);
  else if (!strcmp(path, "/abort")) abort();
  respond(outparam);
}
