"""One platform in the words of each tool."""

from __future__ import annotations

_CONDA = {
    "linux-x86_64": "linux-64",
    "linux-aarch64": "linux-aarch64",
    "windows-x86_64": "win-64",
    "macos-x86_64": "osx-64",
    "macos-arm64": "osx-arm64",
}
_UV = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "windows-x86_64": "x86_64-pc-windows-msvc",
    "macos-x86_64": "x86_64-apple-darwin",
    "macos-arm64": "aarch64-apple-darwin",
}
# The glibc versions uv has a platform name for, newest first.
_UV_GLIBC = (*(f"2.{minor}" for minor in range(40, 30, -1)), "2.28", "2.17")
_SYSTEMS = {"linux": "linux", "windows": "win32", "macos": "darwin"}
_MACHINES = {"windows-x86_64": "AMD64"}


def conda_subdir(platform: str) -> str:
    """The platform as conda calls it: linux-64."""
    return _CONDA.get(platform, platform)


def uv_platform(platform: str, glibc: str | None = None) -> str | None:
    """The platform as `uv pip compile --python-platform` takes it.

    With the machine's glibc, wheels for a newer one are not taken.
    """
    name = _UV.get(platform)
    if name is None or glibc is None or "-manylinux_" not in name:
        return name
    older = (v for v in _UV_GLIBC if _numbers(v) <= _numbers(glibc))
    served = next(older, _UV_GLIBC[-1])
    return f"{name.partition('-')[0]}-manylinux_{served.replace('.', '_')}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def marker(platform: str) -> str:
    """The platform as an environment marker."""
    system, _, arch = platform.partition("-")
    name = _MACHINES.get(platform, arch)
    where = f"sys_platform == '{_SYSTEMS.get(system, system)}'"
    return f"{where} and platform_machine == '{name}'"


def marker_values(platform: str, python: str) -> dict[str, str]:
    """What environment markers compare with on this platform and Python."""
    system, _, arch = platform.partition("-")
    names = {"linux": ("posix", "Linux"), "windows": ("nt", "Windows")}
    os_name, platform_system = names.get(system, ("posix", "Darwin"))
    return {
        "sys_platform": _SYSTEMS.get(system, system),
        "os_name": os_name,
        "platform_system": platform_system,
        "platform_machine": _MACHINES.get(platform, arch),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
