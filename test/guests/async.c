// A wasi:http 0.3 component. Each route is a routine that starts again where it stopped: the host
// calls back with what happened. With STACKFUL the same routines stand still instead; with PLAIN they
// are those that need nothing of Spin, for hosts that have only WASI.
#include "guest.h"

#define HTTP "wasi:http/types@0.3.0"
#define FS "wasi:filesystem/types@0.3.0"
#define KV "spin:key-value/key-value@3.0.0"
#define RESPONSE "[static]response.new"
#define REQUEST "[static]request.new"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

IMPORT("$root", "[waitable-set-new]") u32 set_new(void);
IMPORT("$root", "[waitable-join]") void join(u32 waitable, u32 set);
IMPORT("$root", "[subtask-drop]") void subtask_drop(u32 self);
IMPORT("$root", "[subtask-cancel]") u32 subtask_cancel(u32 self);
#ifdef STACKFUL
IMPORT("$root", "[waitable-set-wait]") u32 set_wait(u32 set, void *payload);
#endif
IMPORT("[export]wasi:http/handler@0.3.0", "[task-return]handle")
void task_return(u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);

IMPORT("wasi:clocks/monotonic-clock@0.3.0", "[async-lower]wait-for") u32 wait_for(u64 nanos);

IMPORT("wasi:cli/stdout@0.3.0", "write-via-stream") u32 print_stream(u32 data);
IMPORT("wasi:cli/stdout@0.3.0", "[stream-new-0]write-via-stream") u64 print_new(void);
IMPORT("wasi:cli/stdout@0.3.0", "[async-lower][stream-write-0]write-via-stream") u32 print_write(u32 self, const void *at, u32 len);
IMPORT("wasi:cli/stdout@0.3.0", "[stream-drop-writable-0]write-via-stream") void print_drop(u32 self);
IMPORT("wasi:cli/stdout@0.3.0", "[async-lower][future-read-1]write-via-stream") u32 print_result(u32 self, void *to);
IMPORT("wasi:cli/stdout@0.3.0", "[future-drop-readable-1]write-via-stream") void print_result_drop(u32 self);

IMPORT("wasi:filesystem/preopens@0.3.0", "get-directories") void get_directories(void *ret);
IMPORT(FS, "[async-lower][method]descriptor.open-at") u32 open_at(const void *params, void *ret);
IMPORT(FS, "[method]descriptor.read-via-stream") void file_read(u32 self, u64 offset, void *ret);
IMPORT(FS, "[async-lower][stream-read-0][method]descriptor.read-via-stream") u32 file_stream_read(u32 self, void *to, u32 len);
IMPORT(FS, "[stream-drop-readable-0][method]descriptor.read-via-stream") void file_stream_drop(u32 self);
IMPORT(FS, "[async-lower][future-read-1][method]descriptor.read-via-stream") u32 file_result(u32 self, void *to);
IMPORT(FS, "[method]descriptor.read-directory") void directory_read(u32 self, void *ret);
IMPORT(FS, "[async-lower][stream-read-0][method]descriptor.read-directory") u32 directory_stream_read(u32 self, void *to, u32 len);
IMPORT(FS, "[method]descriptor.write-via-stream") u32 file_write(u32 self, u32 data, u64 offset);
IMPORT(FS, "[stream-new-0][method]descriptor.write-via-stream") u64 file_write_new(void);
IMPORT(FS, "[stream-drop-writable-0][method]descriptor.write-via-stream") void file_write_drop(u32 self);
IMPORT(FS, "[async-lower][future-read-1][method]descriptor.write-via-stream") u32 file_write_result(u32 self, void *to);

