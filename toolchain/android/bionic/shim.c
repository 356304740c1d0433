/* Stands in for Android's C library (bionic), so that a library made for Android runs in a process of GNU's C library.
 *
 * Both follow the same calling convention on aarch64, so nearly every function can be passed on: symbols.S, which
 * toolchain/android/bionic/build.py writes, jumps through shim_targets. Here stands what differs between the two: sizes of
 * what a caller allocates, numbers of constants, streams, and functions that only bionic has.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

extern const char *const shim_names[];
extern void *shim_targets[];
extern const int shim_count;

typedef void *(*find_t)(const char *name);
static find_t find;

void *shim_stderr __asm__("stderr");
/* bionic's stdin, stdout and stderr: nothing looks into them, their addresses are all that counts. */
char __sF[3 * 152];

static void say(const char *text) {
  long (*write)(int, const void *, size_t) = find("write");
  size_t length = 0;
  while (text[length]) length++;
  write(2, text, length);
}

static void missing(void) {
  say("runner: the library called a function that this C library does not have\n");
  __builtin_trap();
}

/* Called by the runner before anything else, with a function that looks a name up in GNU's C library. */
void shim_start(find_t lookup) {
  find = lookup;
  for (int i = 0; i < shim_count; i++) {
    void *target = find(shim_names[i]);
    shim_targets[i] = target ? target : (void *)missing;
  }
  shim_stderr = *(void **)find("stderr");
}

/* Mutexes, conditions and semaphores. bionic's are smaller than GNU's and zero when static, so a GNU one is made on the heap at
 * first use; a pointer to it stands in the caller's own. The first word is left alone: there bionic's static initializers keep
 * the kind of a mutex. */
static void **slot(void *object) {
  return (void **)(((uintptr_t)object + 4 + 7) & ~(uintptr_t)7);
}

enum { GNU_SIZE = 64, BIONIC_RECURSIVE = 1 << 14, RECURSIVE = 1 };

static void *new_object(void) {
  void *(*allocate)(size_t, size_t) = find("calloc");
  return allocate(1, GNU_SIZE);
}

static void make_mutex(void *made, void *object) {
  int (*init)(void *, void *) = find("pthread_mutex_init");
  long attributes = 0; /* the size of GNU's pthread_mutexattr_t */
  if (*(int *)object & BIONIC_RECURSIVE) ((int (*)(void *, int))find("pthread_mutexattr_settype"))(&attributes, RECURSIVE);
  init(made, &attributes);
}

static void make_condition(void *made, void *object) {
  (void)object;
  ((int (*)(void *, void *))find("pthread_cond_init"))(made, NULL);
}

