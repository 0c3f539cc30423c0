// Strings of 16-bit code units, or of Latin-1 where they fit it (LATIN): C sees how they came.
#include "guest.h"

#define OF(name) EXPORT("test:strings/strings#" name)
EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

// Beside the address: how many units, and with LATIN in the highest bit whether they are wide.
typedef struct { void *at; u32 units; } string;
typedef struct { void *at; u32 len; } items;
#ifdef LATIN
#define WIDE 0x80000000
#else
#define WIDE 0
#endif
static u32 length(string s) { return WIDE ? s.units & ~WIDE : s.units; }
static u32 is_wide(string s) { return !WIDE || s.units & WIDE; }
static u32 unit(string s, u32 i) { return is_wide(s) ? ((u16 *)s.at)[i] : ((u8 *)s.at)[i]; }
static string room(u32 units, u32 wide) {
  return (string){allocate(0, 0, 2, units << !!wide), units | (wide ? WIDE : 0)};
}
static void set(string s, u32 i, u32 value) {
  if (is_wide(s)) ((u16 *)s.at)[i] = value;
  else ((u8 *)s.at)[i] = value;
}

static string join(string a, string b) {
  u32 first = length(a), second = length(b);
  string both = room(first + second, is_wide(a) || is_wide(b));
  for (u32 i = 0; i < first; i++) set(both, i, unit(a, i));
  for (u32 i = 0; i < second; i++) set(both, first + i, unit(b, i));
  return both;
}

IMPORT("test:strings/host", "change") void host_change(void *at, u32 units, void *ret);
IMPORT("test:strings/host", "choose") void host_choose(const string *at, u32 len, void *ret);
static string string_ret;
static items list_ret;

OF("twice") string *twice(void *at, u32 units) {
  string s = {at, units};
  string_ret = join(s, s);
  return &string_ret;
}
// The units as they came, after whether each takes two bytes.
OF("units") items *units(void *at, u32 count) {
  string s = {at, count};
  u16 *list = allocate(0, 0, 2, 2 * length(s) + 2);
  list[0] = !!is_wide(s);
  for (u32 i = 0; i < length(s); i++) list[i + 1] = unit(s, i);
  list_ret = (items){list, length(s) + 1};
  return &list_ret;
}
OF("from-units") string *from_units(const u16 *at, u32 len) {
  string_ret = room(len, 1);
  for (u32 i = 0; i < len; i++) set(string_ret, i, at[i]);
  return &string_ret;
}
OF("pairs") items *pairs(struct { string name, value; } *at, u32 len) {
  string *out = allocate(0, 0, 4, len * sizeof *out);
  for (u32 i = 0; i < len; i++) out[i] = join(at[i].name, at[i].value);
  list_ret = (items){out, len};
  return &list_ret;
}
// What the host makes of it, behind what it was.
OF("through-host") string *through_host(void *at, u32 units) {
  string changed;
  host_change(at, units, &changed);
  string_ret = join((string){at, units}, changed);
  return &string_ret;
}
OF("chosen-by-host") void *chosen_by_host(string *at, u32 len) {
  static struct { u8 some; string value; } chosen;
  host_choose(at, len, &chosen);
  return &chosen;
}