IMPORT(HTTP, "[constructor]fields") u32 fields_new(void);
IMPORT(HTTP, "[method]fields.append")
void fields_append(u32 self, const u8 *name, u32 name_len, const u8 *value, u32 value_len, void *ret);
IMPORT(HTTP, "[method]request.get-path-with-query") void request_path(u32 self, void *ret);
IMPORT(HTTP, "[method]request.set-path-with-query") u32 set_path(u32 self, u32 some, const u8 *at, u32 len);
IMPORT(HTTP, "[method]request.set-scheme") u32 set_scheme(u32 self, u32 some, u32 tag, const u8 *at, u32 len);
IMPORT(HTTP, "[method]request.set-authority") u32 set_authority(u32 self, u32 some, const u8 *at, u32 len);
IMPORT(HTTP, "[static]request.consume-body") void request_body(u32 self, u32 result, void *ret);
IMPORT(HTTP, "[future-new-0][static]request.consume-body") u64 consumed_new(void);
IMPORT(HTTP, "[async-lower][future-write-0][static]request.consume-body") u32 consumed_write(u32 self, const void *at);
IMPORT(HTTP, "[async-lower][stream-read-1][static]request.consume-body") u32 body_read(u32 self, void *to, u32 len);
IMPORT(HTTP, "[stream-drop-readable-1][static]request.consume-body") void body_drop(u32 self);
IMPORT(HTTP, "[async-lower][future-read-2][static]request.consume-body") u32 body_result(u32 self, void *to);
IMPORT(HTTP, REQUEST) void request_new(u32 headers, u32 some, u32 contents, u32 trailers, u32 some_options, u32 options, void *ret);
IMPORT(HTTP, "[static]response.consume-body") void response_body(u32 self, u32 result, void *ret);
IMPORT(HTTP, "[method]response.get-status-code") u32 response_status(u32 self);
IMPORT(HTTP, RESPONSE) void response_new(u32 headers, u32 some, u32 contents, u32 trailers, void *ret);
IMPORT(HTTP, "[method]response.set-status-code") u32 response_set_status(u32 self, u32 status);
IMPORT(HTTP, "[stream-new-0]" RESPONSE) u64 stream_new(void);
IMPORT(HTTP, "[async-lower][stream-write-0]" RESPONSE) u32 stream_write(u32 self, const void *at, u32 len);
IMPORT(HTTP, "[stream-drop-writable-0]" RESPONSE) void stream_drop(u32 self);
IMPORT(HTTP, "[future-new-1]" RESPONSE) u64 trailers_new(void);
IMPORT(HTTP, "[async-lower][future-write-1]" RESPONSE) u32 trailers_write(u32 self, const void *at);
IMPORT(HTTP, "[future-drop-writable-1]" RESPONSE) void trailers_drop(u32 self);
IMPORT(HTTP, "[async-lower][future-read-2]" RESPONSE) u32 sent_read(u32 self, void *to);
#ifndef PLAIN
IMPORT("spin:variables/variables@3.0.0", "[async-lower]get") u32 variable_get(const u8 *name, u32 len, void *ret);
IMPORT(KV, "[async-lower][static]store.open") u32 store_open(const u8 *label, u32 len, void *ret);
IMPORT(KV, "[async-lower][method]store.get") u32 store_get(u32 self, const u8 *key, u32 len, void *ret);
IMPORT(KV, "[async-lower][method]store.set") u32 store_set(const void *params, void *ret);
IMPORT(KV, "[async-lower][method]store.get-keys") u32 store_keys(u32 self, void *ret);
IMPORT(KV, "[async-lower][stream-read-0][method]store.get-keys") u32 keys_read(u32 self, void *to, u32 len);
IMPORT(KV, "[async-lower][future-read-1][method]store.get-keys") u32 keys_result(u32 self, void *to);
#endif
IMPORT("wasi:http/client@0.3.0", "[async-lower]send") u32 client_send(u32 request, void *ret);

#define BLOCKED 0xffffffff

static u32 step, set, body, trailers, sent, r, task, n, at, in, in_result;
static u32 request;
static u64 ends;
static text path;
static u8 buffer[4096];
// An `ok` of any result that the futures carry, and of an option: all zero.
static u64 nothing[8];
static u32 (*routine)(u32 payload);

