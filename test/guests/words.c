// What another component depends on. It tells what it can see of the host.
#include "guest.h"

#define WORDS "test:words/words@1.2.0"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

IMPORT("[export]" WORDS, "[resource-new]speaker") u32 speaker_own(void *self);
IMPORT("wasi:cli/environment@0.2.0", "get-environment") void get_environment(void *ret);
IMPORT("wasi:filesystem/preopens@0.2.0", "get-directories") void get_directories(void *ret);
IMPORT("fermyon:spin/variables@2.0.0", "get") void variables_get(const u8 *name, u32 len, void *ret);

static text greeting;
static u32 result[2];
static void *all(void) {
  result[0] = (u32)out_bytes;
  result[1] = out_len;
  return result;
}

EXPORT(WORDS "#[constructor]speaker") u32 speaker(const u8 *at, u32 len) {
  greeting = (text){at, len};
  return speaker_own(&greeting);
}
EXPORT(WORDS "#[method]speaker.greet") void *speaker_greet(text *self, const u8 *name, u32 len) {
  out_len = 0;
  put(*self);
  put(TEXT(", "));
  put((text){name, len});
  return all();
}
EXPORT(WORDS "#surroundings") void *surroundings(void) {
  out_len = 0;
  get_environment(&ret);
  u32 *list = (u32 *)ret.word[0];
  put(TEXT("env"));
  for (u32 i = 0, count = ret.word[1]; i < count; i++) {
    put(TEXT(" "));
    put((text){(const u8 *)list[4 * i], list[4 * i + 1]});
  }
  get_directories(&ret);
  put(TEXT(" mounts "));
  put_number(ret.word[1]);
  variables_get((const u8 *)"name", 4, &ret);
  put(TEXT(" variable "));
  put(ret.byte[0] ? TEXT("none") : word_text(1));
  return all();
}
