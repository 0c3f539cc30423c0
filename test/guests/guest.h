// What the guests share: an allocator that never frees, text, and an output buffer.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

extern u8 __heap_base;
static u32 top;

static void *allocate(void *old, u32 old_size, u32 align, u32 size) {
  if (!top) top = (u32)&__heap_base;
  u32 at = (top + align - 1) & ~(align - 1), end = at + size;
  if (end < at) __builtin_trap();
  u32 have = __builtin_wasm_memory_size(0), need = (end + 65535) >> 16;
  if (need > have && __builtin_wasm_memory_grow(0, need - have) == -1) __builtin_trap();
  top = end;
  __builtin_memcpy((void *)at, old, old_size < size ? old_size : size);
  return (void *)at;
}

typedef struct { const u8 *at; u32 len; } text;
#define TEXT(literal) ((text){(const u8 *)literal, sizeof literal - 1})

int memcmp(const void *a, const void *b, unsigned long n) {
  const u8 *x = a, *y = b;
  for (; n; n--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

static int equal(text a, text b) { return a.len == b.len && !memcmp(a.at, b.at, a.len); }
static int starts(text t, text with) { return t.len >= with.len && !memcmp(t.at, with.at, with.len); }
static text after(text t, u32 n) { return (text){t.at + n, t.len - n}; }

static u8 out_bytes[1 << 16];
static u32 out_len;

static void put(text t) {
  if (t.len > sizeof out_bytes - out_len) __builtin_trap();
  __builtin_memcpy(out_bytes + out_len, t.at, t.len);
  out_len += t.len;
}
static void put_number(u32 n) {
  u8 digits[10];
  u32 i = 10;
  do digits[--i] = '0' + n % 10; while (n /= 10);
  put((text){digits + i, 10 - i});
}
static text printed(void) { return (text){out_bytes, out_len}; }

// Where the host writes a result that doesn't fit one core value.
static union { u64 whole[16]; u32 word[32]; u8 byte[128]; } ret;
static text word_text(u32 i) { return (text){(const u8 *)ret.word[i], ret.word[i + 1]}; }
