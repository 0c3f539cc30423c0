// A core module of Spin 0.x and 1.x: handle-http-request, with the imports of the time.
#include "guest.h"

EXPORT("canonical_abi_realloc") void *canonical_abi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}
EXPORT("canonical_abi_free") void canonical_abi_free(void *at, u32 size, u32 align) {}

IMPORT("spin-config", "get-config") void get_config(const u8 *name, u32 len, void *ret);
IMPORT("key-value", "open") void kv_open(const u8 *label, u32 len, void *ret);
IMPORT("key-value", "get") void kv_get(u32 store, const u8 *key, u32 len, void *ret);
IMPORT("key-value", "set") void kv_set(u32 store, const u8 *key, u32 len, const u8 *value, u32 value_len, void *ret);
IMPORT("key-value", "get-keys") void kv_keys(u32 store, void *ret);
IMPORT("wasi-outbound-http", "request")
void send(u32 method, const u8 *uri, u32 uri_len, void *headers, u32 count, void *params, u32 param_count, u32 has_body, const u8 *body, u32 body_len, void *ret);
IMPORT("outbound-redis", "get") void redis_get(const u8 *address, u32 len, const u8 *key, u32 key_len, void *ret);
typedef struct { u8 tag; union { long long integer; double real; text text; }; } value;
IMPORT("sqlite", "open") void db_open(const u8 *name, u32 len, void *ret);
IMPORT("sqlite", "execute") void db_execute(u32 connection, const u8 *statement, u32 len, const value *values, u32 count, void *ret);
IMPORT("sqlite", "close") void db_close(u32 connection);
typedef struct { const u8 *at; u32 len; } vector;
IMPORT("wasi_snapshot_preview1", "fd_write") u32 fd_write(u32 fd, const vector *list, u32 count, u32 *written);

// Discriminants and the status take their first bytes only; the rest is padding.
static struct { u32 status, has_headers, headers, header_count, has_body, body, body_len; } response;
static struct { text name, value; } headers[1];

static void execute(u32 connection, text statement, const value *values, u32 count) {
  db_execute(connection, statement.at, statement.len, values, count, &ret);
  if (ret.byte[0]) {
    put(TEXT("error "));
    put_number(ret.byte[4]);
    put(TEXT(" "));
    if (ret.byte[4] == 4) put(word_text(2));
    return;
  }
  u32 *columns = (u32 *)ret.word[1], *rows = (u32 *)ret.word[3];
  for (u32 i = 0; i < ret.word[2]; i++)
    put((text){(u8 *)columns[2 * i], columns[2 * i + 1]}), put(TEXT(","));
  for (u32 i = 0; i < ret.word[4]; i++)
    for (u32 j = 0; j < rows[2 * i + 1]; j++) {
      value v = ((value *)rows[2 * i])[j];
      if (v.tag == 0) put_number(v.integer);
      else if (v.tag == 1) put(TEXT("real ")), put_number(v.real * 100);
      else put(v.tag == 4 ? TEXT("null") : v.text);
      put(TEXT("|"));
    }
}

EXPORT("handle-http-request")
void *handle(u32 method, const u8 *uri, u32 uri_len, u32 *names, u32 count, u32 *params, u32 param_count, u32 has_body, const u8 *body, u32 body_len) {
  text path = {uri, uri_len};
  u32 written;
  vector line = {(const u8 *)"asked\n", 6};
  fd_write(1, &line, 1, &written);
  if (equal(path, TEXT("/config"))) {
    text name = TEXT("greeting");
    get_config(name.at, name.len, &ret);
    if (!ret.byte[0]) put(word_text(1));
    name = TEXT("missing");
    get_config(name.at, name.len, &ret);
    put(TEXT(" error "));
    put_number(ret.byte[0] ? ret.byte[4] : 99);
  } else if (equal(path, TEXT("/kv"))) {
    text label = TEXT("default"), key = TEXT("k");
    kv_open(label.at, label.len, &ret);
    u32 store = ret.word[1];
    kv_get(store, key.at, key.len, &ret);
    put(TEXT("before "));
    put_number(ret.byte[0] ? ret.byte[4] : 99);
    kv_set(store, key.at, key.len, label.at, label.len, &ret);
    kv_get(store, key.at, key.len, &ret);
    put(TEXT(" after "));
    put(word_text(1));
    kv_keys(store, &ret);
    put(TEXT(" keys "));
    put_number(ret.word[2]);
  } else if (starts(path, TEXT("/out/"))) {
    text url = after(path, 5);
    send(0, url.at, url.len, 0, 0, 0, 0, 0, 0, 0, &ret);
    if (ret.byte[0]) {
      put(TEXT("error "));
      put_number(ret.byte[4]);
    } else {
      put_number(*(u16 *)(ret.byte + 4));
      put(TEXT(" "));
      put(word_text(6));
    }
  } else if (starts(path, TEXT("/sqlite/"))) {
    text label = after(path, 8);
    db_open(label.at, label.len, &ret);
    if (ret.byte[0]) {
      put(TEXT("open error "));
      put_number(ret.byte[4]);
    } else {
      u32 connection = ret.word[1];
      value values[5] = {{0, .integer = 5000000000}, {1, .real = 1.5}, {2, .text = TEXT("x'y")}, {3, .text = TEXT("blob")}, {4}};
      execute(connection, TEXT("select cast(? as integer) / 1000000 as i, ? as r, ? as t, ? as b, ? as n"), values, 5);
      execute(connection, TEXT("selct"), 0, 0);
      db_close(connection);
      execute(connection, TEXT("select 1"), 0, 0);
    }
  } else if (equal(path, TEXT("/redis"))) redis_get(0, 0, 0, 0, &ret);
  else {
    put_number(method);
    put(TEXT(" "));
    put(path);
    put(TEXT(" "));
    if (has_body) put((text){body, body_len});
  }
  headers[0].name = TEXT("x-legacy");
  headers[0].value = TEXT("yes");
  response.status = 200;
  response.has_headers = response.has_body = 1;
  response.headers = (u32)headers;
  response.header_count = 1;
  response.body = (u32)out_bytes;
  response.body_len = out_len;
  return &response;
}
