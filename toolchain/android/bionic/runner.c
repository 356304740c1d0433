/* runner LIBRARY MODEL.tflite: runs a model with an Android library of TensorFlow Lite, by its C API and XNNPACK.
 *
 * Reads input tensors from standard input and writes for each the output tensors, in the model's order, to standard output, all as
 * the model holds them, until the input ends.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* bionic keeps the stack guard 40 bytes behind the thread pointer, where GNU's library puts the program's own thread-local
 * variables: this one, which nobody writes to, so that the guard stays what it was within a function. */
__thread char stack_guard[256];

static void fail(const char *why, const char *what) {
  fprintf(stderr, "error: %s: %s\n", what, why);
  exit(1);
}

static void *look_up(const char *name) { return dlsym(RTLD_DEFAULT, name); }

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) fail("no such function in the library", name);
  return found;
}

static void *open_library(const char *name) {
  void *library = dlopen(name, RTLD_NOW);
  if (!library) fail(dlerror(), name);
  return library;
}

static void *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail("cannot be read", path);
  *size = ftell(file);
  rewind(file);
  void *data = aligned_alloc(64, (*size + 63) / 64 * 64);
  if (!data || fread(data, 1, *size, file) != *size) fail("cannot be read", path);
  fclose(file);
  return data;
}

typedef struct {
  void *interpreter;
  int (*invoke)(void *);
  int (*output_count)(const void *);
  void *(*input)(const void *, int);
  const void *(*output)(const void *, int);
  size_t (*bytes)(const void *);
  void *(*data)(const void *);
} Model;

static Model load(void *library, const void *model, size_t size) {
  void *(*new_model)(const void *, size_t) = symbol(library, "TfLiteModelCreate");
  void *(*new_options)(void) = symbol(library, "TfLiteInterpreterOptionsCreate");
  void (*add_delegate)(void *, void *) = symbol(library, "TfLiteInterpreterOptionsAddDelegate");
  void *(*new_xnnpack)(const void *) = symbol(library, "TfLiteXNNPackDelegateCreate");
  void *(*new_interpreter)(const void *, const void *) = symbol(library, "TfLiteInterpreterCreate");
  int (*allocate)(void *) = symbol(library, "TfLiteInterpreterAllocateTensors");
  void *options = new_options();
  add_delegate(options, new_xnnpack(NULL));
  void *parsed = new_model(model, size);
  void *interpreter = parsed ? new_interpreter(parsed, options) : NULL;
  if (!interpreter || allocate(interpreter)) fail("the library refuses this model", "TfLiteInterpreterCreate");
  Model made = {
      interpreter,
      symbol(library, "TfLiteInterpreterInvoke"),
      symbol(library, "TfLiteInterpreterGetOutputTensorCount"),
      symbol(library, "TfLiteInterpreterGetInputTensor"),
      symbol(library, "TfLiteInterpreterGetOutputTensor"),
      symbol(library, "TfLiteTensorByteSize"),
      symbol(library, "TfLiteTensorData"),
  };
  return made;
}

int main(int count, char **arguments) {
  if (count != 3) fail("expected LIBRARY MODEL.tflite", "runner");
  stack_guard[0] = 0; /* so that the linker keeps it */
  ((void (*)(void *(*)(const char *)))symbol(open_library("libc.so"), "shim_start"))(look_up);
  size_t size;
  void *bytes = read_file(arguments[2], &size);
  Model model = load(open_library(arguments[1]), bytes, size);
  void *input = model.input(model.interpreter, 0);
  /* Not exit, whose handlers would take the library down while its threads run. */
  while (fread(model.data(input), model.bytes(input), 1, stdin) == 1) {
    if (model.invoke(model.interpreter)) fail("the library failed", "TfLiteInterpreterInvoke");
    for (int i = 0; i < model.output_count(model.interpreter); i++) {
      const void *output = model.output(model.interpreter, i);
      if (fwrite(model.data(output), model.bytes(output), 1, stdout) != 1) fail("cannot be written", "standard output");
    }
    fflush(stdout);
  }
  _exit(0);
}
