# ruff: noqa: E501  # samples are as wide as the tables they were taken from
"""nvidia-smi's outputs as they were seen on real machines, and garbage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.intake.nvidia_smi import (
    QUERY_FIELDS,
    SmiFacts,
    SmiProcess,
    find_error,
    find_library_version,
    parse_banner,
    parse_csv,
    parse_list,
    parse_query,
    parse_table,
    parse_xml,
)
from fwdoctor.model.snapshot import Gpu, MigInstance
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1024**2
R331 = "| NVIDIA-SMI 331.62     Driver Version: 331.62         |"
R396 = "| NVIDIA-SMI 396.24                 Driver Version: 396.24                    |"
R450 = "| NVIDIA-SMI 450.57       Driver Version: 450.57       CUDA Version: 11.0     |"
R470 = "| NVIDIA-SMI 470.82.01    Driver Version: 470.82.01    CUDA Version: 11.4     |"
R535 = "| NVIDIA-SMI 535.161.08             Driver Version: 535.161.08   CUDA Version: 12.2     |"
R550 = "| NVIDIA-SMI 550.144.03             Driver Version: 550.144.03     CUDA Version: 12.4     |"
R580 = "| NVIDIA-SMI 580.65.06              Driver Version: 580.65.06      CUDA Version: 13.0     |"
R610 = "| NVIDIA-SMI 610.43.02              KMD Version: 610.43.02     CUDA UMD Version: 13.3     |"
WSL = "| NVIDIA-SMI 560.28.03              Driver Version: 560.76         CUDA Version: 12.6     |"
WSL_ERR = "| NVIDIA-SMI 545.46                 Driver Version: 546.80       CUDA Version: ERR!     |"
JETSON = "| NVIDIA-SMI 540.4.0                Driver Version: 540.4.0      CUDA Version: 12.6     |"


@pytest.mark.parametrize(
    ("banner", "program", "driver", "cuda"),
    [
        (R331, "331.62", "331.62", None),
        (R396, "396.24", "396.24", None),
        (R450, "450.57", "450.57", (11, 0)),
        (R470, "470.82.01", "470.82.01", (11, 4)),
        (R535, "535.161.08", "535.161.08", (12, 2)),
        (R550, "550.144.03", "550.144.03", (12, 4)),
        (R580, "580.65.06", "580.65.06", (13, 0)),
        (R610, "610.43.02", "610.43.02", (13, 3)),
        (WSL, "560.28.03", "560.76", (12, 6)),
        (WSL_ERR, "545.46", "546.80", None),
        (JETSON, "540.4.0", "540.4.0", (12, 6)),
        (R535.replace("12.2", "N/A "), "535.161.08", "535.161.08", None),
        (R610.strip("| "), "610.43.02", "610.43.02", (13, 3)),
        (f"> {' '.join(R550.split())}", "550.144.03", "550.144.03", (12, 4)),
    ],
)
def test_banner_of_every_branch(
    banner: str, program: str, driver: str, cuda: tuple[int, int] | None
) -> None:
    facts = parse_banner(f"Sat Nov 21 10:00:00 2026\n+----+\n{banner}\n|----+----|")
    assert str(facts.smi_version) == program
    assert str(facts.driver_version) == driver
    assert facts.cuda_driver_version == (CudaVersion(*cuda) if cuda else None)


K80 = f"""\
+-----------------------------------------------------------------------------+
{R470}
|-------------------------------+----------------------+----------------------+
| GPU  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap|         Memory-Usage | GPU-Util  Compute M. |
|                               |                      |               MIG M. |
|===============================+======================+======================|
|   0  Tesla K80           Off  | 00000000:00:04.0 Off |                    0 |
| N/A   35C    P8    27W / 149W |      0MiB / 11441MiB |      0%      Default |
|                               |                      |                  N/A |
+-------------------------------+----------------------+----------------------+
|   1  Tesla K80           On   | 00000000:00:05.0 Off |                    2 |
| N/A   35C    P8    27W / 149W |    125MiB / 11441MiB |      0%   E. Process |
|                               |                      |                  N/A |
+-------------------------------+----------------------+----------------------+

