// An inbound-http component that hands the request's body to its database as a statement, by SQLite
// 3.1: with /async by the functions that give streams, else at once.
#include "guest.h"

#define SQLITE "spin:sqlite/sqlite@3.1.0"
#define EXECUTE "[method]connection.execute-async"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

typedef struct { u8 tag; union { long long integer; double real; text text; }; } value;
typedef struct { const value *at; u32 len; } row;
IMPORT(SQLITE, "[static]connection.open") void db_open(const u8 *name, u32 len, void *ret);
IMPORT(SQLITE, "[async-lower][static]connection.open-async") u32 db_open_async(const u8 *name, u32 len, void *ret);
IMPORT(SQLITE, "[method]connection.execute")
void db_execute(u32 self, const u8 *statement, u32 len, const value *values, u32 count, void *ret);
IMPORT(SQLITE, "[async-lower]" EXECUTE) u32 db_execute_async(const void *params, void *ret);
IMPORT(SQLITE, "[async-lower][stream-read-0]" EXECUTE) u32 rows_read(u32 self, void *to, u32 len);
IMPORT(SQLITE, "[stream-drop-readable-0]" EXECUTE) void rows_drop(u32 self);
IMPORT(SQLITE, "[async-lower][future-read-1]" EXECUTE) u32 outcome_read(u32 self, void *to);
IMPORT(SQLITE, "[async-lower][method]connection.last-insert-rowid-async") u32 db_last(u32 self, void *ret);
IMPORT(SQLITE, "[async-lower][method]connection.changes-async") u32 db_changes(u32 self, void *ret);
IMPORT(SQLITE, "[resource-drop]connection") void db_drop(u32 self);

// All of them are done when they return.
static void done(u32 status) { if (status != 2) __builtin_trap(); }

static void put_whole(u64 n) {
  if (n > 999999999) put_whole(n / 1000000000);
  put_number(n % 1000000000);
}

static void put_row(row r) {
  for (u32 i = 0; i < r.len; i++) {
    value v = r.at[i];
    if (v.tag == 0) v.integer < 0 ? put(TEXT("-")), put_whole(-(u64)v.integer) : put_whole(v.integer);
    else if (v.tag == 1) put(TEXT("real"));
    else if (v.tag == 4) put(TEXT("null"));
    else put(v.text);
    put(TEXT("|"));
  }
}

static void put_error(const u32 *error) {
  put(TEXT("error "));
  put_number(*(u8 *)error);
  put(TEXT(" "));
  if (*(u8 *)error == 4) put((text){(const u8 *)error[1], error[2]});
}

static void put_columns(const text *columns, u32 count) {
  for (u32 i = 0; i < count; i++) put(columns[i]), put(TEXT(","));
}

static void execute(u32 connection, text statement) {
  db_execute(connection, statement.at, statement.len, 0, 0, &ret);
  if (ret.byte[0]) return put_error(&ret.word[1]);
  put_columns((const text *)ret.word[1], ret.word[2]);
  const row *rows = (const row *)ret.word[3];
  for (u32 i = 0, n = ret.word[4]; i < n; i++) put_row(rows[i]);
}

static void execute_async(u32 connection, text statement) {
  struct { u32 self; text statement; const value *values; u32 count; } params = {connection, statement};
  done(db_execute_async(&params, &ret));
  if (ret.byte[0]) return put_error(&ret.word[1]);
  put_columns((const text *)ret.word[1], ret.word[2]);
  u32 rows = ret.word[3], outcome = ret.word[4];
  for (;;) {
    row some[16];
    u32 r = rows_read(rows, some, 16);
    if (r == 0xffffffff) __builtin_trap();
    for (u32 i = 0; i < r >> 4; i++) put_row(some[i]);
    if (r & 15) break;
  }
  rows_drop(rows);
  if (outcome_read(outcome, &ret) == 0xffffffff) put(TEXT("late"));
  else if (ret.byte[0]) put_error(&ret.word[1]);
  done(db_changes(connection, &ret));
  put(TEXT(" changes "));
  put_whole(ret.whole[0]);
  done(db_last(connection, &ret));
  put(TEXT(" last "));
  put_whole(ret.whole[0]);
}

static union { struct { u16 status; u8 pad[2]; u32 headers, at, count, body; text text; }; } answer;

EXPORT("fermyon:spin/inbound-http#handle-request")
void *handle(u32 method, const u8 *uri, u32 uri_len, void *headers, u32 n, void *params, u32 m, u32 some, const u8 *body, u32 len) {
  int is_async = equal((text){uri, uri_len}, TEXT("/async"));
  if (is_async) done(db_open_async((const u8 *)"default", 7, &ret));
  else db_open((const u8 *)"default", 7, &ret);
  if (ret.byte[0]) put_error(&ret.word[1]);
  else {
    u32 connection = ret.word[1];
    (is_async ? execute_async : execute)(connection, (text){body, len});
    db_drop(connection);
  }
  answer.status = 200;
  answer.body = 1;
  answer.text = printed();
  return &answer;
}
