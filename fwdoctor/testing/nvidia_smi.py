"""A fake nvidia-smi: a shell script that prints what the scenario says.

It knows the table, `-L`, `-q -x` and `--query-gpu=… --format=csv`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.testing.smi_table import cuda_text, gpu_fields, render_table
from fwdoctor.testing.tree import pci_address, uuid

if TYPE_CHECKING:
    from fwdoctor.testing.scenario import Scenario

_NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n"
)
_NO_LIBRARY = (
    "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure "
    "that the NVIDIA Display Driver is properly installed and present in your system.\n"
)
_INIT_TEXTS = {
    4: "Failed to initialize NVML: Insufficient Permissions\n",
    9: _NO_DRIVER,
    12: _NO_LIBRARY,
    15: "Failed to initialize NVML: GPU is lost\n",
}
_CHINESE = "显卡驱动未正确安装,请联系管理员重新安装驱动程序。\n"
_GARBAGE = (
    r"\377\376\000\001GPU\200\201 | NVIDIA-SMI \303\050 CUDA Version: \012\033[2J"
)


def render_script(scenario: Scenario) -> str:
    """The text of the fake nvidia-smi."""
    mode = scenario.get("smi.mode") or "normal"
    if mode == "hang":
        return "#!/bin/sh\nwhile :; do sleep 1; done\n"
    if mode == "crash":
        return "#!/bin/sh\nkill -SEGV $$\n"
    if mode == "garbage":
        return f"#!/bin/sh\nprintf '{_GARBAGE}'\n"
    if mode == "chinese":
        return _print_and_exit(_CHINESE, scenario.number("smi.exit", 9))
    failure = _failure(scenario)
    if failure:
        return _print_and_exit(*failure)
    return _working_script(scenario)


def _failure(scenario: Scenario) -> tuple[str, int] | None:
    """The text and exit status of an nvidia-smi that cannot work."""
    if (text := scenario.get("smi.text")) is not None:
        return text.replace(r"\n", "\n") + "\n", scenario.number("smi.exit")
    code = scenario.number("nvml_init")
    if "nvml" in scenario.words("file.without"):
        code = 12
    if code:
        return _init_text(scenario, code), code & 0xFF
    for gpu in range(scenario.gpu_count):
        if lost := scenario.number(f"handle.{gpu}"):
            return _lost_text(scenario, gpu, lost), lost & 0xFF
    if not scenario.gpu_count:
        return "No devices were found\n", 6
    return None


def _init_text(scenario: Scenario, code: int) -> str:
    if code == 18:
        branch = ".".join((scenario.get("driver") or "").split(".")[:2])
        first = "Failed to initialize NVML: Driver/library version mismatch\n"
        return f"{first}NVML library version: {branch}\n"
    return _INIT_TEXTS.get(code, "Failed to initialize NVML: Unknown Error\n")


def _lost_text(scenario: Scenario, gpu: int, code: int) -> str:
    place = pci_address(scenario, gpu)
    lost = "GPU is lost.  Reboot the system to recover this GPU"
    reason = lost if code == 15 else "Unknown Error"
    return f"Unable to determine the device handle for GPU {place}: {reason}\n"


def _print_and_exit(text: str, status: int) -> str:
    return f"#!/bin/sh\n{_print(text)}exit {status}\n"


def _print(text: str) -> str:
    quoted = text.replace("'", "'\\''")
    return f"printf '%s' '{quoted}'\n"


def _working_script(scenario: Scenario) -> str:
    return (
        "#!/bin/sh\n"
        f"gpus={scenario.gpu_count}\n"
        f'field() {{ case "$1.$2" in\n{_field_cases(scenario)}*) return 1;; esac; }}\n'
        f"table() {{ {_print(render_table(scenario))}}}\n"
        f"list() {{ {_print(_list(scenario))}}}\n"
        f"xml() {{ {_print(_xml(scenario))}}}\n" + _ARGUMENTS
    )


_ARGUMENTS = r"""
header=yes units=yes query= what=table
while [ $# -gt 0 ]; do
  case "$1" in
    -L|--list-gpus) what=list;;
    -q|--query) ;;
    -x|--xml-format|-qx|-xq) what=xml;;
    -i|--id) shift;;
    --query-gpu=*) what=csv; query=${1#--query-gpu=};;
    --format=*)
      case ",${1#--format=}," in *,noheader,*) header=no;; esac
      case ",${1#--format=}," in *,nounits,*) units=no;; esac;;
    *)
      echo "Invalid combination of input arguments." \
        "Please run 'nvidia-smi -h' for help."
      exit 2;;
  esac
  shift
