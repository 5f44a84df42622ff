/* A libcuda.so.1 without a GPU: it answers from a scenario file (scenario.h).
 *
 * Enough for programs that ask which GPUs there are. Nothing can be computed: making a
 * context fails, and CUDA runtimes, which want hundreds of functions, do not start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#include "scenario.h"

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    NOT_FOUND = 500,
    NOT_SUPPORTED = 801,
    UNKNOWN = 999
};

#define MEBIBYTE (1024ULL * 1024ULL)
#define NO_MIG (-1)

struct visible_device { int gpu, mig; };

static struct visible_device visible[MAX_GPUS];
static int visible_count;
static int initialised;

#define ENTER_FOR(gpu)                     \
    do {                                   \
        int code_ = gate(__func__, (gpu)); \
        if (code_ != GO_ON)                \
            return code_;                  \
        if (!initialised)                  \
            return NOT_INITIALIZED;        \
    } while (0)
#define ENTER_DEVICE(ordinal)                                             \
    int gpu = (ordinal) >= 0 && (ordinal) < visible_count                 \
                  ? visible[ordinal].gpu : -1;                            \
    ENTER_FOR(gpu);                                                       \
    if (gpu < 0)                                                          \
        return INVALID_DEVICE

/* --- which devices a process sees -------------------------------------------- */

static const char *uuid_of(struct visible_device device, char *made_up, size_t size)
{
    const char *given = device.mig == NO_MIG ? gpu_get(device.gpu, "uuid")
                                             : mig_get(device.gpu, device.mig, "uuid");
    snprintf(made_up, size, "%s-00000000-0000-0000-%04x-%012x",
             device.mig == NO_MIG ? "GPU" : "MIG", (unsigned)device.gpu,
             (unsigned)(device.mig + 1));
    return given ? given : made_up;
}

/* Every device that can compute: a GPU in MIG mode only offers its instances. */
static int list_devices(struct visible_device *out)
{
    int gpu, mig, count = 0;
    for (gpu = 0; gpu < gpu_count(); gpu++) {
        struct visible_device whole = {gpu, NO_MIG};
        if (get("handle.%d", gpu))
            continue;
        if (!gpu_number(gpu, "mig", 0) && count < MAX_GPUS)
            out[count++] = whole;
        for (mig = 0; gpu_number(gpu, "mig", 0) && mig < mig_count(gpu); mig++) {
            struct visible_device part = {gpu, mig};
            if (count < MAX_GPUS)
                out[count++] = part;
        }
    }
    return count;
}

static int matches(const char *wanted, int index, struct visible_device device)
{
    char made_up[64], *end;
    long number = strtol(wanted, &end, 10);
    if (end != wanted && *end == '\0')
        return number == index;
    return *wanted && !strncmp(uuid_of(device, made_up, sizeof made_up), wanted,
                               strlen(wanted));
}

/* CUDA uses one MIG instance a process, the first of those it may see
 * (docs.nvidia.com/datacenter/tesla/mig-user-guide). */
static void show(struct visible_device device)
{
    int i;
    for (i = 0; i < visible_count; i++)
        if (device.mig != NO_MIG && visible[i].mig != NO_MIG)
            return;
    visible[visible_count++] = device;
}

/* CUDA_VISIBLE_DEVICES: the first entry that names no device ends the list. */
static void choose_visible(void)
{
    struct visible_device all[MAX_GPUS];
    int i, count = list_devices(all);
    const char *variable = getenv("CUDA_VISIBLE_DEVICES");
    char copy[1024], *rest = copy, *word;
    visible_count = 0;
    if (!variable) {
        for (i = 0; i < count; i++)
            show(all[i]);
        return;
    }
    snprintf(copy, sizeof copy, "%s", variable);
    while ((word = strsep(&rest, ",")) && visible_count < MAX_GPUS) {
        word = strip(word);
        for (i = 0; i < count && !matches(word, i, all[i]); i++)
            ;
        if (i == count)
            return;
        show(all[i]);
    }
}

