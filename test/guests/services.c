// An inbound-http component that calls each service which a host may have or not, one by a path.
#include "guest.h"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

#define OPEN(name, module) \
  IMPORT(module, "[static]connection.open") void name##_open(const u8 *address, u32 len, void *ret);
#define OPEN_MQTT(name, module) \
  IMPORT(module, "[static]connection.open") \
  void name##_open(const u8 *address, u32 len, const u8 *user, u32 user_len, const u8 *password, u32 password_len, u64 seconds, void *ret);
OPEN(redis, "fermyon:spin/redis@2.0.0")
OPEN(mysql, "fermyon:spin/mysql@2.0.0")
OPEN(postgres, "fermyon:spin/postgres@2.0.0")
OPEN(redis3, "spin:redis/redis@3.0.0")
OPEN(mysql3, "spin:mysql/mysql@3.0.0")
OPEN(postgres4, "spin:postgres/postgres@4.2.0")
OPEN_MQTT(mqtt, "fermyon:spin/mqtt@2.0.0")
OPEN_MQTT(mqtt3, "spin:mqtt/mqtt@3.0.0")
IMPORT("fermyon:spin/redis@2.0.0", "[method]connection.incr") void redis_incr(u32 self, const u8 *key, u32 len, void *ret);
IMPORT("fermyon:spin/llm@2.0.0", "generate-embeddings")
void embeddings(const u8 *model, u32 len, const text *texts, u32 count, void *ret);
#define CONFIG "wasi:config/store@0.2.0-draft-2024-09-27"
IMPORT(CONFIG, "get") void config_get(const u8 *key, u32 len, void *ret);
IMPORT(CONFIG, "get-all") void config_all(void *ret);
#define KV "wasi:keyvalue/store@0.2.0-draft2"
#define BATCH "wasi:keyvalue/batch@0.2.0-draft2"
IMPORT(KV, "open") void bucket_open(const u8 *name, u32 len, void *ret);
IMPORT(KV, "[method]bucket.get") void bucket_get(u32 self, const u8 *key, u32 len, void *ret);
IMPORT(KV, "[method]bucket.set") void bucket_set(u32 self, const u8 *key, u32 len, const u8 *value, u32 value_len, void *ret);
IMPORT(KV, "[method]bucket.list-keys") void bucket_keys(u32 self, u32 some, const u8 *at, u32 len, void *ret);
IMPORT(BATCH, "set-many") void set_many(u32 self, const void *pairs, u32 count, void *ret);
IMPORT(BATCH, "get-many") void get_many(u32 self, const text *keys, u32 count, void *ret);
IMPORT("wasi:keyvalue/atomics@0.2.0-draft2", "increment") void increment(u32 self, const u8 *key, u32 len, long long delta, void *ret);

// What was opened, or the number of the error and its text if it has one.
static u32 opened(void) {
  if (!ret.byte[0]) return put(TEXT("open ")), ret.word[1];
  put(TEXT("error "));
  put_number(ret.byte[4]);
  return 0;
}

static void key_value(text label) {
  bucket_open(label.at, label.len, &ret);
  u32 bucket = opened();
  if (!bucket) return;
  text keys[] = {TEXT("a"), TEXT("b"), TEXT("gone")};
  struct { text key, value; } pairs[] = {{keys[0], TEXT("one")}, {keys[1], TEXT("two")}};
  set_many(bucket, pairs, 2, &ret);
  get_many(bucket, keys, 3, &ret);
  struct { text key; u8 some; text value; } *got = (void *)ret.word[1];
  for (u32 i = 0, count = ret.word[2]; i < count; i++)
    put(got[i].key), put(TEXT("=")), put(got[i].some ? got[i].value : TEXT("none")), put(TEXT(" "));
  increment(bucket, keys[2].at, keys[2].len, 42, &ret);
  put_number(ret.whole[1]);
  bucket_set(bucket, keys[0].at, keys[0].len, keys[1].at, keys[1].len, &ret);
  bucket_get(bucket, keys[0].at, keys[0].len, &ret);
  put(TEXT(" "));
  if (ret.byte[4]) put(word_text(2));
  bucket_keys(bucket, 0, 0, 0, &ret);
  put(TEXT(" keys "));
  put_number(ret.word[2]);
}

static void config(text key) {
  config_get(key.at, key.len, &ret);
  put(ret.byte[0] ? TEXT("error") : ret.byte[4] ? word_text(2) : TEXT("none"));
  config_all(&ret);
  struct { text key, value; } *all = (void *)ret.word[1];
  for (u32 i = 0, count = ret.word[2]; i < count; i++)
    put(TEXT(" ")), put(all[i].key), put(TEXT("=")), put(all[i].value);
}

static struct { u16 status; u8 pad[2]; u32 headers, at, count, body; text text; } answer;

EXPORT("fermyon:spin/inbound-http#handle-request")
void *handle(u32 method, const u8 *uri, u32 uri_len, void *headers, u32 n, void *params, u32 m, u32 some, void *body, u32 len) {
  text path = {uri, uri_len}, at = TEXT("tcp://up.example"), key = TEXT("hits");
  if (equal(path, TEXT("/redis"))) {
    redis_open(at.at, at.len, &ret);
    u32 connection = opened();
    if (connection) redis_incr(connection, key.at, key.len, &ret), put_number(ret.whole[1]);
  } else if (equal(path, TEXT("/mysql"))) mysql_open(at.at, at.len, &ret), opened();
  else if (equal(path, TEXT("/postgres"))) postgres_open(at.at, at.len, &ret), opened();
  else if (equal(path, TEXT("/redis3"))) redis3_open(at.at, at.len, &ret), opened();
  else if (equal(path, TEXT("/mysql3"))) mysql3_open(at.at, at.len, &ret), opened();
  else if (equal(path, TEXT("/postgres4"))) postgres4_open(at.at, at.len, &ret), opened();
  else if (equal(path, TEXT("/mqtt"))) mqtt_open(at.at, at.len, at.at, 3, at.at, 3, 30, &ret), opened();
  else if (equal(path, TEXT("/mqtt3"))) mqtt3_open(at.at, at.len, at.at, 3, at.at, 3, 30, &ret), opened();
  else if (equal(path, TEXT("/llm"))) {
    text texts[] = {key, at};
    embeddings(key.at, key.len, texts, 2, &ret);
    if (ret.byte[0]) put(TEXT("error "));
    else put_number(ret.word[2]), put(TEXT(" embeddings of ")), put_number(ret.word[3]);
  } else if (starts(path, TEXT("/config/"))) config(after(path, 8));
  else if (starts(path, TEXT("/keyvalue/"))) key_value(after(path, 10));
  answer.status = 200;
  answer.body = 1;
  answer.text = printed();
  return &answer;
}
