// A component of every type of the canonical ABI: the C compiler lays out what the host has to.
#include "guest.h"

#define OF(name) EXPORT("test:types/types#" name)
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

OF("bool") u32 not(u32 v) { return v > 1 ? 7 : !v; }
OF("u8") u32 u8_(u32 v) { return (u8)(v + 1); }
OF("s8") s32 s8_(s32 v) { return (s8)(v + 1); }
OF("u16") u32 u16_(u32 v) { return (u16)(v + 1); }
OF("s16") s32 s16_(s32 v) { return (s16)(v + 1); }
OF("u32") u32 u32_(u32 v) { return v + 1; }
OF("s32") s32 s32_(s32 v) { return (s32)((u32)v + 1); }
OF("u64") u64 u64_(u64 v) { return v + 1; }
OF("s64") s64 s64_(s64 v) { return (s64)((u64)v + 1); }
OF("f32") float f32_(float v) { return v / 2; }
OF("f64") double f64_(double v) { return v / 2; }
OF("char") u32 char_(u32 v) { return v + 1; }

static text twice(text t) {
  u8 *at = allocate(0, 0, 1, t.len * 2);
  __builtin_memcpy(at, t.at, t.len);
  __builtin_memcpy(at + t.len, t.at, t.len);
  return (text){at, t.len * 2};
}

typedef struct { void *at; u32 len; } items;
static text text_ret;
static items list_ret;

OF("string") text *string(const u8 *at, u32 len) {
  text_ret = twice((text){at, len});
  return &text_ret;
}
OF("units") items *units(u16 *at, u32 len) {
  for (u32 i = 0; i < len; i++) at[i] ^= 0xff;
  list_ret = (items){at, len};
  return &list_ret;
}
OF("words") items *words(text *at, u32 len) {
  for (u32 i = 0; i < len; i++) at[i] = twice(at[i]);
  list_ret = (items){at, len};
  return &list_ret;
}

typedef struct { u8 a; u64 b; u16 c; float d; text e; u8 f; } inner;
typedef struct { s8 x; inner inner; s16 y; } outer;
static outer change(outer o) {
  inner i = {o.inner.a + 1, o.inner.b + 1, o.inner.c + 1, o.inner.d / 2, twice(o.inner.e), !o.inner.f};
  return (outer){o.x - 1, i, o.y - 1};
}
static outer nested_ret;
OF("nested") outer *nested(s32 x, u32 a, u64 b, u32 c, float d, const u8 *at, u32 len, u32 f, s32 y) {
  nested_ret = change((outer){x, {a, b, c, d, {at, len}, f}, y});
  return &nested_ret;
}
OF("rows") items *rows(outer *at, u32 len) {
  for (u32 i = 0; i < len; i++) at[i] = change(at[i]);
  list_ret = (items){at, len};
  return &list_ret;
}
static struct { u8 a; double b; s16 c; } pair_ret;
OF("pair") void *pair(u32 a, double b, s32 c) {
  pair_ret.a = a + 1, pair_ret.b = b / 2, pair_ret.c = c - 1;
  return &pair_ret;
}

typedef struct { u8 tag; union { u8 narrow; s64 wide; text text; float real; items rows; }; } shape;
static shape grow(shape s) {
  switch (s.tag) {
    case 1: s.narrow++; break;
    case 2: s.wide++; break;
    case 3: s.text = twice(s.text); break;
    case 4: s.real /= 2; break;
    case 5: for (u32 i = 0; i < s.rows.len; i++) ((u32 *)s.rows.at)[i]++;
  }
  return s;
}
static shape shape_ret;
// The payloads share two core values: the first is as wide as the widest.
OF("grow") shape *shape_(u32 tag, u64 first, u32 second) {
  shape s = {tag};
  union { u32 bits; float value; } real = {(u32)first};
  if (tag == 1) s.narrow = first;
  else if (tag == 2) s.wide = first;
  else if (tag == 3) s.text = (text){(const u8 *)(u32)first, second};
  else if (tag == 4) s.real = real.value;
  else if (tag == 5) s.rows = (items){(void *)(u32)first, second};
  shape_ret = grow(s);
  return &shape_ret;
}
OF("grow-all") items *shapes(shape *at, u32 len) {
  for (u32 i = 0; i < len; i++) at[i] = grow(at[i]);
  list_ret = (items){at, len};
  return &list_ret;
}
OF("next") u32 size(u32 v) { return (v + 1) % 3; }
static struct { u8 some; u64 v; } maybe_ret;
OF("maybe") void *maybe(u32 some, u64 v) {
  maybe_ret.some = some, maybe_ret.v = v + 1;
  return &maybe_ret;
}
static struct { u8 some; struct { u8 some; u32 v; } inner; } perhaps_ret;
OF("perhaps") void *perhaps(u32 some, u32 inner, u32 v) {
  perhaps_ret.some = some, perhaps_ret.inner.some = inner, perhaps_ret.inner.v = v + 1;
  return &perhaps_ret;
}
static struct { struct { u8 err; union { u32 ok; text err_text; }; } a; struct { u8 err; double v; } b; } outcome_ret;
OF("outcome") void *outcome(u32 a, u32 first, u32 second, u32 b, double v) {
  outcome_ret.a.err = a, outcome_ret.b.err = b, outcome_ret.b.v = v / 2;
  if (a) outcome_ret.a.err_text = twice((text){(const u8 *)first, second});
  else outcome_ret.a.ok = first + 1;
  return &outcome_ret;
}
static struct { u8 few; u16 more; u32 most; } bits_ret;
OF("bits") void *bits(u32 few, u32 more, u32 most) {
  bits_ret.few = ~few & 7, bits_ret.more = ~more & 0x1ff, bits_ret.most = ~most;
  return &bits_ret;
}

// More than sixteen core values come as one address.
typedef struct {
  u8 a; u64 b; u16 c; double d; s8 e; u32 f; text g; float h; s16 i; u8 j; u64 k; u8 l; u32 m; s32 n; u16 o; u8 p; s64 q;
} many;
OF("spilled") text *spilled(many *v) {
  out_len = 0;
  u32 numbers[] = {v->a, v->b, v->c, v->d, -v->e, v->f, v->h, -v->i, v->j, v->k, v->l, v->m, -v->n, v->o, v->p, -v->q};
  for (u32 i = 0; i < sizeof numbers / sizeof *numbers; i++) put_number(numbers[i]), put(TEXT(" "));
  put(v->g);
  text_ret = printed();
  return &text_ret;
}

typedef struct { u32 count; } counter;
#define RESOURCE "[export]test:types/types"
IMPORT(RESOURCE, "[resource-new]counter") u32 counter_new(counter *rep);
IMPORT(RESOURCE, "[resource-rep]counter") counter *counter_rep(u32 handle);
IMPORT(RESOURCE, "[resource-drop]counter") void counter_drop(u32 handle);
static u32 left;
OF("[constructor]counter") u32 make(u32 start) {
  counter *made = allocate(0, 0, 4, sizeof *made);
  made->count = start;
  left++;
  return counter_new(made);
}
OF("[dtor]counter") void destroy(counter *self) {
  self->count = 0;
  left--;
}
OF("[method]counter.add") u32 add(counter *self, u32 by) { return self->count += by; }
// What is owned comes as a handle, and has to be dropped.
OF("[static]counter.merge") u32 merge(u32 a, u32 b) {
  u32 both = make(counter_rep(a)->count + counter_rep(b)->count);
  counter_drop(a);
  counter_drop(b);
  return both;
}
OF("peek") u32 peek(counter *of) { return of->count; }
OF("alive") u32 alive(void) { return left; }
