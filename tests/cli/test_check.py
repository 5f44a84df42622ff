"""`fwdoctor check` as a person or a machine meets it: verdicts, codes, faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files and signals")
MakeVenv = Callable[..., Path]
OLD_DRIVER = ("--assume", "driver=470.82.01", "--assume", "gpu=RTX 3090")


@pytest.fixture
def no_gpu(tmp_path: Path) -> dict[str, str]:
    """Variables of a machine whose PCI bus has no GPU, whatever this machine has."""
    bridge = tmp_path / "root" / "sys" / "bus" / "pci" / "devices" / "0000:00:1f.0"
    bridge.mkdir(parents=True)
    for name, text in (
        ("vendor", "0x8086"),
        ("device", "0x7a06"),
        ("class", "0x060100"),
    ):
        (bridge / name).write_text(f"{text}\n")
    return {"FWDOCTOR_TEST_ROOT": str(tmp_path / "root")}


def report_of(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.stderr == ""
    return json.loads(result.stdout)


def test_a_machine_with_nothing_is_not_called_ok(
    fwdoctor: Run, make_venv: MakeVenv
) -> None:
    prefix = make_venv()
    result = fwdoctor("check", "--python", str(prefix))
    assert result.returncode == 0
    assert "nothing to check" in result.stdout or "no PyTorch" in result.stdout
    assert result.stderr == ""
    assert not any(line.startswith("ok ") for line in result.stdout.splitlines())


def test_json_is_valid_against_the_published_schema(
    fwdoctor: Run, make_venv: MakeVenv
) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    result = fwdoctor(
        *("check", "--python", str(prefix), "--format", "json"),
        *("--assume", "driver=550.144.03", "--assume", "gpu=RTX 4090"),
    )
    report = report_of(result)
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(report, schema)
    assert result.returncode == 1
    assert report["verdict"] == "findings"
    assert report["findings"][0]["code"] == "FW111"
    assert report["findings"][0]["role"] == "cause"
    assert report["frameworks"]["torch"]["gpu_usable"] is False


def test_every_format_gives_the_same_code(fwdoctor: Run, make_venv: MakeVenv) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    words = ("check", "--python", str(prefix), *OLD_DRIVER)
    codes = {
        name: fwdoctor(*words, "--format", name).returncode
        for name in ("terminal", "json", "jsonl", "markdown")
    }
    assert set(codes.values()) == {1}, codes


def test_the_framework_is_never_imported(fwdoctor: Run, make_venv: MakeVenv) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    result = fwdoctor("check", "--python", str(prefix / "bin" / "python"))
    assert "2.15.0" in result.stdout
    assert "imported" not in result.stdout + result.stderr


def test_the_fix_names_the_manager_of_the_environment(
    fwdoctor: Run, make_venv: MakeVenv
) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    result = fwdoctor(
        *("check", "--python", str(prefix)),
        *("--assume", "driver=550.144.03", "--assume", "gpu=RTX 4090"),
    )
    assert "uv pip install --python ./.venv/bin/python" in result.stdout
    assert "--index-url https://download.pytorch.org/whl/cu12" in result.stdout
    assert "assumed" in result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--python", "/nowhere/at/all"), "/nowhere/at/all"),
        (("--format", "xml"), "--format"),
        (("--fail-on", "sometimes"), "--fail-on"),
        (("--color", "pink"), "--color"),
        (("--require", "gpu,jax"), "jax"),
        (("--assume", "driver=abc"), "abc"),
        (("--assume", "gpu=RTX 9999"), "RTX 9999"),
        (("--assume", "weather=sunny"), "weather"),
        (("--assume", "driver"), "driver"),
        (("--snapshot", "/nowhere.json"), "/nowhere.json"),
        (("--python", ".", "--prefix", "."), "not both"),
        (("--python", ""), "--python is empty"),
        (("--prefix", " "), "--prefix is empty"),
        (("--select", "FW1,FW11l"), "FW11l"),
        (("--ignore", "driver-to-old"), "driver-to-old"),
        (("--no-such-option",), "--no-such-option"),
    ],
)
def test_misuse_is_named_with_code_2(
    fwdoctor: Run, words: tuple[str, ...], says: str
) -> None:
    result = fwdoctor("check", *words)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\x00\xff\xfe binary", "no JSON"),
        (b"[]", "JSON object"),
        (b"{}", "schema_version"),
        (b'{"schema_version": 99}', "newer"),
        (b'{"schema_version": 1, "gpus": 3}', "snapshot.gpus"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_bad_snapshot_names_file_and_field(
    fwdoctor: Run, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    result = fwdoctor("check", "--snapshot", str(path))
    assert result.returncode == 2
    assert "bad.json" in result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_snapshot_gives_the_same_verdict_elsewhere(
    fwdoctor: Run, make_venv: MakeVenv, tmp_path: Path
) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    taken = fwdoctor("snapshot", "--python", str(prefix), "--output", "machine.json")
    assert (taken.returncode, taken.stdout) == (0, "")
    live = report_of(fwdoctor("check", "--python", str(prefix), "--format", "json"))
    again = report_of(
        fwdoctor("check", "--snapshot", "machine.json", "--format", "json")
    )
    assert again["snapshot"]["origin"] == "file"
    assert [f["code"] for f in again["findings"]] == [
        f["code"] for f in live["findings"]
    ]
    assert again["verdict"] == live["verdict"]
    saved = (tmp_path / "machine.json").read_text(encoding="utf-8")
    piped = fwdoctor("check", "--snapshot", "-", "--format", "json", stdin=saved)
    assert report_of(piped)["findings"] == again["findings"]
    planned = fwdoctor("recommend", "--snapshot", "-", stdin=saved)
    assert (planned.returncode, planned.stderr) == (0, "")


@posix
@pytest.mark.parametrize("command", ["check --snapshot -", "triage -"])
def test_standard_input_that_cannot_be_read_is_named(command: str) -> None:
    result = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m fwdoctor {command} 0>/dev/null"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2, result
    assert result.stderr.startswith("fwdoctor: standard input: Bad file")
    assert result.stdout == ""


def test_a_bad_snapshot_on_standard_input_names_it(fwdoctor: Run) -> None:
    result = fwdoctor("check", "--snapshot", "-", stdin='{"schema_version": 99}')
    assert (result.returncode, result.stdout) == (2, "")
    assert "standard input: " in result.stderr


def test_required_things_that_are_absent_are_findings(
    fwdoctor: Run, make_venv: MakeVenv, no_gpu: dict[str, str]
) -> None:
    prefix = make_venv()
    words = ("check", "--python", str(prefix))
    assert fwdoctor(*words, env=no_gpu).returncode == 0
    assert fwdoctor(*words, "--require", "gpu", env=no_gpu).returncode == 1
    assert fwdoctor(*words, "--require", "torch", env=no_gpu).returncode == 1


def test_fail_on_never_still_reports(fwdoctor: Run, make_venv: MakeVenv) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    words = ("check", "--python", str(prefix), *OLD_DRIVER)
    result = fwdoctor(*words, "--fail-on", "never")
    assert result.returncode == 0
    assert "FW111" in result.stdout


def test_ignore_and_select(fwdoctor: Run, make_venv: MakeVenv) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    words = ("check", "--python", str(prefix), *OLD_DRIVER)
    ignored = fwdoctor(*words, "--ignore", "FW111,driver-end-of-life")
    assert "FW111" not in ignored.stdout
    only = report_of(fwdoctor(*words, "--select", "FW1", "--format", "json"))
    assert {o["code"][:3] for o in only["outcomes"]} == {"FW1"}


@posix
def test_closed_stdout_ends_quietly(fwdoctor: Run, make_venv: MakeVenv) -> None:
    prefix = make_venv()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "fwdoctor", "check", "--python", str(prefix)],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.stderr == ""
    assert result.returncode == 0


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_closed_from_the_start_change_no_code(
    make_venv: MakeVenv, no_gpu: dict[str, str], closed: str
) -> None:
    old = " ".join(f"'{word}'" for word in OLD_DRIVER)
    prefix = make_venv(torch_version="2.15.0+cu132")
    for options, code in (("", 0), (old, 1)):
        line = f"{sys.executable} -m fwdoctor check --python {prefix} {options}"
        result = subprocess.run(
            ["/bin/sh", "-c", f"exec {line} {closed}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **no_gpu},
        )
        assert (result.returncode, result.stderr) == (code, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_named(make_venv: MakeVenv) -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "fwdoctor", "rules"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 2
    assert "No space left" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_output_that_cannot_be_written_is_named(
    fwdoctor: Run, make_venv: MakeVenv, tmp_path: Path
) -> None:
    target = tmp_path / "no" / "such" / "folder" / "report.json"
    result = fwdoctor("check", "--python", str(make_venv()), "-o", str(target))
    assert result.returncode == 2
    assert str(target) in result.stderr
    assert not target.exists()


def test_an_existing_output_survives_a_failure(
    fwdoctor: Run, make_venv: MakeVenv, tmp_path: Path
) -> None:
    target = tmp_path / "report.txt"
    target.write_text("precious")
    fwdoctor("check", "--python", "/nowhere", "-o", str(target))
    assert target.read_text() == "precious"
    fwdoctor("check", "--python", str(make_venv()), "-o", str(target))
    assert "Python" in target.read_text("utf-8")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".fwdoctor")] == []


def test_no_colour_when_piped_or_asked(fwdoctor: Run, make_venv: MakeVenv) -> None:
    words = ("check", "--python", str(make_venv()), *OLD_DRIVER)
    assert "\x1b[" not in fwdoctor(*words).stdout
    assert "\x1b[" in fwdoctor(*words, "--color", "always").stdout
    plain = fwdoctor(*words, "--color", "auto", env={"NO_COLOR": "1"})
    assert "\x1b[" not in plain.stdout


def test_c_locale_gets_ascii(fwdoctor: Run, make_venv: MakeVenv) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    result = fwdoctor(
        *("check", "--python", str(prefix), *OLD_DRIVER),
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    )
    assert result.stdout.isascii()
    assert result.returncode == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("columns", ["20", "40", "400"])
def test_any_width_is_readable(
    fwdoctor: Run, make_venv: MakeVenv, columns: str
) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    result = fwdoctor(
        *("check", "--python", str(prefix), *OLD_DRIVER),
        env={"COLUMNS": columns},
    )
    assert result.returncode == 1
    assert "driver" in result.stdout


@pytest.mark.parametrize("flags", [("-O",), ("-OO",), ("-I",), ("-X", "dev")])
def test_interpreter_flags(
    fwdoctor: Run, make_venv: MakeVenv, flags: tuple[str, ...]
) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    words = ("check", "--python", str(prefix), *OLD_DRIVER)
    result = fwdoctor(*words, python=flags)
    assert result.returncode == 1, result.stderr
    assert "FW111" in result.stdout


@posix
def test_rubbish_on_the_library_path(fwdoctor: Run, make_venv: MakeVenv) -> None:
    junk = ":".join(["", ".", "/nowhere", "/etc/passwd", "\t", "x" * 5000, "/dev"] * 10)
    result = fwdoctor(
        "check", "--python", str(make_venv()), env={"LD_LIBRARY_PATH": junk}
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


@posix
def test_read_only_home_and_removed_folder(
    fwdoctor: Run, make_venv: MakeVenv, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    prefix = make_venv()
    result = fwdoctor("check", "--python", str(prefix), env={"HOME": str(home)})
    assert result.returncode == 0, result.stderr
    code = (
        "import os, sys, subprocess, tempfile; d = tempfile.mkdtemp(); os.chdir(d);"
        "os.rmdir(d); sys.exit(subprocess.run([sys.executable, '-m', 'fwdoctor',"
        f"'check', '--python', {str(prefix)!r}]).returncode)"
    )
    gone = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert gone.returncode == 0, gone.stderr
    assert "Traceback" not in gone.stderr


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff" * 5000, b"__version__ = (((", b"cuda = 1e999\n" * 100]
)
def test_rubbish_in_version_files(
    fwdoctor: Run, make_venv: MakeVenv, content: bytes
) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    site = prefix / "lib" / "python3.12" / "site-packages"
    (site / "torch" / "version.py").write_bytes(content)
    (site / "torch-2.15.0.dist-info" / "RECORD").write_bytes(content)
    (site / "torch-2.15.0.dist-info" / "INSTALLER").write_bytes(content)
    result = fwdoctor("check", "--python", str(prefix), "--format", "json")
    assert result.returncode in (0, 1), result.stderr
    assert report_of(result)["snapshot"]["environments"]


def test_two_hundred_environments_nearby(
    fwdoctor: Run, make_venv: MakeVenv, tmp_path: Path
) -> None:
    for number in range(200):
        make_venv(f"project{number}/.venv", torch_version="2.9.1+cu128")
    result = fwdoctor("check", "--format", "json", cwd=tmp_path)
    report = report_of(result)
    assert result.returncode in (0, 1)
    assert len(report["snapshot"]["environments"]) <= 66


def test_a_leftover_nvidia_smi_that_hangs_costs_little_without_a_gpu(
    fwdoctor: Run, fake_gpu: Any
) -> None:
    machine = fake_gpu("driver-without-gpu", {"smi.mode": "hang"})
    begun = time.perf_counter()
    report = report_of(fwdoctor("check", "--format", "json", env=machine.env))
    assert time.perf_counter() - begun < 8
    (smi,) = (p for p in report["snapshot"]["probes"] if p["name"] == "nvidia-smi")
    assert (smi["status"], smi["reason"]) == ("timeout", "nvidia-smi: no answer in 2 s")
    assert [finding["code"] for finding in report["findings"]] == ["FW133"]


def test_a_slow_nvidia_smi_is_waited_for_where_there_is_a_gpu(
    fwdoctor: Run, fake_gpu: Any
) -> None:
    """Without persistence every GPU is woken first: seconds, and still an answer."""
    machine = fake_gpu("healthy-h100")
    for library in machine.root.rglob("libnvidia-ml.so*"):
        library.unlink()
    program = machine.root / "usr" / "bin" / "nvidia-smi"
    waking = 'case "$*" in *--query-gpu*) sleep 4;; esac'
    program.write_text(program.read_text().replace("\n", f"\n{waking}\n", 1))
    report = report_of(fwdoctor("check", "--format", "json", env=machine.env))
    assert report["snapshot"]["driver"]["nvidia_smi"]["driver_version"] == "550.54.14"
    assert [gpu["name"] for gpu in report["snapshot"]["gpus"]] == [
        machine.scenario.get("gpu.0.name")
    ]


def test_babbling_nvidia_smi(fwdoctor: Run, fake_gpu: Any) -> None:
    for scenario in ("smi-garbage", "smi-chinese"):
        machine = fake_gpu(scenario)
        result = fwdoctor("check", "--format", "json", env=machine.env)
        assert result.returncode in (0, 1), (scenario, result.stderr)
        report_of(result)


def test_interrupt_ends_with_130(make_venv: MakeVenv, fake_gpu: Any) -> None:
    import signal

    machine = fake_gpu("hang-nvml")
    with subprocess.Popen(
        [sys.executable, "-m", "fwdoctor", "check", "--python", str(make_venv())],
        env=machine.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        time.sleep(2.5)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("word", ["FW111", "fw111", "driver-too-old", "FWE02", "fwe03"])
def test_every_code_can_be_explained(fwdoctor: Run, word: str) -> None:
    result = fwdoctor("explain", word)
    assert result.returncode == 0, result.stderr
    assert word.upper() in result.stdout or word in result.stdout


def test_an_unknown_code_gets_a_suggestion(fwdoctor: Run) -> None:
    result = fwdoctor("explain", "driver-to-old")
    assert result.returncode == 2
    assert "driver-too-old" in result.stderr


def test_what_is_required_and_could_not_be_read_is_unknown(
    fwdoctor: Run, tmp_path: Path
) -> None:
    closed = {"prefix": "/srv/env", "is_target": True, "problem": "permission denied"}
    saved = tmp_path / "snapshot.json"
    for packages, code in ((None, 4), ([], 1)):
        target = {**closed, "packages": packages}
        saved.write_text(json.dumps({"schema_version": 1, "environments": [target]}))
        result = fwdoctor("check", "--snapshot", str(saved), "--require", "torch")
        assert result.returncode == code, result.stdout
