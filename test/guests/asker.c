// Answers with what a dependency says.
#include "guest.h"

#define WORDS "test:words/words@1.2.0"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

IMPORT(WORDS, "[constructor]speaker") u32 speaker_new(const u8 *greeting, u32 len);
IMPORT(WORDS, "[method]speaker.greet") void greet(u32 self, const u8 *name, u32 len, void *ret);
IMPORT(WORDS, "[resource-drop]speaker") void speaker_drop(u32 self);
IMPORT(WORDS, "surroundings") void surroundings(void *ret);

static struct { u32 status, has_headers, headers, header_count, has_body, body, body_len; } response;

EXPORT("fermyon:spin/inbound-http#handle-request")
void *handle(u32 method, const u8 *uri, u32 uri_len, u32 *names, u32 count, u32 *params, u32 param_count, u32 has_body, const u8 *body, u32 body_len) {
  u32 speaker = speaker_new((const u8 *)"Hello", 5);
  greet(speaker, uri, uri_len, &ret);
  put(word_text(0));
  speaker_drop(speaker);
  put(TEXT("\n"));
  surroundings(&ret);
  put(word_text(0));
  response.status = 200;
  response.has_body = 1;
  response.body = (u32)out_bytes;
  response.body_len = out_len;
  return &response;
}