+-----------------------------------------------------------------------------+
| Processes:                                                                  |
|  GPU   GI   CI        PID   Type   Process name                  GPU Memory |
|        ID   ID                                                   Usage      |
|=============================================================================|
|    0   N/A  N/A      1752      G   /usr/lib/xorg/Xorg                 63MiB |
|    1   N/A  N/A     24031      C   /home/ann/env/bin/python3        4096MiB |
|    1   N/A  N/A      2424    C+G   ...b3d8bbwe\\WinStore.App.exe    N/A      |
+-----------------------------------------------------------------------------+
"""


def test_narrow_table() -> None:
    facts = parse_table(K80)
    assert facts.cuda_driver_version == CudaVersion(11, 4)
    assert facts.gpus == (
        Gpu(
            index=0,
            name="Tesla K80",
            pci_address="0000:00:04.0",
            persistence=False,
            ecc_enabled=True,
            ecc_uncorrected=0,
            memory_used_bytes=0,
            memory_bytes=11441 * MIB,
            compute_mode="default",
        ),
        Gpu(
            index=1,
            name="Tesla K80",
            pci_address="0000:00:05.0",
            persistence=True,
            ecc_enabled=True,
            ecc_uncorrected=2,
            memory_used_bytes=125 * MIB,
            memory_bytes=11441 * MIB,
            compute_mode="exclusive-process",
        ),
    )


def test_processes_keep_only_the_programs_name() -> None:
    assert parse_table(K80).processes == (
        SmiProcess(gpu_index=0, pid=1752, name="Xorg", memory_bytes=63 * MIB),
        SmiProcess(gpu_index=1, pid=24031, name="python3", memory_bytes=4096 * MIB),
        SmiProcess(gpu_index=1, pid=2424, name="WinStore.App.exe", memory_bytes=None),
    )


def test_processes_of_tables_before_mig() -> None:
    old = (
        "| Processes:                                       GPU Memory |\n"
        "|  GPU       PID   Type   Process name             Usage      |\n"
        "|    0       489      G   /usr/bin/X                  1025MiB |\n"
        "|  No running processes found                                 |\n"
    )
    (process,) = parse_table(old).processes
    assert (process.pid, process.name) == (489, "X")


WIDE = """\
+-----------------------------------------------------------------------------------------+
{banner}
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA GeForce RTX 5070 ...    Off |   00000000:02:00.0  On |                  N/A |
| N/A   51C    P8              7W /   70W |     273MiB /  12227MiB |      2%      Default |
|                                         |                        |                  N/A |
+-----------------------------------------+------------------------+----------------------+
"""


@pytest.mark.parametrize("banner", [R535, R550, R580, R610])
def test_wide_table_with_a_name_cut_off(banner: str) -> None:
    facts = parse_table(WIDE.format(banner=banner))
    assert facts.gpus is not None
    (gpu,) = facts.gpus
    assert gpu.name == "NVIDIA GeForce RTX 5070 ..."
    assert gpu.ecc_enabled is None
    assert gpu.mig_enabled is None
    assert gpu.memory_bytes == 12227 * MIB


MIG = f"""\
{R550}
|   0  NVIDIA H100 PCIe               On  |   00000000:C1:00.0 Off |                   On |
| N/A   32C    P0             48W /  350W |      87MiB /  81559MiB |     N/A      Default |
|                                         |                        |              Enabled |
+-----------------------------------------+------------------------+----------------------+
|   1  NVIDIA H100 PCIe               On  |   00000000:C2:00.0 Off |                    0 |
| N/A   32C    P0             48W /  350W |      87MiB /  81559MiB |      0%      Default |
|                                         |                        |            Disabled* |
+-----------------------------------------+------------------------+----------------------+

