// A component of Spin's own old interface: fermyon:spin/inbound-http.
#include "guest.h"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

// Discriminants and the status take their first bytes only; the rest is padding.
static struct { u32 status, has_headers, headers, header_count, has_body, body, body_len; } response;
static struct { text name, value; } headers[1];

EXPORT("fermyon:spin/inbound-http#handle-request")
void *handle(u32 method, const u8 *uri, u32 uri_len, u32 *names, u32 count, u32 *params, u32 param_count, u32 has_body, const u8 *body, u32 body_len) {
  put(TEXT("method "));
  put_number(method);
  put(TEXT(" uri "));
  put((text){uri, uri_len});
  put(TEXT(" body "));
  if (has_body) put((text){body, body_len});
  headers[0].name = TEXT("x-headers");
  headers[0].value = count > 3 ? TEXT("many") : TEXT("few");
  response.status = 201;
  response.has_headers = response.has_body = 1;
  response.headers = (u32)headers;
  response.header_count = 1;
  response.body = (u32)out_bytes;
  response.body_len = out_len;
  return &response;
}
