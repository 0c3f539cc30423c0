// A wasi:http component that shows each value as it came, and sends values as it is asked to.
#include "guest.h"

#define HTTP "wasi:http/types@0.2.0"
#define IO "wasi:io/streams@0.2.0"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void pollable_block(u32 self);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void pollable_drop(u32 self);
IMPORT(IO, "[method]input-stream.blocking-read") void blocking_read(u32 self, u64 len, void *ret);
IMPORT(IO, "[resource-drop]input-stream") void input_stream_drop(u32 self);
IMPORT(IO, "[method]output-stream.blocking-write-and-flush") void stream_write(u32 self, const u8 *bytes, u32 len, void *ret);
IMPORT(IO, "[resource-drop]output-stream") void output_stream_drop(u32 self);
IMPORT(HTTP, "[method]incoming-request.method") void request_method(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.authority") void request_authority(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.headers") u32 request_headers(u32 self);
IMPORT(HTTP, "[method]incoming-request.consume") void request_consume(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-body.stream") void incoming_stream(u32 self, void *ret);
IMPORT(HTTP, "[static]incoming-body.finish") u32 incoming_finish(u32 self);
IMPORT(HTTP, "[method]future-trailers.subscribe") u32 trailers_subscribe(u32 self);
IMPORT(HTTP, "[method]future-trailers.get") void trailers_get(u32 self, void *ret);
IMPORT(HTTP, "[constructor]fields") u32 fields_new(void);
IMPORT(HTTP, "[method]fields.append")
void fields_append(u32 self, const u8 *name, u32 name_len, const u8 *value, u32 value_len, void *ret);
IMPORT(HTTP, "[method]fields.entries") void fields_entries(u32 self, void *ret);
IMPORT(HTTP, "[constructor]outgoing-response") u32 response_new(u32 headers);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(u32 self, void *ret);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(u32 self, void *ret);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(u32 self, u32 has_trailers, u32 trailers, void *ret);
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(u32 self, u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);
IMPORT(HTTP, "[constructor]outgoing-request") u32 outgoing_new(u32 headers);
IMPORT(HTTP, "[method]outgoing-request.body") void outgoing_body(u32 self, void *ret);
IMPORT(HTTP, "[method]outgoing-request.set-method") u32 outgoing_method(u32 self, u32 tag, const u8 *at, u32 len);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query") u32 outgoing_path(u32 self, u32 some, const u8 *at, u32 len);
IMPORT(HTTP, "[method]outgoing-request.set-scheme") u32 outgoing_scheme(u32 self, u32 some, u32 tag, const u8 *at, u32 len);
IMPORT(HTTP, "[method]outgoing-request.set-authority") u32 outgoing_authority(u32 self, u32 some, const u8 *at, u32 len);
IMPORT(HTTP, "[constructor]request-options") u32 options_new(void);
IMPORT(HTTP, "[method]request-options.set-connect-timeout") u32 options_connect(u32 self, u32 some, u64 nanos);
IMPORT(HTTP, "[method]request-options.set-first-byte-timeout") u32 options_first(u32 self, u32 some, u64 nanos);
IMPORT(HTTP, "[method]request-options.set-between-bytes-timeout") u32 options_between(u32 self, u32 some, u64 nanos);
IMPORT("wasi:http/outgoing-handler@0.2.0", "handle") void outgoing_handle(u32 request, u32 some, u32 options, void *ret);
IMPORT(HTTP, "[method]future-incoming-response.subscribe") u32 future_subscribe(u32 self);
IMPORT(HTTP, "[method]future-incoming-response.get") void future_get(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-response.status") u32 response_status(u32 self);
IMPORT(HTTP, "[method]incoming-response.headers") u32 response_headers(u32 self);
IMPORT(HTTP, "[method]incoming-response.consume") void response_consume(u32 self, void *ret);

static void write(u32 stream, text t) {
  while (t.len) {
    u32 n = t.len < 4096 ? t.len : 4096;
    stream_write(stream, t.at, n, &ret);
    if (ret.byte[0]) return;
    t = after(t, n);
  }
}

static void header(u32 fields, text name, text value) {
  fields_append(fields, name.at, name.len, value.at, value.len, &ret);
  if (ret.byte[0]) __builtin_trap();
}

static void wait(u32 pollable) {
  pollable_block(pollable);
  pollable_drop(pollable);
}

static void answer(u32 out, u32 headers, text body, u32 has_trailers, u32 trailers) {
  u32 response = response_new(headers);
  response_body(response, &ret);
  u32 handle = ret.word[1];
  outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0);
  body_write(handle, &ret);
  u32 stream = ret.word[1];
  write(stream, body);
  output_stream_drop(stream);
  body_finish(handle, has_trailers, trailers, &ret);
}

static void put_fields(u32 fields) {
  fields_entries(fields, &ret);
  u32 *list = (u32 *)ret.word[0], count = ret.word[1];
  for (u32 i = 0; i < count; i++) {
    put((text){(const u8 *)list[4 * i], list[4 * i + 1]});
    put(TEXT(": "));
    put((text){(const u8 *)list[4 * i + 2], list[4 * i + 3]});
    put(TEXT("\n"));
  }
}

/** Reads a body to its end; gives its trailers, or 0. `show` puts what it says. */
static u32 read_body(u32 body, int show) {
  incoming_stream(body, &ret);
  u32 in = ret.word[1];
  for (;;) {
    u32 mark = top;
    blocking_read(in, 4096, &ret);
    if (ret.byte[0]) {
      if (!ret.byte[4]) put(TEXT("[failed]"));
      break;
    }
    if (show) put(word_text(1));
    top = mark;
  }
  input_stream_drop(in);
  u32 future = incoming_finish(body);
  wait(trailers_subscribe(future));
  trailers_get(future, &ret);
  return ret.byte[0] && !ret.byte[8] && !ret.byte[16] && ret.byte[24] ? ret.word[7] : 0;
}

// `METHOD WITH-BODY SCHEME AUTHORITY PATH`, separated by spaces that are written `+`.
static text word_of(text *rest) {
  u32 n = 0;
  while (n < rest->len && rest->at[n] != '+') n++;
  text word = {rest->at, n};
  *rest = after(*rest, n < rest->len ? n + 1 : n);
  return word;
}

static void send(text rest) {
  text method = word_of(&rest), with_body = word_of(&rest), scheme = word_of(&rest), authority = word_of(&rest);
  u32 headers = fields_new();
  header(headers, TEXT("x-twice"), TEXT("1"));
  header(headers, TEXT("x-other"), TEXT("\x80\xff"));
  header(headers, TEXT("x-twice"), TEXT("2"));
  if (equal(with_body, TEXT("expect"))) header(headers, TEXT("expect"), TEXT("100-continue"));
  if (equal(with_body, TEXT("length"))) header(headers, TEXT("content-length"), TEXT("10"));
  u32 request = outgoing_new(headers);
  if (equal(method, TEXT("POST"))) outgoing_method(request, 2, 0, 0);
  else if (!equal(method, TEXT("GET"))) outgoing_method(request, 9, method.at, method.len);
  outgoing_scheme(request, 1, equal(scheme, TEXT("https")), 0, 0);
  if (!equal(authority, TEXT("none"))) outgoing_authority(request, 1, authority.at, authority.len);
  outgoing_path(request, 1, rest.at, rest.len);
  u32 body = 0, options = options_new();
  u64 timeout = 300000000;
  options_connect(options, 1, timeout);
  if (starts(rest, TEXT("/slow"))) options_first(options, 1, timeout), options_between(options, 1, timeout);
  if (!equal(with_body, TEXT("none"))) {
    outgoing_body(request, &ret);
    body = ret.word[1];
  }
  outgoing_handle(request, 1, options, &ret);
  if (ret.byte[0]) {
    put(TEXT("refused "));
    return put_number(ret.byte[8]);
  }
  u32 future = ret.word[2];
  if (!equal(with_body, TEXT("none"))) {
    body_write(body, &ret);
    u32 stream = ret.word[1];
    if (!equal(with_body, TEXT("open"))) write(stream, TEXT("guest body"));
    output_stream_drop(stream);
    u32 trailers = 0;
    if (equal(with_body, TEXT("trailers"))) {
      trailers = fields_new();
      header(trailers, TEXT("x-sum"), TEXT("10"));
    }
    body_finish(body, trailers != 0, trailers, &ret);
  }
  wait(future_subscribe(future));
  future_get(future, &ret);
  if (ret.byte[16]) {
    put(TEXT("error "));
    return put_number(ret.byte[24]);
  }
  u32 response = ret.word[6];
  put_number(response_status(response));
  put(TEXT("\n"));
  put_fields(response_headers(response));
  put(TEXT("\n"));
  response_consume(response, &ret);
  u32 trailers = read_body(ret.word[1], 1);
  if (trailers) {
    put(TEXT("\n-- "));
    put_fields(trailers);
  }
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle(u32 request, u32 out) {
  request_path(request, &ret);
  text path = word_text(1);
  u32 headers = fields_new();
  if (starts(path, TEXT("/send/"))) {
    send(after(path, 6));
    return answer(out, headers, printed(), 0, 0);
  }
  if (equal(path, TEXT("/bare"))) return outparam_set(out, 0, response_new(headers), 0, 0, 0, 0, 0, 0);
  if (equal(path, TEXT("/opened"))) return answer(out, headers, TEXT(""), 0, 0);
  if (equal(path, TEXT("/twice"))) {
    static u8 bytes[1 + 0xff - 0x20];
    u32 n = 0;
    bytes[n++] = 'v';
    for (u32 byte = 0x21; byte <= 0xff; byte++)
      if (byte != 0x7f) bytes[n++] = byte;
    header(headers, TEXT("x-b"), TEXT("1"));
    header(headers, TEXT("set-cookie"), TEXT("a=1"));
    header(headers, TEXT("x-a"), TEXT("2"));
    header(headers, TEXT("x-b"), TEXT("3"));
    header(headers, TEXT("set-cookie"), TEXT("b=2"));
    header(headers, TEXT("x-bytes"), (text){bytes, n});
    header(headers, TEXT("x-empty"), TEXT(""));
    return answer(out, headers, TEXT("twice"), 0, 0);
  }
  if (equal(path, TEXT("/trailers"))) {
    header(headers, TEXT("trailer"), TEXT("x-sum"));
    request_consume(request, &ret);
    u32 trailers = read_body(ret.word[1], 0);
    if (trailers) put_fields(trailers);
    u32 sent = fields_new();
    header(sent, TEXT("x-sum"), TEXT("0"));
    return answer(out, headers, printed(), 1, sent);
  }
  request_method(request, &ret);
  if (ret.byte[0] == 9) put(word_text(1));
  else put_number(ret.byte[0]);
  put(TEXT(" "));
  put(path);
  request_authority(request, &ret);
  put(TEXT("\nauthority "));
  if (ret.byte[0]) put(word_text(1));
  put(TEXT("\n"));
  put_fields(request_headers(request));
  answer(out, headers, printed(), 0, 0);
}