#define BEGIN switch (step) { case 0:
#define END } return 0
#ifdef STACKFUL
#define PAUSE(handle) { u32 event[2]; join(handle, set); set_wait(set, event); payload = event[1]; }
#else
#define PAUSE(handle) { join(handle, set); step = __LINE__; return 2 | set << 4; case __LINE__:; }
#endif
// What a copy comes to, at once or later.
#define COPY(call, handle) r = (call); if (r == BLOCKED) { PAUSE(handle) join(handle, 0); r = payload; }
// A call that is done when its subtask has returned.
#define CALL(call) r = (call); if ((r & 15) != 2) { task = r >> 4; do PAUSE(task) while (payload != 2); join(task, 0); subtask_drop(task); }

static u32 respond(u32 status) {
  u32 headers = fields_new();
  text name = TEXT("content-type"), value = TEXT("text/plain");
  fields_append(headers, name.at, name.len, value.at, value.len, &ret);
  u64 contents = stream_new();
  ends = trailers_new();
  body = contents >> 32;
  trailers = ends >> 32;
  response_new(headers, 1, (u32)contents, (u32)ends, &ret);
  u32 response = ret.word[0];
  sent = ret.word[1];
  response_set_status(response, status);
  return response;
}
static void answer(u32 status) { task_return(0, respond(status), 0, 0, 0, 0, 0, 0); }

// Writes what is printed, then ends the body.
#define WRITE_ALL for (at = 0; at < out_len; at += r >> 4) { COPY(stream_write(body, out_bytes + at, out_len - at), body) if (r & 15) break; } out_len = 0;
#define FINISH stream_drop(body); COPY(trailers_write(trailers, nothing), trailers) trailers_drop(trailers);

static u32 hello(u32 payload) {
  BEGIN
  put(TEXT("Hello from 0.3!"));
  answer(200);
  WRITE_ALL
  FINISH
  END;
}

static u32 missing(u32 payload) {
  BEGIN
  answer(404);
  FINISH
  END;
}

static u32 echo(u32 payload) {
  BEGIN
  request_body(request, (u32)consumed_new(), &ret);
  in = ret.word[0];
  in_result = ret.word[1];
  answer(200);
  do {
    COPY(body_read(in, buffer, sizeof buffer), in)
    n = r;
    for (at = 0; at < n >> 4; at += r >> 4) { COPY(stream_write(body, buffer + at, (n >> 4) - at), body) if (r & 15) break; }
  } while (!(n & 15));
  body_drop(in);
  COPY(body_result(in_result, &ret), in_result)
  FINISH
  END;
}

static u32 slow(u32 payload) {
  BEGIN
  answer(200);
  for (n = 0; n < 3; n++) {
    CALL(wait_for(20000000))
    put(TEXT("tick\n"));
    WRITE_ALL
  }
  FINISH
  END;
}

// Gives up a wait of an hour.
static u32 cancel(u32 payload) {
  BEGIN
  task = wait_for(3600000000000) >> 4;
  put_number(subtask_cancel(task));
  subtask_drop(task);
  answer(200);
  WRITE_ALL
  FINISH
  END;
}

static u32 outbound(u32 payload) {
  static text target;
  BEGIN
  target = after(path, 10);
  n = 0;
  while (n < target.len && target.at[n] != '/') n++;
  ends = trailers_new();
  trailers = ends >> 32;
  request_new(fields_new(), 0, 0, (u32)ends, 0, 0, &ret);
  request = ret.word[0];
  set_scheme(request, 1, 0, 0, 0);
  if (n) set_authority(request, 1, target.at, n);
  set_path(request, 1, target.at + n, target.len - n);
  CALL(client_send(request, &ret))
  if (ret.byte[0]) {
    put(TEXT("error "));
    put_number(ret.byte[8]);
  } else {
    u32 response = ret.word[2];
    put_number(response_status(response));
    put(TEXT(" "));
    response_body(response, (u32)consumed_new(), &ret);
    in = ret.word[0];
    do {
      COPY(body_read(in, buffer, sizeof buffer), in)
      put((text){buffer, r >> 4});
    } while (!(r & 15));
    COPY(trailers_write(trailers, nothing), trailers)
  }
  answer(200);
  WRITE_ALL
  FINISH
  END;
}

