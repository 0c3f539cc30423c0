// A wasi:http component with one path for each thing that a host must do or refuse.
#include "guest.h"

#define HTTP "wasi:http/types@0.2.0"
#define IO "wasi:io/streams@0.2.0"
#define FS "wasi:filesystem/types@0.2.0"
#define KV "fermyon:spin/key-value@2.0.0"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

IMPORT("wasi:cli/exit@0.2.0", "exit") void cli_exit(u32 is_error);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr") u32 get_stderr(void);
IMPORT("wasi:cli/environment@0.2.0", "get-environment") void get_environment(void *ret);
IMPORT("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration") u32 subscribe_duration(u64 nanos);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void pollable_block(u32 self);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void pollable_drop(u32 self);
IMPORT("wasi:filesystem/preopens@0.2.0", "get-directories") void get_directories(void *ret);
IMPORT(FS, "[method]descriptor.open-at")
void open_at(u32 dir, u32 path_flags, const u8 *path, u32 len, u32 open_flags, u32 flags, void *ret);
IMPORT(FS, "[method]descriptor.write") void file_write(u32 self, const u8 *bytes, u32 len, u64 offset, void *ret);
IMPORT(FS, "[method]descriptor.create-directory-at") void make_directory(u32 self, const u8 *path, u32 len, void *ret);
IMPORT(FS, "[method]descriptor.unlink-file-at") void unlink_file(u32 self, const u8 *path, u32 len, void *ret);
IMPORT(IO, "[method]input-stream.blocking-read") void blocking_read(u32 self, u64 len, void *ret);
IMPORT(IO, "[resource-drop]input-stream") void input_stream_drop(u32 self);
IMPORT(IO, "[method]output-stream.blocking-write-and-flush") void stream_write(u32 self, const u8 *bytes, u32 len, void *ret);
IMPORT(IO, "[resource-drop]output-stream") void output_stream_drop(u32 self);
IMPORT(HTTP, "[method]incoming-request.method") void request_method(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.headers") u32 request_headers(u32 self);
IMPORT(HTTP, "[method]incoming-request.consume") void request_consume(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-body.stream") void incoming_stream(u32 self, void *ret);
IMPORT(HTTP, "[constructor]fields") u32 fields_new(void);
IMPORT(HTTP, "[method]fields.append")
void fields_append(u32 self, const u8 *name, u32 name_len, const u8 *value, u32 value_len, void *ret);
IMPORT(HTTP, "[method]fields.entries") void fields_entries(u32 self, void *ret);
IMPORT(HTTP, "[constructor]outgoing-response") u32 response_new(u32 headers);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") u32 response_set_status(u32 self, u32 status);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(u32 self, void *ret);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(u32 self, void *ret);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(u32 self, u32 has_trailers, u32 trailers, void *ret);
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(u32 self, u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);
IMPORT(HTTP, "[constructor]outgoing-request") u32 outgoing_new(u32 headers);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query") u32 outgoing_path(u32 self, u32 some, const u8 *at, u32 len);
IMPORT(HTTP, "[method]outgoing-request.set-scheme") u32 outgoing_scheme(u32 self, u32 some, u32 tag, const u8 *at, u32 len);
IMPORT(HTTP, "[method]outgoing-request.set-authority") u32 outgoing_authority(u32 self, u32 some, const u8 *at, u32 len);
IMPORT("wasi:http/outgoing-handler@0.2.0", "handle") void outgoing_handle(u32 request, u32 some, u32 options, void *ret);
IMPORT(HTTP, "[method]future-incoming-response.subscribe") u32 future_subscribe(u32 self);
IMPORT(HTTP, "[method]future-incoming-response.get") void future_get(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-response.status") u32 response_status(u32 self);
IMPORT(HTTP, "[method]incoming-response.consume") void response_consume(u32 self, void *ret);
IMPORT("fermyon:spin/variables@2.0.0", "get") void variables_get(const u8 *name, u32 len, void *ret);
IMPORT(KV, "[static]store.open") void store_open(const u8 *label, u32 len, void *ret);
IMPORT(KV, "[method]store.get") void store_get(u32 self, const u8 *key, u32 len, void *ret);
IMPORT(KV, "[method]store.set") void store_set(u32 self, const u8 *key, u32 len, const u8 *value, u32 value_len, void *ret);
IMPORT("fermyon:spin/sqlite@2.0.0", "[static]connection.open") void sqlite_open(const u8 *name, u32 len, void *ret);

typedef struct { u32 body, stream; } answer;

static void write(u32 stream, text t) {
  while (t.len) {
    u32 n = t.len < 4096 ? t.len : 4096;
    stream_write(stream, t.at, n, &ret);
    if (ret.byte[0]) return;
    t = after(t, n);
  }
}

static u32 header(u32 fields, text name, text value) {
  fields_append(fields, name.at, name.len, value.at, value.len, &ret);
  return ret.byte[0] ? 1 + ret.byte[1] : 0;
}

static answer begin_with(u32 out, u32 status, u32 headers) {
  u32 response = response_new(headers);
  response_set_status(response, status);
  response_body(response, &ret);
  answer a = {ret.word[1], 0};
  outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0);
  body_write(a.body, &ret);
  a.stream = ret.word[1];
  return a;
}

static answer begin(u32 out, u32 status) {
  u32 headers = fields_new();
  header(headers, TEXT("content-type"), TEXT("text/plain"));
  return begin_with(out, status, headers);
}

static void end(answer a) {
  output_stream_drop(a.stream);
  body_finish(a.body, 0, 0, &ret);
}

static void echo(u32 request, u32 out) {
  request_consume(request, &ret);
  incoming_stream(ret.word[1], &ret);
  u32 in = ret.word[1];
  answer a = begin(out, 200);
  for (;;) {
    u32 mark = top;
    blocking_read(in, 65536, &ret);
    if (ret.byte[0]) break;
    write(a.stream, word_text(1));
    top = mark;
  }
  input_stream_drop(in);
  end(a);
}

static void outbound(text target) {
  u32 n = 0;
  while (n < target.len && target.at[n] != '/') n++;
  u32 request = outgoing_new(fields_new());
  outgoing_scheme(request, 1, 0, 0, 0);
  if (n) outgoing_authority(request, 1, target.at, n);
  outgoing_path(request, 1, target.at + n, target.len - n);
  outgoing_handle(request, 0, 0, &ret);
  if (ret.byte[0]) {
    put(TEXT("refused "));
    put_number(ret.byte[8]);
    return;
  }
  u32 future = ret.word[2], pollable = future_subscribe(future);
  pollable_block(pollable);
  pollable_drop(pollable);
  future_get(future, &ret);
  // option<result<result<own, error-code>>>
  if (ret.byte[16]) {
    put(TEXT("error "));
    put_number(ret.byte[24]);
    return;
  }
  u32 response = ret.word[6];
  put_number(response_status(response));
  put(TEXT(" "));
  response_consume(response, &ret);
  incoming_stream(ret.word[1], &ret);
  u32 in = ret.word[1];
  for (;;) {
    blocking_read(in, 65536, &ret);
    if (ret.byte[0]) break;
    put(word_text(1));
  }
}

static void slow(u32 out) {
  answer a = begin(out, 200);
  for (u32 i = 0; i < 3; i++) {
    u32 pollable = subscribe_duration(20000000);
    pollable_block(pollable);
    pollable_drop(pollable);
    write(a.stream, TEXT("tick\n"));
  }
  end(a);
}

static void say(text what, u32 code) {
  put(what);
  put_number(code);
  put(TEXT("\n"));
}

// Each line is the error code, or 0 for success.
static void files(void) {
  get_directories(&ret);
  say(TEXT("mounts "), ret.word[1]);
  if (!ret.word[1]) return;
  u32 root = *(u32 *)ret.word[0];
  text name = TEXT("a/b.txt"), up = TEXT("../secret"), abs = TEXT("/etc/passwd"), fresh = TEXT("new"), sly = TEXT("a/../../x");
  open_at(root, 0, name.at, name.len, 0, 1, &ret);
  say(TEXT("read "), ret.byte[0] ? ret.byte[4] : 0);
  u32 file = ret.word[1];
  file_write(file, name.at, 1, 0, &ret);
  say(TEXT("write "), ret.byte[0] ? ret.byte[8] : 0);
  open_at(root, 0, name.at, name.len, 0, 3, &ret);
  say(TEXT("open-write "), ret.byte[0] ? ret.byte[4] : 0);
  open_at(root, 0, fresh.at, fresh.len, 1, 3, &ret);
  say(TEXT("create "), ret.byte[0] ? ret.byte[4] : 0);
  open_at(root, 0, name.at, name.len, 8, 3, &ret);
  say(TEXT("truncate "), ret.byte[0] ? ret.byte[4] : 0);
  make_directory(root, fresh.at, fresh.len, &ret);
  say(TEXT("mkdir "), ret.byte[0] ? ret.byte[1] : 0);
  unlink_file(root, name.at, name.len, &ret);
  say(TEXT("unlink "), ret.byte[0] ? ret.byte[1] : 0);
  open_at(root, 0, up.at, up.len, 0, 1, &ret);
  say(TEXT("up "), ret.byte[0] ? ret.byte[4] : 0);
  open_at(root, 0, abs.at, abs.len, 0, 1, &ret);
  say(TEXT("absolute "), ret.byte[0] ? ret.byte[4] : 0);
  open_at(root, 0, sly.at, sly.len, 0, 1, &ret);
  say(TEXT("sly "), ret.byte[0] ? ret.byte[4] : 0);
}

static void headers_of(u32 request) {
  fields_entries(request_headers(request), &ret);
  u32 *list = (u32 *)ret.word[0], count = ret.word[1];
  for (u32 i = 0; i < count; i++) {
    put((text){(const u8 *)list[4 * i], list[4 * i + 1]});
    put(TEXT(": "));
    put((text){(const u8 *)list[4 * i + 2], list[4 * i + 3]});
    put(TEXT("\n"));
  }
}

static void key_value(text label) {
  store_open(label.at, label.len, &ret);
  if (ret.byte[0]) return say(TEXT("error "), ret.byte[4]);
  u32 store = ret.word[1], count = 0;
  text key = TEXT("count");
  store_get(store, key.at, key.len, &ret);
  if (ret.byte[4]) count = *(u8 *)ret.word[2];
  u8 next = count + 1;
  store_set(store, key.at, key.len, &next, 1, &ret);
  say(TEXT("count "), next);
}

static void inject(u32 out) {
  u32 headers = fields_new();
  say(TEXT("crlf "), header(headers, TEXT("x"), TEXT("a\r\nset-cookie: b")));
  say(TEXT("name "), header(headers, TEXT("x: y"), TEXT("a")));
  say(TEXT("nul "), header(headers, TEXT("x"), TEXT("a\0b")));
  say(TEXT("host "), header(headers, TEXT("Transfer-Encoding"), TEXT("chunked")));
  say(TEXT("fine "), header(headers, TEXT("x-fine"), TEXT("a\tb")));
  answer a = begin_with(out, 200, headers);
  write(a.stream, printed());
  end(a);
}

static void environment(void) {
  get_environment(&ret);
  u32 *list = (u32 *)ret.word[0], count = ret.word[1];
  for (u32 i = 0; i < count; i++) {
    put((text){(const u8 *)list[4 * i], list[4 * i + 1]});
    put(TEXT("="));
    put((text){(const u8 *)list[4 * i + 2], list[4 * i + 3]});
    put(TEXT("\n"));
  }
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle(u32 request, u32 out) {
  request_path(request, &ret);
  text path = word_text(1);
  u32 status = 200;
  if (starts(path, TEXT("/echo"))) return echo(request, out);
  if (equal(path, TEXT("/slow"))) return slow(out);
  if (equal(path, TEXT("/inject"))) return inject(out);
  if (equal(path, TEXT("/none"))) return;
  if (equal(path, TEXT("/trap"))) __builtin_trap();
  if (equal(path, TEXT("/exit"))) cli_exit(1);
  if (equal(path, TEXT("/error"))) return outparam_set(out, 1, 36, 0, 0, 0, 0, 0, 0);
  if (equal(path, TEXT("/loop"))) {
    write(get_stderr(), TEXT("looping\n"));
    for (;;) __asm__ volatile("" ::: "memory");
  }
  if (equal(path, TEXT("/bomb")))
    for (;;) *(volatile u8 *)allocate(0, 0, 1, 1 << 20) = 1;
  if (equal(path, TEXT("/late-trap"))) {
    answer a = begin(out, 200);
    write(a.stream, TEXT("before"));
    __builtin_trap();
  }
  if (equal(path, TEXT("/unfinished"))) {
    answer a = begin(out, 200);
    write(a.stream, TEXT("half"));
    return output_stream_drop(a.stream);
  }
  if (starts(path, TEXT("/status/"))) {
    status = 0;
    for (text t = after(path, 8); t.len; t = after(t, 1)) status = status * 10 + *t.at - '0';
  } else if (starts(path, TEXT("/out/"))) outbound(after(path, 5));
  else if (starts(path, TEXT("/self/"))) outbound(after(path, 5));
  else if (equal(path, TEXT("/files"))) files();
  else if (equal(path, TEXT("/env"))) environment();
  else if (starts(path, TEXT("/kv/"))) key_value(after(path, 4));
  else if (equal(path, TEXT("/sqlite"))) sqlite_open(path.at, path.len, &ret);
  else if (starts(path, TEXT("/var/"))) {
    text name = after(path, 5);
    variables_get(name.at, name.len, &ret);
    if (ret.byte[0]) say(TEXT("error "), ret.byte[4]);
    else put(word_text(1));
  } else if (equal(path, TEXT("/log"))) {
    u32 log = get_stderr();
    write(log, TEXT("one\ntwo"));
    output_stream_drop(log);
  } else headers_of(request);
  answer a = begin(out, status);
  write(a.stream, printed());
  end(a);
}
