// A WAGI program as current Spin pushes it: a component that exports wasi:cli/run.
#include "guest.h"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

#define IO "wasi:io/streams@0.2.0"
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") u32 get_stdout(void);
IMPORT("wasi:cli/stdin@0.2.0", "get-stdin") u32 get_stdin(void);
IMPORT("wasi:cli/environment@0.2.0", "get-environment") void get_environment(void *ret);
IMPORT("wasi:cli/environment@0.2.0", "get-arguments") void get_arguments(void *ret);
IMPORT(IO, "[method]input-stream.blocking-read") void blocking_read(u32 self, u64 len, void *ret);
IMPORT(IO, "[method]output-stream.blocking-write-and-flush") void stream_write(u32 self, const u8 *bytes, u32 len, void *ret);

EXPORT("wasi:cli/run@0.2.0#run") u32 run(void) {
  put(TEXT("Content-Type: text/plain\r\nX-One: 1\r\n\r\n"));
  get_arguments(&ret);
  u32 *args = (u32 *)ret.word[0], count = ret.word[1];
  for (u32 i = 0; i < count; i++) {
    put(TEXT("["));
    put((text){(const u8 *)args[2 * i], args[2 * i + 1]});
    put(TEXT("]"));
  }
  get_environment(&ret);
  u32 *env = (u32 *)ret.word[0];
  count = ret.word[1];
  int fails = 0;
  for (u32 i = 0; i < count; i++) {
    text name = {(const u8 *)env[4 * i], env[4 * i + 1]}, value = {(const u8 *)env[4 * i + 2], env[4 * i + 3]};
    put(TEXT("\n"));
    put(name);
    put(TEXT("="));
    put(value);
    if (equal(name, TEXT("QUERY_STRING")) && equal(value, TEXT("fail"))) fails = 1;
  }
  put(TEXT("\nbody="));
  u32 in = get_stdin();
  for (;;) {
    blocking_read(in, 4096, &ret);
    if (ret.byte[0]) break;
    put(word_text(1));
  }
  u32 out = get_stdout();
  text t = printed();
  while (t.len) {
    u32 n = t.len < 4096 ? t.len : 4096;
    stream_write(out, t.at, n, &ret);
    t = after(t, n);
  }
  return fails;
}