+-----------------------------------------------------------------------------------------+
| MIG devices:                                                                            |
+------------------+----------------------------------+-----------+-----------------------+
| GPU  GI  CI  MIG |                     Memory-Usage |        Vol|        Shared         |
|      ID  ID  Dev |                       BAR1-Usage | SM     Unc| CE ENC  DEC  OFA  JPG |
|                  |                                  |        ECC|                       |
|==================+==================================+===========+=======================|
|  0    1   0   0  |              37MiB / 40448MiB    | 60      0 |  3   0    3    0    3 |
|                  |                 0MiB / 65535MiB  |           |                       |
+------------------+----------------------------------+-----------+-----------------------+
|  0    9   0   1  |              12MiB /  9984MiB    | 16      0 |  1   0    1    0    1 |
+------------------+----------------------------------+-----------+-----------------------+
| Processes:                                                                              |
|    0    1    0            12345      C   python                                 512MiB |
"""


def test_mig_table() -> None:
    facts = parse_table(MIG)
    assert facts.gpus is not None
    first, second = facts.gpus
    assert first.mig_enabled is True
    assert first.ecc_enabled is True
    assert first.ecc_uncorrected is None
    assert first.pci_address == "0000:c1:00.0"
    assert first.mig_instances == (
        MigInstance(memory_bytes=40448 * MIB),
        MigInstance(memory_bytes=9984 * MIB),
    )
    assert second.mig_enabled is False
    assert second.mig_instances is None
    assert facts.processes[0].pid == 12345


def test_mig_without_instances() -> None:
    text = MIG[: MIG.index("| GPU  GI")] + "|  No MIG devices found   |\n"
    facts = parse_table(text)
    assert facts.gpus is not None
    assert [gpu.mig_instances for gpu in facts.gpus] == [(), None]


def test_windows_table() -> None:
    table = (
        "| NVIDIA-SMI 461.79       Driver Version: 461.79       CUDA Version: 11.2   |\n"
        "| GPU  Name            TCC/WDDM | Bus-Id        Disp.A | Volatile Uncorr. ECC |\n"
        "|   0  GeForce RTX 306... WDDM  | 00000000:01:00.0 Off |                  N/A |\n"
        "| N/A   34C    P0    18W /  N/A |    121MiB /  6144MiB |      0%      Default |\n"
    )
    facts = parse_table(table)
    assert facts.gpus is not None
    assert facts.gpus[0].name == "GeForce RTX 306..."
    assert facts.gpus[0].persistence is None


def test_jetson_table_has_a_gpu_without_numbers() -> None:
    table = (
        f"{JETSON}\n"
        "|   0  Orin (nvgpu)                  N/A  | N/A              N/A |         N/A |\n"
        "| N/A   N/A  N/A               N/A /  N/A | Not Supported        |  N/A    N/A |\n"
    )
    facts = parse_table(table)
    assert facts.gpus == (Gpu(index=0, name="Orin (nvgpu)"),)


def test_error_cells_are_unknown_values() -> None:
    table = (
        "|   0  NVIDIA GeForce RTX 3090    Off | 00000000:01:00.0 Off |       N/A |\n"
        "|ERR!   61C    P8   ERR! / 350W |      1MiB / 24576MiB |   ERR!   Default |\n"
        "|   1  ERR!                ERR! | 00000000:02:00.0 ERR! |             ERR! |\n"
        "|ERR! ERR! ERR!    ERR! / ERR! |   ERR! /   ERR! |    ERR!    ERR! |\n"
    )
    facts = parse_table(table)
    assert facts.gpus is not None
    fan, lost = facts.gpus
    assert fan.error_code is None
    assert fan.memory_bytes == 24576 * MIB
    assert lost == Gpu(index=1, pci_address="0000:02:00.0", error_code=999)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover it", 15),
        ("for GPU0000:02:00.0: Unknown Error", 999),
        ("for GPU1: 0000:02:00.0: Unknown Error", 999),
    ],
)
def test_gpu_that_only_a_message_names(message: str, code: int) -> None:
    row = "|   0  Tesla T4   Off  | 00000000:01:00.0 Off |   0 |\n"
    facts = parse_table(f"Unable to determine the device handle {message}\n{row}")
    assert facts.gpus is not None
    assert facts.gpus[1] == Gpu(index=1, pci_address="0000:02:00.0", error_code=code)


def test_second_table_is_another_machine() -> None:
    facts = parse_table(f"{K80}\ninside the container:\n{WIDE.format(banner=R610)}")
    assert str(facts.driver_version) == "470.82.01"
    assert facts.gpus is not None
    assert len(facts.gpus) == 2


def test_quoted_and_indented_table() -> None:
    quoted = "\n".join(f"> > {line}" for line in K80.splitlines())
    assert parse_table(quoted) == parse_table(K80)


CSV = """\
0, NVIDIA A100-SXM4-40GB, 550.54.14, 00000000:01:00.0, 40960, 87, Default, Enabled, Enabled, Disabled, GPU-5d2f7a34-8c1e-4f5b-9b0d-0a1b2c3d4e5f, 8.0
1, NVIDIA A100-SXM4-40GB, 550.54.14, 3E3F8E05:00:00.0, [N/A], [Unknown Error], Exclusive_Process, Disabled, [N/A], [N/A], [N/A], [Not Supported]
"""


def test_csv_as_we_ask_for_it() -> None:
    facts = parse_csv(CSV)
    assert str(facts.driver_version) == "550.54.14"
    assert facts.gpus == (
        Gpu(
            index=0,
            name="NVIDIA A100-SXM4-40GB",
            uuid="GPU-\u20264e5f",
            pci_address="0000:01:00.0",
            compute_capability=ComputeCapability(8, 0),
            memory_bytes=40960 * MIB,
            memory_used_bytes=87 * MIB,
            mig_enabled=False,
            compute_mode="default",
            persistence=True,
            ecc_enabled=True,
        ),
        Gpu(
            index=1,
            name="NVIDIA A100-SXM4-40GB",
            pci_address="3e3f8e05:00:00.0",
            compute_mode="exclusive-process",
            persistence=False,
        ),
    )


def test_pasted_csv_names_its_own_fields() -> None:
    facts = parse_csv(
        "name, compute_cap, memory.total [MiB], driver_version\n"
        "NVIDIA GeForce RTX 4090, 8.9, 24564 MiB, 550.144.03\n"
    )
    assert str(facts.driver_version) == "550.144.03"
    assert facts.gpus is not None
    assert facts.gpus[0].compute_capability == ComputeCapability(8, 9)
    assert facts.gpus[0].memory_bytes == 24564 * MIB


def test_one_driver_line_for_each_gpu() -> None:
    facts = parse_csv("573.24\n573.24\n", ("driver_version",))
    assert str(facts.driver_version) == "573.24"
    assert facts.gpus is None


def test_list_with_mig() -> None:
    facts = parse_list(
        "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d2f7a34-0a1b-2c3d-4e5f-aabbccddeeff)\n"
        "  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)\n"
        "  MIG 1g.5gb      Device  1: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fe)\n"
        "GPU 1: Orin (nvgpu) (UUID: 54a7b8c9)\n"
        "GPU 2: NVIDIA GeForce RTX 4090\n"
    )
    assert facts.gpus == (
        Gpu(
            index=0,
            name="NVIDIA A100-SXM4-40GB",
            uuid="GPU-\u2026eeff",
            mig_enabled=True,
            mig_instances=(MigInstance(name="3g.20gb"), MigInstance(name="1g.5gb")),
        ),
        Gpu(index=1, name="Orin (nvgpu)"),
        Gpu(index=2, name="NVIDIA GeForce RTX 4090"),
    )


QUERY = """\
==============NVSMI LOG==============