/* --- start and version ------------------------------------------------------- */

int cuInit(unsigned flags)
{
    int code = gate(__func__, -1);
    (void)flags;
    if (code == GO_ON)
        code = scenario_loaded ? (int)number_or(get("cu_init"), SUCCESS) : UNKNOWN;
    if (code != SUCCESS)
        return code;
    choose_visible();
    initialised = visible_count > 0;
    return initialised ? SUCCESS : NO_DEVICE;
}

/* Works before cuInit. A compat libcuda speaks another version than the driver. */
int cuDriverGetVersion(int *out)
{
    int code = gate(__func__, -1);
    const char *own = get("cu_cuda");
    if (code != GO_ON)
        return code;
    *out = (int)number_or(own ? own : get("cuda"), 0);
    return SUCCESS;
}

static const struct { int code; const char *name, *text; } errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE",
     "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "system has unsupported display driver / cuda driver combination"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
     "forward compatibility was attempted on non supported HW"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static int find_error(int code, const char **name, const char **text)
{
    size_t i;
    for (i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) {
            *name = errors[i].name;
            *text = errors[i].text;
            return SUCCESS;
        }
    *name = *text = NULL;
    return INVALID_VALUE;
}

int cuGetErrorName(int code, const char **out)
{
    const char *unused;
    return find_error(code, out, &unused);
}

int cuGetErrorString(int code, const char **out)
{
    const char *unused;
    return find_error(code, &unused, out);
}

/* --- devices ----------------------------------------------------------------- */

int cuDeviceGetCount(int *out)
{
    ENTER_FOR(-1);
    *out = visible_count;
    return SUCCESS;
}

int cuDeviceGet(int *out, int ordinal)
{
    ENTER_DEVICE(ordinal);
    *out = ordinal;
    return SUCCESS;
}

static const char *device_get(int ordinal, const char *key)
{
    struct visible_device device = visible[ordinal];
    return device.mig == NO_MIG ? gpu_get(device.gpu, key)
                                : mig_get(device.gpu, device.mig, key);
}

int cuDeviceGetName(char *out, int size, int ordinal)
{
    ENTER_DEVICE(ordinal);
    if (size <= 0)
        return INVALID_VALUE;
    snprintf(out, (size_t)size, "%s", device_get(ordinal, "name"));
    return SUCCESS;
}

static int put_memory(size_t *out, int ordinal)
{
    *out = (size_t)((uint64_t)number_or(device_get(ordinal, "memory_mib"), 0) * MEBIBYTE);
    return SUCCESS;
}

int cuDeviceTotalMem_v2(size_t *out, int ordinal)
{
    ENTER_DEVICE(ordinal);
    return put_memory(out, ordinal);
}

int cuDeviceTotalMem(size_t *out, int ordinal)
{
    ENTER_DEVICE(ordinal);
    return put_memory(out, ordinal);
}

/* "GPU-00112233-…" as its 16 bytes. */
static int put_uuid(unsigned char *out, struct visible_device device)
{
    char made_up[64];
    const char *at = strchr(uuid_of(device, made_up, sizeof made_up), '-');
    unsigned value;
    int i;
    memset(out, 0, 16);
    for (i = 0; at && i < 16; i++) {
        while (*at == '-')
            at++;
        if (sscanf(at, "%2x", &value) != 1)
            break;
        out[i] = (unsigned char)value;
        at += 2;
    }
    return SUCCESS;
}

int cuDeviceGetUuid(unsigned char *out, int ordinal)
{
    ENTER_DEVICE(ordinal);
    return put_uuid(out, visible[ordinal]);
}

int cuDeviceGetUuid_v2(unsigned char *out, int ordinal)
{
    ENTER_DEVICE(ordinal);
    return put_uuid(out, visible[ordinal]);
}

