import koffi from 'koffi';

/** Of Go's `runtime/cgo` since 1.21, where the linker leaves them visible: waits for the runtime; whether threads are kept. */
const WAIT_FOR_RUNTIME = '_cgo_wait_runtime_init_done';
const KEEPS_THREADS = 'x_cgo_pthread_key_created';

/**
 * Has a Go library forget each thread that called it, before any does. By itself it remembers the stack of a thread's
 * first call; koffi calls on other stacks each time, and a panic in a later call would take the runtime back to that
 * first one, which another call may be using: then the process dies without the panic's words. What is set here is what
 * the runtime has itself where it could not make its key, and costs some system calls for each call. Libraries without
 * these symbols, of older Go or of other languages, are left as they are: they remember nothing.
 */
export async function forgetThreads(library: ReturnType<typeof koffi.load>): Promise<void> {
  let wait: ReturnType<typeof library.func>;
  let keepsThreads: unknown;
  try {
    wait = library.func(WAIT_FOR_RUNTIME, 'uintptr_t', []);
    keepsThreads = library.symbol(KEEPS_THREADS);
  } catch {
    return;
  }
  // It makes the key, once; a Go `init` that hangs is not waited for on this thread.
  await new Promise<void>((resolve, reject) => {
    wait.async((error: unknown) => (error ? reject(error) : resolve()));
  });
  koffi.encode(keepsThreads, 'uintptr_t', 0);
}
