/* A libnvidia-ml.so.1 without a GPU: it answers from a scenario file (scenario.h).
 *
 * Written from the public behaviour of NVML as nvidia-ml-py uses it: names, argument
 * order and struct layouts are those of that module. Something the scenario does not
 * mention is "not supported", as on a card that lacks it.
 */
#define _GNU_SOURCE
#include <stdint.h>

#include "scenario.h"

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    VERSION_MISMATCH = 25,
    UNKNOWN = 999
};

#define GPU_HANDLE 0x1000
#define MIG_HANDLE 0x100000
#define MEBIBYTE (1024ULL * 1024ULL)
#define NO_MIG (-1)

struct pci_info {
    char legacy_id[16];
    uint32_t domain, bus, device, device_id, subsystem_id;
    char id[32];
};
struct memory { uint64_t total, free, used; };
struct memory_v2 { uint32_t version; uint64_t total, reserved, free, used; };
struct process_v1 { uint32_t pid; uint64_t memory; };
struct process { uint32_t pid; uint64_t memory; uint32_t gpu_instance, compute_instance; };
struct utilization { uint32_t gpu, memory; };
struct branch { uint32_t version; char branch[80]; };
struct fabric { unsigned char cluster[16]; int32_t status; uint32_t clique, state; };
struct fabric_v {
    uint32_t version;
    struct fabric v1;
    uint32_t health;
    uint8_t summary; /* from version 3 on */
};
struct attributes {
    uint32_t multiprocessors, copy, decoder, encoder, jpeg, ofa, gpu_slices, slices;
    uint64_t memory_mib;
};

static int initialised;

/* Every function but nvmlInit*, nvmlShutdown and nvmlErrorString starts so. */
#define ENTER_FOR(gpu)                          \
    do {                                        \
        int code_ = gate(__func__, (gpu));      \
        if (code_ != GO_ON)                     \
            return code_;                       \
        if (!initialised)                       \
            return UNINITIALIZED;               \
    } while (0)
#define ENTER() ENTER_FOR(-1)
#define ENTER_DEVICE(handle)                    \
    int gpu = -1, mig = NO_MIG;                 \
    int known_ = find_device(handle, &gpu, &mig); \
    ENTER_FOR(gpu);                             \
    (void)mig;                                  \
    if (!known_)                                \
        return INVALID_ARGUMENT

static int find_device(void *handle, int *gpu, int *mig)
{
    uintptr_t number = (uintptr_t)handle;
    if (number >= MIG_HANDLE && number < MIG_HANDLE + MAX_GPUS * MAX_GPUS) {
        *gpu = (int)(number - MIG_HANDLE) / MAX_GPUS;
        *mig = (int)(number - MIG_HANDLE) % MAX_GPUS;
        return *gpu < gpu_count() && *mig < mig_count(*gpu);
    }
    *gpu = (int)(number - GPU_HANDLE);
    *mig = NO_MIG;
    if (number >= GPU_HANDLE && *gpu < gpu_count())
        return 1;
    *gpu = -1;
    return 0;
}

static void *handle_of(int gpu, int mig)
{
    if (mig == NO_MIG)
        return (void *)(uintptr_t)(GPU_HANDLE + gpu);
    return (void *)(uintptr_t)(MIG_HANDLE + gpu * MAX_GPUS + mig);
}

