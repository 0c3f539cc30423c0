// A Spin application in plain C: no libc, no generated bindings, only the canonical ABI.
// Every import below is one function of world.wit in its flattened core form.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

#define HTTP "wasi:http/types@0.2.0"
#define IO "wasi:io/streams@0.2.0"
#define FS "wasi:filesystem/types@0.2.0"

IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") u32 get_stdout(void);
IMPORT("fermyon:spin/variables@2.0.0", "get") void variables_get(const u8 *name, u32 len, void *ret);
IMPORT("wasi:filesystem/preopens@0.2.0", "get-directories") void get_directories(void *ret);
IMPORT(FS, "[method]descriptor.open-at")
void descriptor_open_at(u32 dir, u32 path_flags, const u8 *path, u32 len, u32 open_flags, u32 flags, void *ret);
IMPORT(FS, "[method]descriptor.stat") void descriptor_stat(u32 self, void *ret);
IMPORT(FS, "[method]descriptor.read-via-stream") void descriptor_read_via_stream(u32 self, u64 offset, void *ret);
IMPORT(IO, "[method]input-stream.blocking-read") void input_stream_blocking_read(u32 self, u64 len, void *ret);
IMPORT(IO, "[resource-drop]input-stream") void input_stream_drop(u32 self);
IMPORT(IO, "[method]output-stream.blocking-write-and-flush")
void output_stream_write(u32 self, const u8 *bytes, u32 len, void *ret);
IMPORT(IO, "[resource-drop]output-stream") void output_stream_drop(u32 self);
IMPORT(HTTP, "[method]incoming-request.method") void request_method(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(u32 self, void *ret);
IMPORT(HTTP, "[method]incoming-request.headers") u32 request_headers(u32 self);
IMPORT(HTTP, "[constructor]fields") u32 fields_new(void);
IMPORT(HTTP, "[method]fields.get") void fields_get(u32 self, const u8 *name, u32 len, void *ret);
IMPORT(HTTP, "[method]fields.append")
void fields_append(u32 self, const u8 *name, u32 name_len, const u8 *value, u32 value_len, void *ret);
IMPORT(HTTP, "[resource-drop]fields") void fields_drop(u32 self);
IMPORT(HTTP, "[constructor]outgoing-response") u32 response_new(u32 headers);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") u32 response_set_status(u32 self, u32 status);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(u32 self, void *ret);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(u32 self, void *ret);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(u32 self, u32 has_trailers, u32 trailers, void *ret);
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(u32 self, u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);

// ---------------------------------------------------------------- memory

// Nothing is ever freed: an instance lives for one request.
extern u8 __heap_base;
static u32 top;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  if (!top) top = (u32)&__heap_base;
  u32 at = (top + align - 1) & ~(align - 1);
  u32 end = at + size;
  if (end < at) __builtin_trap();
  u32 have = __builtin_wasm_memory_size(0), need = (end + 65535) >> 16;
  if (need > have && __builtin_wasm_memory_grow(0, need - have) == -1) __builtin_trap();
  top = end;
  __builtin_memcpy((void *)at, old, old_size < size ? old_size : size);
  return (void *)at;
}

typedef struct { const u8 *at; u32 len; } text;
#define TEXT(literal) ((text){(const u8 *)literal, sizeof literal - 1})
typedef struct { u8 *at; u32 len, room; } buffer;

static void add(buffer *b, text t) {
  if (b->len + t.len > b->room) {
    u32 room = (b->len + t.len) * 2;
    b->at = cabi_realloc(b->at, b->len, 1, room);
    b->room = room;
  }
  __builtin_memcpy(b->at + b->len, t.at, t.len);
  b->len += t.len;
}

static void add_byte(buffer *b, u8 byte) { add(b, (text){&byte, 1}); }
static text done(buffer *b) { return (text){b->at, b->len}; }

static int equal(text a, text b) {
  return a.len == b.len && !__builtin_memcmp(a.at, b.at, a.len);
}
static int starts(text t, text with) {
  return t.len >= with.len && equal((text){t.at, with.len}, with);
}
static int ends(text t, text with) {
  return t.len >= with.len && equal((text){t.at + t.len - with.len, with.len}, with);
}
static text after(text t, u32 n) { return (text){t.at + n, t.len - n}; }