done
[ $what != csv ] && { $what; exit 0; }
IFS=,
for name in $query; do
  name=${name# }
  field 0 "$name" >/dev/null || {
    echo "Field \"$name\" is not a valid field to query."; echo; exit 2; }
done
if [ $header = yes ]; then
  line=
  for name in $query; do line="$line, ${name# }"; done
  echo "${line#, }"
fi
index=0
while [ $index -lt $gpus ]; do
  line=
  for name in $query; do
    value=$(field $index "${name# }")
    [ $units = no ] && { value=${value% MiB}; value=${value% %}; value=${value% W}; }
    line="$line, $value"
  done
  echo "${line#, }"
  index=$((index + 1))
done
"""


def _field_cases(scenario: Scenario) -> str:
    lines = []
    for gpu in range(scenario.gpu_count):
        for name, value in gpu_fields(scenario, gpu).items():
            lines.append(f"{gpu}.{name}) {_print(value).strip()};;\n")
    return "".join(lines)


def _list(scenario: Scenario) -> str:
    lines = []
    for gpu in range(scenario.gpu_count):
        name = scenario.get(f"gpu.{gpu}.name")
        lines.append(f"GPU {gpu}: {name} (UUID: {uuid(scenario, gpu)})\n")
        part = 0
        while f"gpu.{gpu}.mig.{part}.name" in scenario.values:
            key = f"gpu.{gpu}.mig.{part}"
            profile = (scenario.get(f"{key}.name") or "").rpartition("MIG ")[2]
            number = scenario.get(f"{key}.uuid") or (
                f"MIG-00000000-0000-0000-{gpu:04x}-{part + 1:012x}"
            )
            lines.append(f"  MIG {profile}     Device  {part}: (UUID: {number})\n")
            part += 1
    return "".join(lines)


def _xml(scenario: Scenario) -> str:
    gpus = "".join(_xml_gpu(scenario, gpu) for gpu in range(scenario.gpu_count))
    return (
        '<?xml version="1.0" ?>\n'
        '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n'
        "<nvidia_smi_log>\n"
        "\t<timestamp>Sat Nov 21 10:00:00 2026</timestamp>\n"
        f"\t<driver_version>{scenario.get('driver')}</driver_version>\n"
        f"\t<cuda_version>{cuda_text(scenario)}</cuda_version>\n"
        f"\t<attached_gpus>{scenario.gpu_count}</attached_gpus>\n"
        f"{gpus}</nvidia_smi_log>\n"
    )


def _xml_gpu(scenario: Scenario, gpu: int) -> str:
    fields = {k: v.strip("[]") for k, v in gpu_fields(scenario, gpu).items()}
    mig = fields["mig.mode.current"]
    return (
        f'\t<gpu id="{fields["pci.bus_id"]}">\n'
        f"\t\t<product_name>{fields['name']}</product_name>\n"
        f"\t\t<persistence_mode>{fields['persistence_mode']}</persistence_mode>\n"
        f"\t\t<mig_mode>\n\t\t\t<current_mig>{mig}</current_mig>\n\t\t</mig_mode>\n"
        f"\t\t<uuid>{fields['uuid']}</uuid>\n"
        f"\t\t<minor_number>{gpu}</minor_number>\n"
        f"\t\t<fb_memory_usage>\n\t\t\t<total>{fields['memory.total']}</total>\n"
        f"\t\t\t<used>{fields['memory.used']}</used>\n"
        f"\t\t\t<free>{fields['memory.free']}</free>\n\t\t</fb_memory_usage>\n"
        f"\t\t<compute_mode>{fields['compute_mode']}</compute_mode>\n"
        "\t</gpu>\n"
    )
