// A component of the draft of 18 October 2023, which Spin 2.0 spoke: no setters, bodies by `write`.
#include "guest.h"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

#define HTTP "wasi:http/types@0.2.0-rc-2023-10-18"
#define IO "wasi:io/streams@0.2.0-rc-2023-10-18"
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(u32 self, void *ret);
IMPORT(HTTP, "[constructor]fields") u32 fields_new(void *entries, u32 count);
IMPORT(HTTP, "[constructor]outgoing-response") u32 response_new(u32 status, u32 headers);
IMPORT(HTTP, "[method]outgoing-response.write") void response_write(u32 self, void *ret);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(u32 self, void *ret);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(u32 self, u32 has_trailers, u32 trailers);
IMPORT(HTTP, "[static]response-outparam.set") void outparam_set(u32 self, u32 is_error, u32 response, u32 a, u32 b);
IMPORT(IO, "[method]output-stream.blocking-write-and-flush") void stream_write(u32 self, const u8 *bytes, u32 len, void *ret);
IMPORT(IO, "[resource-drop]output-stream") void output_stream_drop(u32 self);

EXPORT("wasi:http/incoming-handler@0.2.0-rc-2023-10-18#handle") void handle(u32 request, u32 out) {
  static struct { text name, value; } headers[1];
  headers[0].name = TEXT("x-draft");
  headers[0].value = TEXT("2023-10-18");
  request_path(request, &ret);
  put(TEXT("drafted "));
  put(word_text(1));
  if (equal(word_text(1), TEXT("/error"))) {
    text why = TEXT("no");
    return outparam_set(out, 1, 3, (u32)why.at, why.len);
  }
  u32 response = response_new(202, fields_new(headers, 1));
  response_write(response, &ret);
  u32 body = ret.word[1];
  outparam_set(out, 0, response, 0, 0);
  body_write(body, &ret);
  u32 stream = ret.word[1];
  stream_write(stream, out_bytes, out_len, &ret);
  output_stream_drop(stream);
  body_finish(body, 0, 0);
}