int memcmp(const void *a, const void *b, unsigned long n) {
  const u8 *x = a, *y = b;
  for (; n; n--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

// ---------------------------------------------------------------- text

static int hex(u8 c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static text percent_decode(text t) {
  buffer out = {0};
  for (u32 i = 0; i < t.len; i++) {
    int high = i + 2 < t.len && t.at[i] == '%' ? hex(t.at[i + 1]) : -1;
    int low = high >= 0 ? hex(t.at[i + 2]) : -1;
    if (low >= 0) {
      add_byte(&out, high << 4 | low);
      i += 2;
    } else add_byte(&out, t.at[i]);
  }
  return done(&out);
}

static void add_html(buffer *b, text t) {
  for (u32 i = 0; i < t.len; i++) switch (t.at[i]) {
    case '&': add(b, TEXT("&amp;")); break;
    case '<': add(b, TEXT("&lt;")); break;
    case '>': add(b, TEXT("&gt;")); break;
    case '"': add(b, TEXT("&quot;")); break;
    default: add_byte(b, t.at[i]);
  }
}

static void add_json(buffer *b, text t) {
  add_byte(b, '"');
  for (u32 i = 0; i < t.len; i++) {
    u8 c = t.at[i];
    if (c == '"' || c == '\\') add_byte(b, '\\');
    if (c < 32) {
      add(b, TEXT("\\u00"));
      add_byte(b, "0123456789abcdef"[c >> 4]);
      c = "0123456789abcdef"[c & 15];
    }
    add_byte(b, c);
  }
  add_byte(b, '"');
}

// ---------------------------------------------------------------- host calls

// Where the host writes a result that doesn't fit one core value.
static union { u64 whole[16]; u32 word[32]; u8 byte[128]; } ret;

static text word_text(u32 i) { return (text){(const u8 *)ret.word[i], ret.word[i + 1]}; }

static text method_of(u32 request) {
  static const text names[] = {
    {(const u8 *)"GET", 3}, {(const u8 *)"HEAD", 4}, {(const u8 *)"POST", 4}, {(const u8 *)"PUT", 3},
    {(const u8 *)"DELETE", 6}, {(const u8 *)"CONNECT", 7}, {(const u8 *)"OPTIONS", 7},
    {(const u8 *)"TRACE", 5}, {(const u8 *)"PATCH", 5},
  };
  request_method(request, &ret);
  return ret.byte[0] < 9 ? names[ret.byte[0]] : word_text(1);
}

static text header_of(u32 request, text name) {
  u32 headers = request_headers(request);
  fields_get(headers, name.at, name.len, &ret);
  u32 *list = (u32 *)ret.word[0], count = ret.word[1];
  fields_drop(headers);
  // The last one is the host's own: a client may have sent the same name before it.
  return count ? (text){(const u8 *)list[2 * count - 2], list[2 * count - 1]} : (text){0, 0};
}

static text greeting(void) {
  text name = TEXT("greeting");
  variables_get(name.at, name.len, &ret);
  return ret.byte[0] ? TEXT("Hello") : word_text(1);
}

static void write(u32 stream, text t) {
  while (t.len) {
    u32 n = t.len < 4096 ? t.len : 4096; // what blocking-write-and-flush takes at most
    output_stream_write(stream, t.at, n, &ret);
    if (ret.byte[0]) return; // the client has left
    t = after(t, n);
  }
}

typedef struct { u32 body, stream; } answer;

static answer begin(u32 out, u32 status, text type) {
  u32 headers = fields_new();
  text name = TEXT("content-type");
  fields_append(headers, name.at, name.len, type.at, type.len, &ret);
  u32 response = response_new(headers);
  response_set_status(response, status);
  response_body(response, &ret);
  answer a = {ret.word[1], 0};
  outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0);
  body_write(a.body, &ret);
  a.stream = ret.word[1];
  return a;
}

static void end(answer a) {
  output_stream_drop(a.stream); // before its parent
  body_finish(a.body, 0, 0, &ret);
}

static void reply(u32 out, u32 status, text type, text body) {
  answer a = begin(out, status, type);
  write(a.stream, body);
  end(a);
}

// ---------------------------------------------------------------- pages

static text type_of(text path) {
  if (ends(path, TEXT(".html"))) return TEXT("text/html; charset=utf-8");
  if (ends(path, TEXT(".css"))) return TEXT("text/css; charset=utf-8");
  if (ends(path, TEXT(".svg"))) return TEXT("image/svg+xml");
  if (ends(path, TEXT(".js"))) return TEXT("text/javascript; charset=utf-8");
  if (ends(path, TEXT(".json"))) return TEXT("application/json");
  return TEXT("application/octet-stream");
}

static void not_found(u32 out) {
  reply(out, 404, TEXT("text/plain; charset=utf-8"), TEXT("not found\n"));
}

// `path` is relative to the root of the component's files; the host lets nothing out of it.
static void file(u32 out, text path) {
  get_directories(&ret);
  if (!ret.word[1]) return not_found(out);
  u32 root = *(u32 *)ret.word[0];
  descriptor_open_at(root, 0, path.at, path.len, 0, 1, &ret);
  if (ret.byte[0]) return not_found(out);
  u32 found = ret.word[1];
  descriptor_stat(found, &ret);
  if (ret.byte[0] || ret.byte[8] != 6) return not_found(out);
  u64 left = ret.whole[3];
  descriptor_read_via_stream(found, 0, &ret);
  if (ret.byte[0]) return not_found(out);
  u32 stream = ret.word[1];
  answer a = begin(out, 200, type_of(path));
  while (left) {
    u32 mark = top;
    input_stream_blocking_read(stream, 16384, &ret);
    if (ret.byte[0]) break;
    text part = word_text(1);
    left -= part.len;
    write(a.stream, part);
    top = mark; // the chunk is sent: its room is free again
  }
  input_stream_drop(stream);
  end(a);
}

static void page(u32 out, text name) {
  buffer b = {0};
  add(&b, TEXT("<!doctype html>\n<html lang=\"en\">\n<link rel=\"stylesheet\" href=\"/static/style.css\" />\n<h1>"));
  add_html(&b, greeting());
  add(&b, TEXT(", "));
  add_html(&b, name);
  add(&b, TEXT("!</h1>\n</html>\n"));
  reply(out, 200, TEXT("text/html; charset=utf-8"), done(&b));
}

static void api(u32 out, text method, text path, text query) {
  buffer b = {0};
  add(&b, TEXT("{\"greeting\":"));
  add_json(&b, greeting());
  add(&b, TEXT(",\"method\":"));
  add_json(&b, method);
  add(&b, TEXT(",\"path\":"));
  add_json(&b, path);
  add(&b, TEXT(",\"query\":"));
  add_json(&b, query);
  add(&b, TEXT("}\n"));
  reply(out, 200, TEXT("application/json"), done(&b));
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle(u32 request, u32 out) {
  text method = method_of(request);
  request_path(request, &ret);
  text path = ret.byte[0] ? word_text(1) : TEXT("/"), query = {0, 0};
  for (u32 i = 0; i < path.len; i++)
    if (path.at[i] == '?') {
      query = after(path, i + 1);
      path.len = i;
    }

  buffer line = {0};
  add(&line, method);
  add_byte(&line, ' ');
  add(&line, path);
  add_byte(&line, '\n');
  u32 log = get_stdout();
  write(log, done(&line));
  output_stream_drop(log);

  text name = header_of(request, TEXT("spin-path-match-name"));
  if (name.len) page(out, percent_decode(name));
  else if (equal(path, TEXT("/"))) file(out, TEXT("static/index.html"));
  else if (equal(path, TEXT("/api"))) api(out, method, path, query);
  else if (starts(path, TEXT("/static/"))) file(out, percent_decode(after(path, 1)));
  else not_found(out);
}
