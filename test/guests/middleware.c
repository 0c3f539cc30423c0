// A wasi:http 0.3 middleware: it passes each request on and gives back what is answered.
#include "guest.h"

#define HANDLER "wasi:http/handler@0.3.0"

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  return allocate(old, old_size, align, size);
}

IMPORT("$root", "[waitable-set-new]") u32 set_new(void);
IMPORT("$root", "[waitable-join]") void join(u32 waitable, u32 set);
IMPORT("$root", "[subtask-drop]") void subtask_drop(u32 self);
IMPORT("[export]" HANDLER, "[task-return]handle")
void task_return(u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);
IMPORT(HANDLER, "[async-lower]handle") u32 next(u32 request, void *ret);

enum { RETURNED = 2, WAIT = 2, EXIT = 0 };

static struct {
  u8 is_error;
  u32 response __attribute__((aligned(8)));
  u8 rest[64];
} answer;

static u32 finish(void) {
  // The last case: internal-error, without a message.
  if (answer.is_error) task_return(1, 38, 0, 0, 0, 0, 0, 0);
  else task_return(0, answer.response, 0, 0, 0, 0, 0, 0);
  return EXIT;
}

EXPORT("[async-lift]" HANDLER "#handle") u32 handle(u32 request) {
  u32 status = next(request, &answer);
  if ((status & 15) == RETURNED) return finish();
  u32 set = set_new();
  join(status >> 4, set);
  return WAIT | set << 4;
}

EXPORT("[callback][async-lift]" HANDLER "#handle") u32 resumed(u32 event, u32 subtask, u32 state) {
  if (state != RETURNED) __builtin_trap();
  subtask_drop(subtask);
  return finish();
}
