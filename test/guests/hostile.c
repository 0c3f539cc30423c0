// A wasi:http component that breaks each rule a guest can break, one by path.
#include "guest.h"

#define HTTP "wasi:http/types@0.2.0"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.headers") u32 request_headers(u32 self);
IMPORT(HTTP, "[constructor]fields") u32 fields_new(void);
IMPORT(HTTP, "[resource-drop]fields") void fields_drop(u32 self);
IMPORT(HTTP, "[method]fields.append")
void fields_append(u32 self, const u8 *name, u32 name_len, const u8 *value, u32 value_len, void *ret);
IMPORT(HTTP, "[method]fields.set")
void fields_set(u32 self, const u8 *name, u32 name_len, const u32 *values, u32 count, void *ret);
IMPORT(HTTP, "[constructor]outgoing-response") u32 response_new(u32 headers);
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(u32 self, u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);

// As a number, so that the compiler knows nothing of where it leads.
static u8 *volatile nowhere = (u8 *)0xfffffff0;
static volatile u32 zero;
static const u8 x[] = "x";

static u32 recurse(u32 n);
static u32 (*volatile again)(u32) = recurse;
static u32 recurse(u32 n) {
  u32 result = again(n + 1);
  return result + zero;
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle(u32 request, u32 out) {
  request_path(request, &ret);
  text path = word_text(1);
  u32 fields = fields_new();
  if (equal(path, TEXT("/unreachable"))) __builtin_trap();
  if (equal(path, TEXT("/divide"))) zero = path.len / zero;
  if (equal(path, TEXT("/outside"))) zero = *nowhere;
  if (equal(path, TEXT("/recurse"))) zero = recurse(0);
  if (equal(path, TEXT("/bomb")))
    for (;;) *(volatile u8 *)allocate(0, 0, 1, 1 << 20) = 1;
  if (equal(path, TEXT("/wild-text"))) fields_append(fields, nowhere, 100, x, 1, &ret);
  if (equal(path, TEXT("/endless-text"))) fields_append(fields, x, 0xffffffff, x, 1, &ret);
  if (equal(path, TEXT("/endless-list"))) fields_set(fields, x, 1, (u32 *)1024, 0x0fffffff, &ret);
  if (equal(path, TEXT("/not-utf8"))) fields_append(fields, (u8 *)"\xff\xfe", 2, x, 1, &ret);
  if (equal(path, TEXT("/wild-result"))) request_path(request, nowhere);
  if (equal(path, TEXT("/odd-result"))) request_path(request, (u8 *)&ret + 1);
  if (equal(path, TEXT("/forged"))) response_new(12345);
  if (equal(path, TEXT("/mistaken"))) response_new(request);
  if (equal(path, TEXT("/dropped"))) {
    fields_drop(fields);
    response_new(fields);
  }
  if (equal(path, TEXT("/dropped-twice"))) {
    fields_drop(fields);
    fields_drop(fields);
  }
  if (equal(path, TEXT("/twice"))) {
    u32 response = response_new(fields);
    outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0);
    outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0);
    return;
  }
  if (equal(path, TEXT("/borrowed"))) {
    // The request's own headers may be read, not changed.
    fields_append(request_headers(request), x, 1, x, 1, &ret);
    if (!ret.byte[0]) __builtin_trap();
  }
  outparam_set(out, 0, response_new(fields), 0, 0, 0, 0, 0, 0);
}