Timestamp                                 : Sat Nov 21 10:00:00 2026
Driver Version                            : 550.54.14
CUDA Version                              : 12.4

Attached GPUs                             : 2
GPU 00000000:01:00.0
    Product Name                          : NVIDIA A100-SXM4-40GB
    Persistence Mode                      : Enabled
    MIG Mode
        Current                           : Enabled
        Pending                           : Enabled
    MIG Device
        Index                             : 0
        GPU Instance ID                   : 1
        FB Memory Usage
            Total                         : 19968 MiB
    MIG Device
        Index                             : 1
        FB Memory Usage
            Total                         : 4864 MiB
    GPU UUID                              : GPU-5d2f7a34-8c1e-4f5b-9b0d-0a1b2c3d4e5f
    PCI
        Device Id                         : 0x20B010DE
        Bus Id                            : 00000000:01:00.0
    FB Memory Usage
        Total                             : 40960 MiB
        Used                              : 87 MiB
    Compute Mode                          : Default
    ECC Mode
        Current                           : Enabled
        Pending                           : Enabled
    ECC Errors
        Volatile
            SRAM Correctable              : 5
            SRAM Uncorrectable            : 1
            DRAM Correctable              : 7
            DRAM Uncorrectable            : 2
        Aggregate
            SRAM Uncorrectable            : 100
    Remapped Rows
        Correctable Error                 : 3
        Uncorrectable Error               : 1
        Pending                           : Yes
        Remapping Failure Occurred        : No
    Fabric
        State                             : In Progress
        Status                            : N/A