static u32 print(u32 payload) {
  static u32 stream;
  BEGIN
  ends = print_new();
  stream = ends >> 32;
  in_result = print_stream((u32)ends);
  text line = TEXT("printed by 0.3\n");
  COPY(print_write(stream, line.at, line.len), stream)
  print_drop(stream);
  COPY(print_result(in_result, &ret), in_result)
  put(ret.byte[0] ? TEXT("failed") : TEXT("done"));
  answer(200);
  WRITE_ALL
  FINISH
  END;
}

static void say(text what, u32 code) {
  put(what);
  put_number(code);
  put(TEXT("\n"));
}

static u32 files(u32 payload) {
  static struct { u32 self; u8 path_flags; text path; u8 open_flags, flags; } params;
  static u32 root, file;
  static union { u32 word[64]; u8 byte[256]; } entries;
  BEGIN
  get_directories(&ret);
  root = *(u32 *)ret.word[0];
  params.self = root;
  params.path = TEXT("a/b.txt");
  params.flags = 1;
  CALL(open_at(&params, &ret))
  if (ret.byte[0]) say(TEXT("open "), ret.byte[4]);
  file = ret.word[1];
  file_read(file, 2, &ret);
  in = ret.word[0];
  in_result = ret.word[1];
  do {
    COPY(file_stream_read(in, buffer, 3), in)
    put((text){buffer, r >> 4});
  } while (!(r & 15));
  file_stream_drop(in);
  COPY(file_result(in_result, &ret), in_result)
  say(TEXT("\nread "), ret.byte[0]);
  ends = file_write_new();
  in = ends >> 32;
  in_result = file_write(file, (u32)ends, 0);
  file_write_drop(in);
  COPY(file_write_result(in_result, &ret), in_result)
  say(TEXT("write "), ret.byte[0] ? ret.byte[4] : 0);
  params.path = TEXT("../x");
  CALL(open_at(&params, &ret))
  say(TEXT("up "), ret.byte[0] ? ret.byte[4] : 0);
  directory_read(root, &ret);
  in = ret.word[0];
  COPY(directory_stream_read(in, &entries, 2), in)
  // directory-entry: a variant of four words, then the name.
  for (n = 0; n < r >> 4; n++) {
    put((text){(const u8 *)entries.word[n * 6 + 4], entries.word[n * 6 + 5]});
    say(TEXT(" "), entries.byte[n * 24]);
  }
  answer(200);
  WRITE_ALL
  FINISH
  END;
}

#ifndef PLAIN
static u32 variable(u32 payload) {
  BEGIN
  CALL(variable_get((const u8 *)"name", 4, &ret))
  if (ret.byte[0]) say(TEXT("error "), ret.byte[4]);
  else put(word_text(1));
  answer(200);
  WRITE_ALL
  FINISH
  END;
}

static u32 key_value(u32 payload) {
  static struct { u32 self; text key, value; } params;
  static u32 store;
  static text keys[4];
  BEGIN
  CALL(store_open((const u8 *)"default", 7, &ret))
  if (ret.byte[0]) say(TEXT("open "), ret.byte[4]);
  else {
    params.self = store = ret.word[1];
    params.key = TEXT("one");
    params.value = TEXT("value");
    CALL(store_set(&params, &ret))
    say(TEXT("set "), ret.byte[0]);
    CALL(store_get(store, params.key.at, params.key.len, &ret))
    if (ret.byte[4]) put(word_text(2));
    CALL(store_keys(store, &ret))
    in = ret.word[0];
    in_result = ret.word[1];
    COPY(keys_read(in, keys, 4), in)
    say(TEXT("\nkeys "), r >> 4);
    put(keys[0]);
    COPY(keys_read(in, keys, 4), in)
    COPY(keys_result(in_result, &ret), in_result)
    say(TEXT("\nend "), ret.byte[0]);
  }
  answer(200);
  WRITE_ALL
  FINISH
  END;
}
#endif

