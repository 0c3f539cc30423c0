// An inbound-http component that asks its database: values of each kind go in and come out.
#include "guest.h"

#define SQLITE "fermyon:spin/sqlite@2.0.0"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

typedef struct { u8 tag; union { long long integer; double real; text text; }; } value;
IMPORT(SQLITE, "[static]connection.open") void db_open(const u8 *name, u32 len, void *ret);
IMPORT(SQLITE, "[method]connection.execute")
void db_execute(u32 self, const u8 *statement, u32 len, const value *values, u32 count, void *ret);

static void put_value(value v) {
  if (v.tag == 0) put_number(v.integer);
  else if (v.tag == 1) put(TEXT("real ")), put_number(v.real * 100);
  else if (v.tag == 4) put(TEXT("null"));
  else put(v.text);
  put(TEXT("|"));
}

static void execute(u32 connection, text statement, const value *values, u32 count) {
  db_execute(connection, statement.at, statement.len, values, count, &ret);
  if (ret.byte[0]) {
    put(TEXT("error "));
    put_number(ret.byte[4]);
    put(TEXT(" "));
    if (ret.byte[4] == 4) put(word_text(2));
    return put(TEXT("\n"));
  }
  u32 *columns = (u32 *)ret.word[1], *rows = (u32 *)ret.word[3], row_count = ret.word[4];
  for (u32 i = 0; i < ret.word[2]; i++)
    put((text){(u8 *)columns[2 * i], columns[2 * i + 1]}), put(TEXT(","));
  for (u32 i = 0; i < row_count; i++)
    for (u32 j = 0; j < rows[2 * i + 1]; j++) put_value(((value *)rows[2 * i])[j]);
  put(TEXT("\n"));
}

static union { struct { u16 status; u8 pad[2]; u32 headers, at, count, body; text text; }; } answer;

EXPORT("fermyon:spin/inbound-http#handle-request")
void *handle(u32 method, const u8 *uri, u32 uri_len, void *headers, u32 n, void *params, u32 m, u32 some, void *body, u32 len) {
  text label = after((text){uri, uri_len}, 1);
  db_open(label.at, label.len, &ret);
  if (ret.byte[0]) {
    put(TEXT("open error "));
    put_number(ret.byte[4]);
  } else {
    u32 connection = ret.word[1];
    execute(connection, TEXT("create table if not exists t(i integer, r, t, b, n)"), 0, 0);
    value values[5] = {{0, .integer = 5000000000}, {1, .real = 1.5}, {2, .text = TEXT("x'y")}, {3, .text = TEXT("blob")}, {4}};
    execute(connection, TEXT("insert into t values (?, ?, ?, ?, ?)"), values, 5);
    execute(connection, TEXT("select count(*) as c, i / 1000000 as i, r, t, b, n from t"), 0, 0);
    execute(connection, TEXT("selct"), 0, 0);
  }
  answer.status = 200;
  answer.body = 1;
  answer.text = printed();
  return &answer;
}