static int put_text(const char *text, char *out, unsigned size)
{
    if (!text)
        return NOT_SUPPORTED;
    if (size <= strlen(text))
        return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

static int put_number(const char *value, unsigned *out)
{
    if (!value)
        return NOT_SUPPORTED;
    *out = (unsigned)number_or(value, 0);
    return SUCCESS;
}

/* A GPU's key as is, or the same key of the MIG instance a handle stands for. */
static const char *device_get(int gpu, int mig, const char *key)
{
    return mig == NO_MIG ? gpu_get(gpu, key) : mig_get(gpu, mig, key);
}

/* --- library and system ------------------------------------------------------ */

int nvmlInitWithFlags(unsigned flags)
{
    int code = gate(__func__, -1);
    (void)flags;
    if (code == GO_ON)
        code = scenario_loaded ? (int)number_or(get("nvml_init"), SUCCESS) : UNKNOWN;
    initialised = code == SUCCESS;
    return code;
}

int nvmlInit_v2(void)
{
    int code = gate(__func__, -1);
    return code == GO_ON ? nvmlInitWithFlags(0) : code;
}

int nvmlInit(void)
{
    int code = gate(__func__, -1);
    return code == GO_ON ? nvmlInitWithFlags(0) : code;
}

int nvmlShutdown(void)
{
    ENTER();
    initialised = 0;
    return SUCCESS;
}

static const struct { int code; const char *text; } error_texts[] = {
    {0, "Success"},
    {1, "Uninitialized"},
    {2, "Invalid Argument"},
    {3, "Not Supported"},
    {4, "Insufficient Permissions"},
    {6, "Not Found"},
    {7, "Insufficient Size"},
    {9, "Driver Not Loaded"},
    {10, "Timeout"},
    {12, "NVML Shared Library Not Found"},
    {13, "Function Not Found"},
    {15, "GPU is lost"},
    {16, "GPU requires reset"},
    {17, "GPU access blocked by the operating system"},
    {18, "Driver/library version mismatch"},
    {25, "API version mismatch"},
};

const char *nvmlErrorString(int code)
{
    size_t i;
    for (i = 0; i < sizeof error_texts / sizeof *error_texts; i++)
        if (error_texts[i].code == code)
            return error_texts[i].text;
    return "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    ENTER();
    return put_text(get("driver"), out, size);
}

int nvmlSystemGetNVMLVersion(char *out, unsigned size)
{
    char text[80];
    const char *given = get("nvml_version");
    ENTER();
    snprintf(text, sizeof text, "%lld.%s", number_or(get("cuda"), 0) / 1000,
             get("driver") ? get("driver") : "");
    return put_text(given ? given : text, out, size);
}

int nvmlSystemGetCudaDriverVersion_v2(unsigned *out)
{
    ENTER();
    return put_number(get("cuda"), out);
}

int nvmlSystemGetCudaDriverVersion(unsigned *out)
{
    ENTER();
    return put_number(get("cuda"), out);
}

int nvmlSystemGetDriverBranch(struct branch *out, unsigned size)
{
    ENTER();
    if (out->version != (0x01000000 | sizeof *out))
        return VERSION_MISMATCH;
    return put_text(get("driver_branch"), out->branch, size);
}

int nvmlSystemGetProcessName(unsigned pid, char *out, unsigned size)
{
    ENTER();
    return pid ? put_text("python3", out, size) : NOT_FOUND;
}

/* --- finding devices --------------------------------------------------------- */

int nvmlDeviceGetCount_v2(unsigned *out)
{
    ENTER();
    *out = (unsigned)gpu_count();
    return SUCCESS;
}

int nvmlDeviceGetCount(unsigned *out)
{
    ENTER();
    *out = (unsigned)gpu_count();
    return SUCCESS;
}

static int handle_by_index(unsigned index, void **out)
{
    const char *code = get("handle.%u", index);
    if (index >= (unsigned)gpu_count())
        return INVALID_ARGUMENT;
    *out = handle_of((int)index, NO_MIG);
    return (int)number_or(code, SUCCESS);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out)
{
    ENTER();
    return handle_by_index(index, out);
}

int nvmlDeviceGetHandleByIndex(unsigned index, void **out)
{
    ENTER();
    return handle_by_index(index, out);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **out)
{
    int gpu, mig;
    const char *found;
    ENTER();
    for (gpu = 0; gpu < gpu_count(); gpu++)
        for (mig = NO_MIG; mig < mig_count(gpu); mig++)
            if ((found = device_get(gpu, mig, "uuid")) && !strcmp(found, uuid)) {
                *out = handle_of(gpu, mig);
                return SUCCESS;
            }
    return NOT_FOUND;
}

struct pci_address { unsigned domain, bus, device; };

static struct pci_address pci_address(int gpu)
{
    struct pci_address found = {0, (unsigned)gpu + 1, 0};
    const char *text = gpu_get(gpu, "pci");
    if (text)
        sscanf(text, "%x:%x:%x", &found.domain, &found.bus, &found.device);
    return found;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *text, void **out)
{
    struct pci_address wanted, found;
    int gpu;
    ENTER();
    if (sscanf(text, "%x:%x:%x", &wanted.domain, &wanted.bus, &wanted.device) != 3)
        return INVALID_ARGUMENT;
    for (gpu = 0; gpu < gpu_count(); gpu++) {
        found = pci_address(gpu);
        if (!memcmp(&found, &wanted, sizeof found)) {
            *out = handle_of(gpu, NO_MIG);
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}

static int put_pci(int gpu, struct pci_info *out)
{
    struct pci_address at = pci_address(gpu);
    memset(out, 0, sizeof *out);
    snprintf(out->legacy_id, sizeof out->legacy_id, "%04X:%02X:%02X.0",
             at.domain & 0xffff, at.bus & 0xff, at.device & 0xff);
    snprintf(out->id, sizeof out->id, "%08X:%02X:%02X.0", at.domain, at.bus & 0xff,
             at.device & 0xff);
    out->domain = at.domain;
    out->bus = at.bus;
    out->device = at.device;
    out->device_id = (uint32_t)gpu_number(gpu, "pci_device_id", 0x10DE);
    out->subsystem_id = (uint32_t)gpu_number(gpu, "pci_subsystem_id", 0x10DE);
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(void *handle, struct pci_info *out)
{
    ENTER_DEVICE(handle);
    return put_pci(gpu, out);
}

int nvmlDeviceGetPciInfo_v2(void *handle, struct pci_info *out)
{
    ENTER_DEVICE(handle);
    return put_pci(gpu, out);
}

/* --- what a device is -------------------------------------------------------- */

int nvmlDeviceGetName(void *handle, char *out, unsigned size)
{
    ENTER_DEVICE(handle);
    return put_text(device_get(gpu, mig, "name"), out, size);
}

int nvmlDeviceGetUUID(void *handle, char *out, unsigned size)
{
    char made_up[64];
    const char *given;
    ENTER_DEVICE(handle);
    given = device_get(gpu, mig, "uuid");
    snprintf(made_up, sizeof made_up, "%s-00000000-0000-0000-%04x-%012x",
             mig == NO_MIG ? "GPU" : "MIG", (unsigned)gpu, (unsigned)(mig + 1));
    return put_text(given ? given : made_up, out, size);
}

int nvmlDeviceGetVbiosVersion(void *handle, char *out, unsigned size)
{
    ENTER_DEVICE(handle);
    return put_text(gpu_get(gpu, "vbios"), out, size);
}

int nvmlDeviceGetGspFirmwareVersion(void *handle, char *out)
{
    ENTER_DEVICE(handle);
    return put_text(gpu_get(gpu, "gsp"), out, 64);
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor)
{
    ENTER_DEVICE(handle);
    if (!gpu_get(gpu, "cc"))
        return NOT_SUPPORTED;
    *major = compute_capability(gpu) / 10;
    *minor = compute_capability(gpu) % 10;
    return SUCCESS;
}

static unsigned architecture_of(int cc)
{
    if (cc < 50) return 2;   /* Kepler */
    if (cc < 60) return 3;   /* Maxwell */
    if (cc < 70) return 4;   /* Pascal */
    if (cc < 75) return 5;   /* Volta */
    if (cc < 80) return 6;   /* Turing */
    if (cc < 89) return 7;   /* Ampere */
    if (cc < 90) return 8;   /* Ada */
    if (cc < 100) return 9;  /* Hopper */
    return 10;               /* Blackwell */
}

int nvmlDeviceGetArchitecture(void *handle, unsigned *out)
{
    ENTER_DEVICE(handle);
    *out = (unsigned)gpu_number(gpu, "architecture",
                                architecture_of(compute_capability(gpu)));
    return SUCCESS;
}

int nvmlDeviceGetMinorNumber(void *handle, unsigned *out)
{
    ENTER_DEVICE(handle);
    *out = (unsigned)gpu_number(gpu, "minor", gpu);
    return SUCCESS;
}

/* --- memory ------------------------------------------------------------------ */

static int read_memory(int gpu, int mig, struct memory_v2 *out)
{
    const char *total = device_get(gpu, mig, "memory_mib");
    if (!total)
        return NOT_SUPPORTED;
    out->total = (uint64_t)number_or(total, 0) * MEBIBYTE;
    out->used = (uint64_t)number_or(device_get(gpu, mig, "memory_used_mib"), 0) * MEBIBYTE;
    out->reserved =
        (uint64_t)number_or(device_get(gpu, mig, "memory_reserved_mib"), 0) * MEBIBYTE;
    out->free = out->total - out->used - out->reserved;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(void *handle, struct memory_v2 *out)
{
    ENTER_DEVICE(handle);
    if (out->version != (0x02000000 | sizeof *out))
        return VERSION_MISMATCH;
    return read_memory(gpu, mig, out);
}

/* The first version counts reserved memory as used. */
int nvmlDeviceGetMemoryInfo(void *handle, struct memory *out)
{
    struct memory_v2 found;
    int code;
    ENTER_DEVICE(handle);
    if ((code = read_memory(gpu, mig, &found)) != SUCCESS)
        return code;
    out->total = found.total;
    out->free = found.free;
    out->used = found.used + found.reserved;
    return SUCCESS;
}

/* --- one number from one key ------------------------------------------------- */

#define NUMBER(function, key)                       \
    int function(void *handle, unsigned *out)       \
    {                                               \
        ENTER_DEVICE(handle);                       \
        return put_number(gpu_get(gpu, key), out);  \
    }
#define NUMBER_OR(function, key, fallback)                      \
    int function(void *handle, unsigned *out)                   \
    {                                                           \
        ENTER_DEVICE(handle);                                   \
        *out = (unsigned)gpu_number(gpu, key, fallback);        \
        return SUCCESS;                                         \
    }
#define LONG_NUMBER_OR(function, key, fallback)                 \
    int function(void *handle, uint64_t *out)                   \
    {                                                           \
        ENTER_DEVICE(handle);                                   \
        *out = (uint64_t)gpu_number(gpu, key, fallback);        \
        return SUCCESS;                                         \
    }

NUMBER(nvmlDeviceGetBrand, "brand")
NUMBER(nvmlDeviceGetNumGpuCores, "cores")
NUMBER(nvmlDeviceGetPowerUsage, "power_mw")
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, "retired_pending")
NUMBER(nvmlDeviceGetDisplayActive, "display_active")
NUMBER_OR(nvmlDeviceGetCurrPcieLinkWidth, "pcie_width", 16)
NUMBER_OR(nvmlDeviceGetMaxPcieLinkWidth, "pcie_width_max", 16)
NUMBER_OR(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_generation", 4)
NUMBER_OR(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_generation_max", 4)
NUMBER_OR(nvmlDeviceGetComputeMode, "compute_mode", 0)
NUMBER_OR(nvmlDeviceGetPersistenceMode, "persistence", 0)
NUMBER_OR(nvmlDeviceGetVirtualizationMode, "virtualization", 0)
LONG_NUMBER_OR(nvmlDeviceGetCurrentClocksThrottleReasons, "throttle", 0)
LONG_NUMBER_OR(nvmlDeviceGetCurrentClocksEventReasons, "throttle", 0)

/* Windows only, like the real ones. */
int nvmlDeviceGetDriverModel(void *handle, unsigned *current, unsigned *pending)
{
    ENTER_DEVICE(handle);
    (void)current, (void)pending;
    return NOT_SUPPORTED;
}

int nvmlDeviceGetDriverModel_v2(void *handle, unsigned *current, unsigned *pending)
{
    ENTER_DEVICE(handle);
    (void)current, (void)pending;
    return NOT_SUPPORTED;
}

int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *out)
{
    ENTER_DEVICE(handle);
    (void)sensor;
    return put_number(gpu_get(gpu, "temperature"), out);
}

int nvmlDeviceGetUtilizationRates(void *handle, struct utilization *out)
{
    ENTER_DEVICE(handle);
    out->memory = (uint32_t)gpu_number(gpu, "utilization_memory", 0);
    return put_number(gpu_get(gpu, "utilization"), &out->gpu);
}

int nvmlDeviceGetNvLinkState(void *handle, unsigned link, unsigned *active)
{
    long long links;
    ENTER_DEVICE(handle);
    links = gpu_number(gpu, "nvlinks", 0);
    *active = 1;
    return link < links ? SUCCESS : links ? INVALID_ARGUMENT : NOT_SUPPORTED;
}

/* Asked for by programs that must find the function to go on; no answers here. */

int nvmlDeviceGetNvLinkCapability(void *handle, unsigned link, unsigned capability,
                                  unsigned *out)
{
    ENTER_DEVICE(handle);
    (void)link, (void)capability, (void)out;
    return NOT_SUPPORTED;
}

int nvmlDeviceGetNvLinkVersion(void *handle, unsigned link, unsigned *out)
{
    ENTER_DEVICE(handle);
    (void)link, (void)out;
    return NOT_SUPPORTED;
}

int nvmlDeviceGetFieldValues(void *handle, int count, void *values)
{
    ENTER_DEVICE(handle);
    (void)count, (void)values;
    return NOT_SUPPORTED;
}

/* --- health ------------------------------------------------------------------ */

int nvmlDeviceGetEccMode(void *handle, unsigned *current, unsigned *pending)
{
    ENTER_DEVICE(handle);
    *pending = (unsigned)gpu_number(gpu, "ecc_pending", gpu_number(gpu, "ecc", 0));
    return put_number(gpu_get(gpu, "ecc"), current);
}

/* kind: 0 corrected, 1 uncorrected; counter: 0 since boot, 1 in the card's life. */
int nvmlDeviceGetTotalEccErrors(void *handle, unsigned kind, unsigned counter,
                                uint64_t *out)
{
    char key[64];
    ENTER_DEVICE(handle);
    if (gpu_number(gpu, "ecc", 0) == 0)
        return NOT_SUPPORTED;
    snprintf(key, sizeof key, "ecc_%s%s", kind ? "uncorrected" : "corrected",
             counter ? "_lifetime" : "");
    *out = (uint64_t)gpu_number(gpu, key, 0);
    return SUCCESS;
}

int nvmlDeviceGetRemappedRows(void *handle, unsigned *correctable,
                              unsigned *uncorrectable, unsigned *pending,
                              unsigned *failure)
{
    ENTER_DEVICE(handle);
    *uncorrectable = (unsigned)gpu_number(gpu, "remapped_uncorrectable", 0);
    *pending = (unsigned)gpu_number(gpu, "remapped_pending", 0);
    *failure = (unsigned)gpu_number(gpu, "remapped_failure", 0);
    return put_number(gpu_get(gpu, "remapped_correctable"), correctable);
}

/* cause: 0 several single-bit errors, 1 one double-bit error. */
static int put_retired(int gpu, unsigned cause, unsigned *count, uint64_t *addresses,
                       uint64_t *times)
{
    const char *key = cause ? "retired_double_bit" : "retired_single_bit";
    unsigned found, i;
    if (!gpu_get(gpu, key))
        return NOT_SUPPORTED;
    found = (unsigned)gpu_number(gpu, key, 0);
    if (*count < found) {
        *count = found;
        return INSUFFICIENT_SIZE;
    }
    *count = found;
    for (i = 0; i < found; i++) {
        addresses[i] = 0x10000 * (i + 1);
        if (times)
            times[i] = 0;
    }
    return SUCCESS;
}

int nvmlDeviceGetRetiredPages(void *handle, unsigned cause, unsigned *count,
                              uint64_t *addresses)
{
    ENTER_DEVICE(handle);
    return put_retired(gpu, cause, count, addresses, NULL);
}

int nvmlDeviceGetRetiredPages_v2(void *handle, unsigned cause, unsigned *count,
                                 uint64_t *addresses, uint64_t *times)
{
    ENTER_DEVICE(handle);
    return put_retired(gpu, cause, count, addresses, times);
}

static int put_fabric(int gpu, struct fabric *out)
{
    memset(out, 0, sizeof *out);
    out->status = (int32_t)gpu_number(gpu, "fabric_status", 0);
    out->clique = (uint32_t)gpu_number(gpu, "fabric_clique", 0);
    return put_number(gpu_get(gpu, "fabric_state"), &out->state);
}

int nvmlDeviceGetGpuFabricInfo(void *handle, struct fabric *out)
{
    ENTER_DEVICE(handle);
    return put_fabric(gpu, out);
}

int nvmlDeviceGetGpuFabricInfoV(void *handle, struct fabric_v *out)
{
    ENTER_DEVICE(handle);
    if (out->version == 0x03000028)
        out->summary = (uint8_t)gpu_number(gpu, "fabric_summary", 0);
    else if (out->version != 0x02000024)
        return VERSION_MISMATCH;
    out->health = (uint32_t)gpu_number(gpu, "fabric_health", 0);
    return put_fabric(gpu, &out->v1);
}

/* --- processes --------------------------------------------------------------- */

/* "processes=4711:2048,4712:512": pid and MiB of each. */
static unsigned read_processes(int gpu, struct process *out, unsigned room)
{
    const char *at = gpu_get(gpu, "processes");
    unsigned pid, count = 0;
    unsigned long long mebibytes;
    while (at && sscanf(at, "%u:%llu", &pid, &mebibytes) == 2) {
        if (count < room) {
            struct process one = {pid, mebibytes * MEBIBYTE, 0xFFFFFFFF, 0xFFFFFFFF};
            out[count] = one;
        }
        count++;
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return count;
}

static int put_processes(int gpu, unsigned *count, struct process *out)
{
    unsigned room = out ? *count : 0;
    *count = read_processes(gpu, out, room);
    return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count,
                                            struct process *out)
{
    ENTER_DEVICE(handle);
    return put_processes(gpu, count, out);
}

int nvmlDeviceGetComputeRunningProcesses_v2(void *handle, unsigned *count,
                                            struct process *out)
{
    ENTER_DEVICE(handle);
    return put_processes(gpu, count, out);
}

int nvmlDeviceGetComputeRunningProcesses(void *handle, unsigned *count,
                                         struct process_v1 *out)
{
    struct process found[MAX_GPUS];
    unsigned i, room = out ? *count : 0;
    ENTER_DEVICE(handle);
    *count = read_processes(gpu, found, MAX_GPUS);
    if (*count > room)
        return INSUFFICIENT_SIZE;
    for (i = 0; i < *count; i++) {
        out[i].pid = found[i].pid;
        out[i].memory = found[i].memory;
    }
    return SUCCESS;
}

/* --- MIG --------------------------------------------------------------------- */

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending)
{
    ENTER_DEVICE(handle);
    *pending = (unsigned)gpu_number(gpu, "mig_pending", gpu_number(gpu, "mig", 0));
    return put_number(gpu_get(gpu, "mig"), current);
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *out)
{
    ENTER_DEVICE(handle);
    *out = gpu_get(gpu, "mig") ? 7 : 0;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **out)
{
    ENTER_DEVICE(handle);
    if (!gpu_get(gpu, "mig"))
        return NOT_SUPPORTED;
    if (!gpu_number(gpu, "mig", 0) || index >= (unsigned)mig_count(gpu))
        return NOT_FOUND;
    *out = handle_of(gpu, (int)index);
    return SUCCESS;
}

int nvmlDeviceIsMigDeviceHandle(void *handle, unsigned *out)
{
    ENTER_DEVICE(handle);
    *out = mig != NO_MIG;
    return SUCCESS;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *handle, void **out)
{
    ENTER_DEVICE(handle);
    *out = handle_of(gpu, NO_MIG);
    return mig == NO_MIG ? INVALID_ARGUMENT : SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(void *handle, unsigned *out)
{
    ENTER_DEVICE(handle);
    *out = (unsigned)number_or(mig_get(gpu, mig, "gpu_instance"), mig + 1);
    return mig == NO_MIG ? NOT_SUPPORTED : SUCCESS;
}

int nvmlDeviceGetComputeInstanceId(void *handle, unsigned *out)
{
    ENTER_DEVICE(handle);
    *out = (unsigned)number_or(mig_get(gpu, mig, "compute_instance"), 0);
    return mig == NO_MIG ? NOT_SUPPORTED : SUCCESS;
}

int nvmlDeviceGetAttributes_v2(void *handle, struct attributes *out)
{
    ENTER_DEVICE(handle);
    if (mig == NO_MIG)
        return NOT_SUPPORTED;
    memset(out, 0, sizeof *out);
    out->multiprocessors = (uint32_t)number_or(mig_get(gpu, mig, "multiprocessors"), 0);
    out->gpu_slices = (uint32_t)number_or(mig_get(gpu, mig, "slices"), 1);
    out->slices = out->gpu_slices;
    out->memory_mib = (uint64_t)number_or(mig_get(gpu, mig, "memory_mib"), 0);
    return SUCCESS;
}