GPU 00000000:02:00.0
    Product Name                          : Tesla V100-SXM2-16GB
    Compute Mode                          : Prohibited
    Ecc Mode
        Current                           : Disabled
    Retired Pages
        Single Bit ECC                    : 4
        Double Bit ECC                    : 2
        Pending Page Blacklist            : Yes
"""


def test_query() -> None:
    facts = parse_query(QUERY)
    assert str(facts.driver_version) == "550.54.14"
    assert facts.cuda_driver_version == CudaVersion(12, 4)
    assert facts.gpus == (
        Gpu(
            index=0,
            name="NVIDIA A100-SXM4-40GB",
            uuid="GPU-\u20264e5f",
            pci_address="0000:01:00.0",
            pci_device_id="20b0",
            memory_bytes=40960 * MIB,
            memory_used_bytes=87 * MIB,
            mig_enabled=True,
            mig_instances=(
                MigInstance(memory_bytes=19968 * MIB),
                MigInstance(memory_bytes=4864 * MIB),
            ),
            compute_mode="default",
            persistence=True,
            ecc_enabled=True,
            ecc_uncorrected=3,
            remapped_rows=4,
            remapping_pending=True,
            remapping_failed=False,
            fabric_state="in-progress",
        ),
        Gpu(
            index=1,
            name="Tesla V100-SXM2-16GB",
            pci_address="0000:02:00.0",
            compute_mode="prohibited",
            ecc_enabled=False,
            retired_pages=6,
            retirement_pending=True,
        ),
    )


def test_query_of_r610_has_new_labels_beside_deprecated_ones() -> None:
    facts = parse_query(
        "KMD Version                      : 610.43.02\n"
        "CUDA UMD Version                 : 13.3\n"
        "CUDA Version [Deprecated; will be removed in CUDA 14.0] : 13.3\n"
        "Attached GPUs                    : 0\n"
    )
    assert str(facts.driver_version) == "610.43.02"
    assert facts.cuda_driver_version == CudaVersion(13, 3)
    assert facts.gpus == ()


XML = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
\t<driver_version>575.51.02</driver_version>
\t<cuda_version>12.9</cuda_version>
\t<attached_gpus>2</attached_gpus>
\t<gpu id="00000000:01:00.0">
\t\t<product_name>NVIDIA A100-SXM4-40GB</product_name>
\t\t<persistence_mode>Enabled</persistence_mode>
\t\t<mig_mode><current_mig>Enabled</current_mig></mig_mode>
\t\t<mig_devices><mig_device><index>0</index>
\t\t\t<fb_memory_usage><total>19968 MiB</total></fb_memory_usage>
\t\t</mig_device></mig_devices>
\t\t<uuid>GPU-5d2f7a34-8c1e-4f5b-9b0d-0a1b2c3d4e5f</uuid>
\t\t<pci><pci_device_id>20B010DE</pci_device_id></pci>
\t\t<fb_memory_usage><total>40960 MiB</total><used>87 MiB</used></fb_memory_usage>
\t\t<compute_mode>Default</compute_mode>
\t\t<ecc_mode><current_ecc>Enabled</current_ecc></ecc_mode>
\t\t<ecc_errors><volatile>
\t\t\t<sram_uncorrectable_parity>0</sram_uncorrectable_parity>
\t\t\t<sram_uncorrectable_secded>1</sram_uncorrectable_secded>
\t\t\t<dram_uncorrectable>2</dram_uncorrectable>
\t\t</volatile></ecc_errors>
\t\t<remapped_rows><remapped_row_corr>0</remapped_row_corr>
\t\t\t<remapped_row_unc>1</remapped_row_unc>
\t\t\t<remapped_row_pending>No</remapped_row_pending>
\t\t\t<remapped_row_failure>Yes</remapped_row_failure></remapped_rows>
\t\t<fabric><state>Completed</state><status>Success</status></fabric>
\t</gpu>
\t<gpu id="00000000:02:00.0">
\t\t<product_name>NVIDIA GeForce RTX 4070 Laptop GPU</product_name>
\t\t<mig_mode><current_mig>N/A</current_mig></mig_mode>
\t\t<mig_devices>None</mig_devices>
\t\t<retired_pages><multiple_single_bit_retirement><retired_count>N/A</retired_count>
\t\t</multiple_single_bit_retirement></retired_pages>
\t</gpu>
</nvidia_smi_log>
"""