static void *of(void *object, void (*make)(void *, void *)) {
  void **place = slot(object), *held = __atomic_load_n(place, __ATOMIC_ACQUIRE);
  if (held) return held;
  void *made = new_object(), *none = NULL;
  make(made, object);
  /* Another thread may have been quicker; its one counts. */
  return __atomic_compare_exchange_n(place, &none, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ? made : none;
}

static int on_mutex(const char *function, void *mutex) {
  return ((int (*)(void *))find(function))(of(mutex, make_mutex));
}

static int on_condition(const char *function, void *condition) {
  return ((int (*)(void *))find(function))(of(condition, make_condition));
}

int pthread_mutex_init(void *mutex, void *attributes) {
  void *made = new_object();
  *(int *)mutex = 0;
  *slot(mutex) = made;
  return ((int (*)(void *, void *))find("pthread_mutex_init"))(made, attributes);
}

/* What is destroyed is not freed: a check that runs for seconds can do without, and a second destroy does no harm. */
int pthread_mutex_destroy(void *mutex) { *slot(mutex) = NULL; return 0; }
int pthread_mutex_lock(void *mutex) { return on_mutex("pthread_mutex_lock", mutex); }
int pthread_mutex_trylock(void *mutex) { return on_mutex("pthread_mutex_trylock", mutex); }
int pthread_mutex_unlock(void *mutex) { return on_mutex("pthread_mutex_unlock", mutex); }

int pthread_cond_init(void *condition, void *attributes) {
  void *made = new_object();
  *slot(condition) = made;
  return ((int (*)(void *, void *))find("pthread_cond_init"))(made, attributes);
}

int pthread_cond_destroy(void *condition) { *slot(condition) = NULL; return 0; }
int pthread_cond_signal(void *condition) { return on_condition("pthread_cond_signal", condition); }
int pthread_cond_broadcast(void *condition) { return on_condition("pthread_cond_broadcast", condition); }

int pthread_cond_wait(void *condition, void *mutex) {
  return ((int (*)(void *, void *))find("pthread_cond_wait"))(of(condition, make_condition), of(mutex, make_mutex));
}

int pthread_cond_timedwait(void *condition, void *mutex, const void *until) {
  int (*wait)(void *, void *, const void *) = find("pthread_cond_timedwait");
  return wait(of(condition, make_condition), of(mutex, make_mutex), until);
}

int sem_init(void *semaphore, int shared, unsigned value) {
  void *made = new_object();
  *slot(semaphore) = made;
  return ((int (*)(void *, int, unsigned))find("sem_init"))(made, shared, value);
}

int sem_post(void *semaphore) { return ((int (*)(void *))find("sem_post"))(*slot(semaphore)); }
int sem_wait(void *semaphore) { return ((int (*)(void *))find("sem_wait"))(*slot(semaphore)); }

int sem_timedwait(void *semaphore, const void *until) {
  return ((int (*)(void *, const void *))find("sem_timedwait"))(*slot(semaphore), until);
}

/* Signal sets: 8 bytes in bionic, 128 in GNU's. */
enum { GNU_SET_WORDS = 16 };

int sigfillset(uint64_t *set) { *set = ~(uint64_t)0; return 0; }

int pthread_sigmask(int how, const uint64_t *set, uint64_t *old) {
  uint64_t wide[GNU_SET_WORDS] = {0}, before[GNU_SET_WORDS] = {0};
  if (set) wide[0] = *set;
  int result = ((int (*)(int, const void *, void *))find("pthread_sigmask"))(how, set ? wide : NULL, before);
  if (old) *old = before[0];
  return result;
}

/* Numbers of sysconf, bionic's on the left. */
long sysconf(int name) {
  static const struct { int bionic, gnu; } numbers[] = {{39, 30}, {40, 30}, {96, 83}, {97, 84}, {98, 85}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (numbers[i].bionic == name) return ((long (*)(int))find("sysconf"))(numbers[i].gnu);
  return -1; /* as for a name that is not known */
}

/* Other names for the same, or the same name for another form. */
int *__errno(void) { return ((int *(*)(void))find("__errno_location"))(); }
char *__gnu_strerror_r(int number, char *text, size_t size) { return ((char *(*)(int, char *, size_t))find("strerror_r"))(number, text, size); }
int strerror_r(int number, char *text, size_t size) { return ((int (*)(int, char *, size_t))find("__xpg_strerror_r"))(number, text, size); }

/* Checked forms that GNU's library lacks; the compiler that inserted them has them check what a correct program never does. */
size_t __strlen_chk(const char *text, size_t size) { (void)size; return ((size_t (*)(const char *))find("strlen"))(text); }
char *__strchr_chk(const char *text, int wanted, size_t size) { (void)size; return ((char *(*)(const char *, int))find("strchr"))(text, wanted); }

long __write_chk(int file, const void *data, size_t count, size_t size) {
  (void)size;
  return ((long (*)(int, const void *, size_t))find("write"))(file, data, count);
}

/* Functions of Android alone. No fork happens, and no property is set. */
int __register_atfork(void *prepare, void *parent, void *child, void *library) {
  (void)prepare; (void)parent; (void)child; (void)library;
  return 0;
}

int __system_property_get(const char *name, char *value) { (void)name; *value = 0; return 0; }
void android_set_abort_message(const char *text) { say(text); say("\n"); }

void __assert2(const char *file, int line, const char *function, const char *failed) {
  (void)line;
  say(file); say(": "); say(function); say(": assertion failed: "); say(failed); say("\n");
  ((void (*)(void))find("abort"))();
}

int __android_log_write(int priority, const char *tag, const char *text) {
  (void)priority;
  say(tag ? tag : ""); say(": "); say(text); say("\n");
  return 1;
}

int __android_log_vprint(int priority, const char *tag, const char *format, va_list values) {
  char text[1024];
  ((int (*)(char *, size_t, const char *, va_list))find("vsnprintf"))(text, sizeof text, format, values);
  return __android_log_write(priority, tag, text);
}

/* Streams: each of bionic's three is written to GNU's standard error, since standard output carries tensors. */
static void *stream(void *file) {
  return (char *)file >= __sF && (char *)file < __sF + sizeof __sF ? shim_stderr : file;
}

int vfprintf(void *file, const char *format, va_list values) {
  return ((int (*)(void *, const char *, va_list))find("vfprintf"))(stream(file), format, values);
}

int fprintf(void *file, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int written = vfprintf(file, format, values);
  va_end(values);
  return written;
}

int printf(const char *format, ...) {
  va_list values;
  va_start(values, format);
  int written = vfprintf(shim_stderr, format, values);
  va_end(values);
  return written;
}

size_t fwrite(const void *data, size_t size, size_t count, void *file) {
  return ((size_t (*)(const void *, size_t, size_t, void *))find("fwrite"))(data, size, count, stream(file));
}

int fputc(int character, void *file) { return ((int (*)(int, void *))find("fputc"))(character, stream(file)); }
int putchar(int character) { return fputc(character, shim_stderr); }
int puts(const char *text) { say(text); say("\n"); return 1; }
int fflush(void *file) { return ((int (*)(void *))find("fflush"))(stream(file)); }
