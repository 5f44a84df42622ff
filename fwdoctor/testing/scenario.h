/* The scenario file both fakes read: flat key=value lines, '#' starts a comment line.
 *
 * Shared by nvml.c and cuda.c, each of which compiles its own static copy. Keys are
 * described in docs/testing.md and checked by scenario.py; this reader is lenient.
 */
#ifndef FWDOCTOR_SCENARIO_H
#define FWDOCTOR_SCENARIO_H

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCENARIO_VARIABLE "FWDOCTOR_FAKE_GPU"
#define MAX_ENTRIES 1024
#define KEY_SIZE 96
#define VALUE_SIZE 416
#define MAX_GPUS 64
#define GO_ON (-1)

struct entry {
    char key[KEY_SIZE];
    char value[VALUE_SIZE];
};

static struct entry entries[MAX_ENTRIES];
static int entry_count;
static int scenario_loaded;
static long call_count;

static char *strip(char *text)
{
    char *end;
    while (*text == ' ' || *text == '\t')
        text++;
    end = text + strlen(text);
    while (end > text && strchr(" \t\r\n", end[-1]))
        *--end = '\0';
    return text;
}

static void add_entry(const char *key, const char *value)
{
    if (entry_count == MAX_ENTRIES)
        return;
    snprintf(entries[entry_count].key, KEY_SIZE, "%s", key);
    snprintf(entries[entry_count].value, VALUE_SIZE, "%s", value);
    entry_count++;
}

__attribute__((constructor)) static void load_scenario(void)
{
    const char *path = getenv(SCENARIO_VARIABLE);
    FILE *file = path ? fopen(path, "r") : NULL;
    static char line[8192];
    if (!file) {
        fprintf(stderr, "fwdoctor fake GPU: %s names no readable file\n",
                SCENARIO_VARIABLE);
        return;
    }
    while (fgets(line, sizeof line, file)) {
        char *text = strip(line);
        char *equals = strchr(text, '=');
        if (*text == '#' || !equals)
            continue;
        *equals = '\0';
        add_entry(strip(text), strip(equals + 1));
    }
    fclose(file);
    scenario_loaded = 1;
}

/* The value of a key given printf-style, or NULL. */
__attribute__((format(printf, 1, 2))) static const char *get(const char *format, ...)
{
    char key[KEY_SIZE];
    va_list arguments;
    int i;
    va_start(arguments, format);
    vsnprintf(key, sizeof key, format, arguments);
    va_end(arguments);
    for (i = 0; i < entry_count; i++)
        if (!strcmp(entries[i].key, key))
            return entries[i].value;
    return NULL;
}

static long long number_or(const char *value, long long fallback)
{
    return value && *value ? strtoll(value, NULL, 0) : fallback;
}

static const char *gpu_get(int gpu, const char *key)
{
    return get("gpu.%d.%s", gpu, key);
}

static long long gpu_number(int gpu, const char *key, long long fallback)
{
    return number_or(gpu_get(gpu, key), fallback);
}

static const char *mig_get(int gpu, int mig, const char *key)
{
    return get("gpu.%d.mig.%d.%s", gpu, mig, key);
}

static int gpu_count(void)
{
    int count = 0;
    while (count < MAX_GPUS && gpu_get(count, "name"))
        count++;
    return count;
}

static int mig_count(int gpu)
{
    int count = 0;
    while (count < MAX_GPUS && mig_get(gpu, count, "name"))
        count++;
    return count;
}

/* Compute capability "9.0" as 90, "12.1" as 121. */
static int compute_capability(int gpu)
{
    int major = 0, minor = 0;
    const char *text = gpu_get(gpu, "cc");
    if (text)
        sscanf(text, "%d.%d", &major, &minor);
    return major * 10 + minor;
}

static int in_list(const char *list, const char *name)
{
    size_t length = strlen(name);
    const char *at = list;
    while (at && (at = strstr(at, name))) {
        int starts = at == list || at[-1] == ',' || at[-1] == ' ';
        char after = at[length];
        if (starts && (after == '\0' || after == ',' || after == ' '))
            return 1;
        at += length;
    }
    return 0;
}

/* "20:15": code 15 from the 21st call on. */
static int late_failure(const char *rule)
{
    long calls = 0;
    int code = 0;
    if (rule && sscanf(rule, "%ld:%d", &calls, &code) == 2 && call_count > calls)
        return code;
    return GO_ON;
}

/* What every fake function asks first: a code to return at once, or GO_ON. */
static int gate(const char *function, int gpu)
{
    const char *code;
    int late;
    call_count++;
    usleep((useconds_t)number_or(get("delay_ms.%s", function), 0) * 1000);
    while (in_list(get("hang"), function))
        usleep(100000);
    if (in_list(get("crash"), function))
        raise(SIGSEGV);
    if (in_list(get("abort"), function))
        abort();
    if (gpu >= 0 && (code = get("gpu.%d.return.%s", gpu, function)))
        return atoi(code);
    if ((code = get("return.%s", function)))
        return atoi(code);
    if (gpu >= 0 && (late = late_failure(gpu_get(gpu, "after_calls"))) != GO_ON)
        return late;
    return gpu >= 0 ? late_failure(get("after_calls")) : GO_ON;
}

#endif