def test_xml() -> None:
    facts = parse_xml(XML)
    assert str(facts.driver_version) == "575.51.02"
    assert facts.cuda_driver_version == CudaVersion(12, 9)
    assert facts.gpus == (
        Gpu(
            index=0,
            name="NVIDIA A100-SXM4-40GB",
            uuid="GPU-\u20264e5f",
            pci_address="0000:01:00.0",
            pci_device_id="20b0",
            memory_bytes=40960 * MIB,
            memory_used_bytes=87 * MIB,
            mig_enabled=True,
            mig_instances=(MigInstance(memory_bytes=19968 * MIB),),
            compute_mode="default",
            persistence=True,
            ecc_enabled=True,
            ecc_uncorrected=3,
            remapped_rows=1,
            remapping_pending=False,
            remapping_failed=True,
            fabric_state="completed",
        ),
        Gpu(
            index=1,
            name="NVIDIA GeForce RTX 4070 Laptop GPU",
            pci_address="0000:02:00.0",
        ),
    )


def test_xml_of_r610_may_use_the_new_names() -> None:
    new = XML.replace("driver_version", "kmd_version")
    facts = parse_xml(new.replace("cuda_version", "cuda_umd_version"))
    assert str(facts.driver_version) == "575.51.02"
    assert facts.cuda_driver_version == CudaVersion(12, 9)


def test_xml_cut_off_gives_what_was_complete() -> None:
    facts = parse_xml(XML[: XML.index("RTX 4070")])
    assert facts.gpus is not None
    assert len(facts.gpus) == 1


def test_xml_with_text_around_it() -> None:
    assert parse_xml(f"$ nvidia-smi -q -x\n{XML}$ exit") == parse_xml(XML)