static unsigned pci_part(int gpu, int part)
{
    unsigned found[3] = {0, (unsigned)gpu + 1, 0};
    const char *text = gpu_get(gpu, "pci");
    if (text)
        sscanf(text, "%x:%x:%x", &found[0], &found[1], &found[2]);
    return found[part];
}

int cuDeviceGetPCIBusId(char *out, int size, int ordinal)
{
    ENTER_DEVICE(ordinal);
    snprintf(out, (size_t)size, "%04X:%02X:%02X.0", pci_part(gpu, 0), pci_part(gpu, 1),
             pci_part(gpu, 2));
    return SUCCESS;
}

/* Numbers of CUdevice_attribute; those of a usual card where the scenario has no key. */
static int attribute(int gpu, int number)
{
    switch (number) {
    case 1: case 2: case 3: return 1024;          /* threads per block; block x, y */
    case 4: return 64;                            /* block z */
    case 5: return 2147483647;                    /* grid x */
    case 6: case 7: return 65535;                 /* grid y, z */
    case 8: return 49152;                         /* shared memory per block */
    case 10: return 32;                           /* warp size */
    case 12: case 82: return 65536;               /* registers per block, per SM */
    case 13: case 36: return 1500000;             /* clocks in kHz */
    case 16: return (int)gpu_number(gpu, "multiprocessors", 80);
    case 18: return (int)gpu_number(gpu, "integrated", 0);
    case 20: return (int)gpu_number(gpu, "compute_mode", 0);
    case 32: return (int)gpu_number(gpu, "ecc", 0);
    case 33: return (int)pci_part(gpu, 1);
    case 34: return (int)pci_part(gpu, 2);
    case 37: return 256;                          /* memory bus width */
    case 38: return 6291456;                      /* L2 cache */
    case 39: return 2048;                         /* threads per SM */
    case 41: case 83: return 1;                   /* unified addressing, managed memory */
    case 50: return (int)pci_part(gpu, 0);
    case 75: return compute_capability(gpu) / 10;
    case 76: return compute_capability(gpu) % 10;
    case 81: return 65536;                        /* shared memory per SM */
    case 97: return 49152;                        /* opt-in shared memory per block */
    case 106: return 16;                          /* blocks per SM */
    default: return 0;
    }
}

int cuDeviceGetAttribute(int *out, int number, int ordinal)
{
    ENTER_DEVICE(ordinal);
    *out = (int)number_or(get("gpu.%d.attribute.%d", gpu, number), attribute(gpu, number));
    return SUCCESS;
}

int cuDeviceComputeCapability(int *major, int *minor, int ordinal)
{
    ENTER_DEVICE(ordinal);
    *major = compute_capability(gpu) / 10;
    *minor = compute_capability(gpu) % 10;
    return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **out, int ordinal)
{
    ENTER_DEVICE(ordinal);
    *out = NULL;
    return NOT_SUPPORTED;
}

/* --- looking functions up ---------------------------------------------------- */

static int find_function(const char *name, void **out, int cuda)
{
    char versioned[128];
    Dl_info self;
    void *library = NULL;
    if (dladdr((void *)(uintptr_t)cuInit, &self))
        library = dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    snprintf(versioned, sizeof versioned, "%s_v2", name);
    *out = library && cuda >= 12000 ? dlsym(library, versioned) : NULL;
    if (library && !*out)
        *out = dlsym(library, name);
    return *out ? SUCCESS : NOT_FOUND;
}

int cuGetProcAddress(const char *name, void **out, int cuda, uint64_t flags)
{
    int code = gate(__func__, -1);
    (void)flags;
    return code == GO_ON ? find_function(name, out, cuda) : code;
}

/* status: 0 found, 1 no such function. */
int cuGetProcAddress_v2(const char *name, void **out, int cuda, uint64_t flags,
                        int *status)
{
    int code = gate(__func__, -1);
    (void)flags;
    if (code != GO_ON)
        return code;
    code = find_function(name, out, cuda);
    if (status)
        *status = code != SUCCESS;
    return code;
}
