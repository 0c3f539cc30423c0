/* A WAGI program over wasi-libc that also has an import by its component-type section. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int u32;

__attribute__((import_module("fermyon:spin/variables@2.0.0"), import_name("get")))
void variables_get(const char *name, u32 len, void *ret);

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return realloc(old, size);
}

/* Called here, so that the linker does not call it before every exported function: the allocator may call no host. */
void __wasm_call_ctors(void);

int main(int argc, char **argv) {
  __wasm_call_ctors();
  u32 ret[3];
  char line[64] = "";
  variables_get("greeting", 8, ret);
  if (!strcmp(getenv("QUERY_STRING"), "exit")) return 3;
  printf("Content-Type: text/plain\n\n");
  for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
  printf("\nvariable %.*s\n", (int)ret[2], (char *)ret[1]);
  if (fgets(line, sizeof line, stdin)) printf("body %s\n", line);
  FILE *file = fopen("/a/b.txt", "r");
  if (file) printf("file %s\n", fgets(line, sizeof line, file));
  return fflush(stdout);
}