def test_xml_entities_are_never_expanded() -> None:
    bomb = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))
    text = (
        f'<!DOCTYPE nvidia_smi_log [<!ENTITY e0 "x">{bomb}]><nvidia_smi_log>'
        '<gpu id="00000000:01:00.0"><product_name>&e12;</product_name></gpu>'
        "<driver_version>550.54.14</driver_version></nvidia_smi_log>"
    )
    begun = time.perf_counter()
    facts = parse_xml(text)
    assert time.perf_counter() - begun < 15
    assert facts.gpus is None
    assert str(facts.driver_version) == "550.54.14"


@pytest.mark.parametrize(
    "message",
    [
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.",
        "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.",
        "Failed to initialize NVML: Driver/library version mismatch",
        "Failed to initialize NVML: Unknown Error",
        "Failed to initialize NVML: GPU access blocked by the operating system",
        "No devices were found",
        "Unable to determine the device handle for GPU0000:20:00.0: Unknown Error",
    ],
)
def test_known_error_messages(message: str) -> None:
    assert find_error(f"$ nvidia-smi\n{message}\nNVML library version: 1") == message


def test_version_mismatch_tells_the_library_version() -> None:
    text = (
        "Failed to initialize NVML: Driver/library version mismatch\n"
        "NVML library version: 550.54\n"
    )
    assert str(find_library_version(text)) == "550.54"


PARSERS = [parse_banner, parse_table, parse_csv, parse_list, parse_query, parse_xml]
GARBAGE = [
    "",
    "显卡驱动未正确安装,请联系管理员重新安装驱动程序。",
    "\xff\xfe\x00GPU | NVIDIA-SMI CUDA Version: \n\x1b[2J",
    "bash: nvidia-smi: command not found",
    "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.",
]


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("text", GARBAGE)
def test_garbage_gives_nothing(parse: Callable[[str], SmiFacts], text: str) -> None:
    assert parse(text) == SmiFacts()


PIECES = st.sampled_from(
    [
        *("|", "\n", " ", "NVIDIA-SMI ", "Driver Version: ", "CUDA UMD Version: "),
        *("KMD Version: ", "550.54.14", "12.4", "N/A", "ERR!", "On", "Off", "0", "1"),
        *("00000000:01:00.0", "MiB / ", "Processes:", "MIG devices:", "Enabled", ", "),
        *("GPU 0: x (UUID: GPU-1234)", "GPU 00000000:01:00.0\n", "    MIG Mode\n"),
        *("MIG Device\n", "Index : 0\n", "<nvidia_smi_log>", "<gpu id='", "<gpu ", ">"),
        *("</gpu>", "<driver_version>", "&amp;", "index, name", "Default", "No MIG"),
        *("Unable to determine the device handle for GPU ", ": Unknown Error", "C"),
    ]
)
TEXTS = st.text() | st.lists(PIECES | st.text(max_size=5), max_size=60).map("".join)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=TEXTS)
def test_any_text_is_read_without_raising(
    parse: Callable[[str], SmiFacts], text: str
) -> None:
    assert isinstance(parse(text), SmiFacts)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "unit",
    [
        "|" + " " * 380 + "\n",
        "| 0 " + "x " * 190 + "\n",
        "NVIDIA-SMI" + " " * 50,
        "<gpu ",
        "<nvidia_smi_log><gpu>",
        "GPU 0: " + " " * 390 + "\n",
        "GPU 00000000:01:00.0\n  a\n",
        "Unable to determine the device handle for GPU 0000:01:00.0: x\n",
        ", " * 190 + "\n",
        "    MIG Device\n        Index : 0\n",
    ],
)
def test_megabytes_are_read_in_bounded_time(
    parse: Callable[[str], SmiFacts], unit: str
) -> None:
    text = unit * (500_000 // len(unit))
    begun = time.perf_counter()
    parse(text)
    assert time.perf_counter() - begun < 45  # 1 s where nothing else runs


def test_fields_asked_for_are_known_in_a_header() -> None:
    header = ", ".join(QUERY_FIELDS)
    assert parse_csv(f"{header}\n{CSV}") == parse_csv(CSV)
