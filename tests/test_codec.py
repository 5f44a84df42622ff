from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.errors import SnapshotError
from fwdoctor.model.codec import decode_snapshot, encode
from fwdoctor.model.snapshot import (
    Driver,
    Environment,
    Framework,
    Gpu,
    Host,
    LibCuda,
    Package,
    PciDevice,
    Snapshot,
)
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

texts = st.text(max_size=12)
maybe_text = st.none() | texts
drivers = st.builds(
    lambda a, b: DriverVersion.parse(f"{a}.{b:02}"),
    st.integers(300, 999),
    st.integers(0, 199),
)
cudas = st.builds(CudaVersion, st.integers(8, 14), st.integers(0, 9))
ccs = st.builds(ComputeCapability, st.integers(3, 12), st.integers(0, 9))
frameworks = st.builds(
    Framework,
    version=maybe_text,
    kind=st.sampled_from(["cuda", "cpu", "unknown"]),
    cuda=st.none() | cudas,
    compute_capabilities=st.none() | st.lists(ccs, max_size=3).map(tuple),
)
snapshots = st.builds(
    Snapshot,
    created_at=maybe_text,
    host=st.builds(
        Host,
        os=st.sampled_from(["linux", "windows", None]),
        is_wsl=st.none() | st.booleans(),
        memory_bytes=st.none() | st.integers(0, 2**50),
        compilers=st.dictionaries(texts, texts, max_size=2),
    ),
    driver=st.builds(
        Driver,
        version=st.none() | drivers,
        cuda_driver_version=st.none() | cudas,
        libcuda=st.none()
        | st.builds(
            LibCuda, path=maybe_text, init_code=st.none() | st.integers(0, 999)
        ),
    ),
    gpus=st.none()
    | st.lists(
        st.builds(
            Gpu,
            index=st.integers(0, 15),
            name=maybe_text,
            compute_capability=st.none() | ccs,
        ),
        max_size=2,
    ).map(tuple),
    pci=st.none()
    | st.lists(
        st.builds(
            PciDevice,
            address=texts,
            vendor=st.just("nvidia"),
            device_id=texts,
            kind=st.just("gpu"),
        ),
        max_size=2,
    ).map(tuple),
    environments=st.lists(
        st.builds(
            Environment,
            prefix=texts,
            torch=st.none() | frameworks,
            packages=st.none()
            | st.lists(st.builds(Package, name=texts, version=texts), max_size=2).map(
                tuple
            ),
        ),
        max_size=2,
    ).map(tuple),
    env_vars=st.dictionaries(texts, texts, max_size=2),
)


@given(snapshots)
def test_a_snapshot_survives_json(snapshot: Snapshot) -> None:
    assert decode_snapshot(json.loads(json.dumps(encode(snapshot)))) == snapshot


def test_unknown_keys_are_ignored() -> None:
    data = encode(Snapshot()) | {"from_the_future": [1]}
    data["host"]["colour"] = "beige"
    assert decode_snapshot(data) == Snapshot()


def test_a_report_is_read_as_its_snapshot() -> None:
    assert (
        decode_snapshot({"findings": [], "snapshot": encode(Snapshot())}) == Snapshot()
    )


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("host", "memory_bytes"), "8 GB", "snapshot.host.memory_bytes"),
        (("host", "os"), "beos", "snapshot.host.os"),
        (("driver", "version"), "not a version", "snapshot.driver.version"),
        (("driver", "version"), 550, "snapshot.driver.version"),
        (("gpus",), {"0": {}}, "snapshot.gpus"),
        (("gpus",), [{"index": True}], "snapshot.gpus[0].index"),
        (("gpus",), [{"name": "H100"}], "snapshot.gpus[0]"),
        (("environments",), [{"prefix": 3}], "snapshot.environments[0].prefix"),
        (("env_vars",), {"A": 1}, "snapshot.env_vars.A"),
        (("host",), [], "snapshot.host"),
    ],
)
def test_a_wrong_field_is_named(path: tuple[str, ...], value: Any, field: str) -> None:
    data = encode(Snapshot())
    *parents, last = path
    inner = data
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    with pytest.raises(SnapshotError) as caught:
        decode_snapshot(data)
    assert field in caught.value.message


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"schema_version": "1"}, {"schema_version": True}]
)
def test_foreign_json_is_refused(data: Any) -> None:
    with pytest.raises(SnapshotError, match=r"schema_version|JSON object"):
        decode_snapshot(data)


def test_a_newer_schema_is_refused_with_a_hint() -> None:
    with pytest.raises(SnapshotError) as caught:
        decode_snapshot({"schema_version": 999})
    assert caught.value.hint == "upgrade fwdoctor"