static u32 late_trap(u32 payload) {
  BEGIN
  put(TEXT("before"));
  answer(200);
  WRITE_ALL
  __builtin_trap();
  END;
}

// Leaves its body open and goes.
static u32 unfinished(u32 payload) {
  BEGIN
  put(TEXT("before"));
  answer(200);
  WRITE_ALL
  END;
}

// Says that its body broke off.
static u32 broken(u32 payload) {
  static u64 failure[8];
  BEGIN
  put(TEXT("before"));
  answer(200);
  WRITE_ALL
  ((u8 *)failure)[0] = 1;
  ((u8 *)failure)[8] = 7;
  stream_drop(body);
  COPY(trailers_write(trailers, failure), trailers)
  END;
}

static u32 forever(u32 payload) {
  BEGIN
  CALL(wait_for(3600000000000))
  END;
}

// Waits for an end that nobody reads or writes.
static u32 deadlock(u32 payload) {
  BEGIN
  ends = trailers_new();
  PAUSE((u32)ends)
  END;
}
static u32 late_deadlock(u32 payload) {
  BEGIN
  put(TEXT("before"));
  answer(200);
  WRITE_ALL
  ends = trailers_new();
  PAUSE((u32)ends)
  END;
}

static u32 failing(u32 payload) {
  task_return(1, 36, 0, 0, 0, 0, 0, 0);
  return 0;
}
static u32 silent(u32 payload) { return 0; }
static u32 trapping(u32 payload) { __builtin_trap(); }
static u32 twice(u32 payload) {
  failing(0);
  return failing(0);
}

static u32 begin(u32 given) {
  request = given;
  set = set_new();
  request_path(request, &ret);
  path = word_text(1);
  routine = equal(path, TEXT("/hello"))        ? hello
            : starts(path, TEXT("/echo"))      ? echo
            : starts(path, TEXT("/outbound/")) ? outbound
            : equal(path, TEXT("/slow"))       ? slow
            : equal(path, TEXT("/cancel"))     ? cancel
            : equal(path, TEXT("/print"))      ? print
            : equal(path, TEXT("/files"))      ? files
#ifndef PLAIN
            : equal(path, TEXT("/variable"))   ? variable
            : equal(path, TEXT("/kv"))         ? key_value
#endif
            : equal(path, TEXT("/late-trap"))  ? late_trap
            : equal(path, TEXT("/unfinished")) ? unfinished
            : equal(path, TEXT("/broken"))     ? broken
            : equal(path, TEXT("/forever"))    ? forever
            : equal(path, TEXT("/deadlock"))   ? deadlock
            : equal(path, TEXT("/late-deadlock")) ? late_deadlock
            : equal(path, TEXT("/error"))      ? failing
            : equal(path, TEXT("/none"))       ? silent
            : equal(path, TEXT("/twice"))      ? twice
            : equal(path, TEXT("/trap"))       ? trapping
                                               : missing;
  return routine(0);
}

#ifdef STACKFUL
EXPORT("[async-lift-stackful]wasi:http/handler@0.3.0#handle") void handle(u32 given) { begin(given); }
#else
EXPORT("[async-lift]wasi:http/handler@0.3.0#handle") u32 handle(u32 given) { return begin(given); }
EXPORT("[callback][async-lift]wasi:http/handler@0.3.0#handle") u32 resume(u32 code, u32 index, u32 payload) {
  return routine(payload);
}
#endif
