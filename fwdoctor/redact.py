"""Takes what identifies a person or a machine out of text that leaves the machine.

Home folders, user names in paths, credentials in URLs, tokens, UUIDs of GPUs. Host
names are not looked for: no probe reads them.
"""

from __future__ import annotations

import re
from typing import Any

# https://alice:secret@index.example.org/simple
_CREDENTIALS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20}://)[^/\s\"']*@")
# …/simple?api_key=abcdef&x=1
_SECRET_PARAMETER = re.compile(
    r"([?&;][\w.-]{0,40}(?:token|key|secret|password|passwd|auth|sig)[\w.-]{0,40}=)"
    r"[^&\s#\"']+",
    re.IGNORECASE,
)
# Tokens that GitHub, GitLab, Hugging Face and PyPI hand out.
_TOKEN = re.compile(r"\b(gh[opsru]_|github_pat_|glpat-|hf_|pypi-)[\w-]{16,}")
# GPU-8f2a1c3d-…, MIG-8f2a1c3d-…, MIG-GPU-8f2a1c3d-…/1/0
_UUID = re.compile(r"(GPU|MIG)-[0-9a-f]{8}(?:-[0-9a-f]{1,12})*(?![\w-])", re.IGNORECASE)
# C:\Users\alice, also written with two backslashes (JSON) or slashes, and in WSL
_WINDOWS_HOME = re.compile(
    r"(?:\b[A-Za-z]:[\\/]{1,2}|/mnt/[a-z]/)Users[\\/]{1,2}[^\\/\s:;,\"'<>|]+",
    re.IGNORECASE,
)
_POSIX_HOME = re.compile(r"(?<![\w.~-])/(?:home|Users)/[^/\s:;,\"'<>]+")
_DEEPER_HOME = re.compile(r"(?<=[\w.~-])/(home|Users)/[^/\s:;,\"'<>]+")
# User names that are as likely an ordinary folder.
_FOLDER_NAMES = frozenset(
    {
        "app",
        "bin",
        "conda",
        "cuda",
        "data",
        "dev",
        "dist-packages",
        "etc",
        "home",
        "include",
        "lib",
        "lib64",
        "local",
        "mnt",
        "nvidia",
        "opt",
        "python",
        "root",
        "run",
        "scratch",
        "share",
        "site-packages",
        "src",
        "tmp",
        "user",
        "users",
        "usr",
        "var",
        "work",
        "workspace",
    }
)


def redact(text: str, *, home: str | None, user: str | None) -> str:
    """The text without home folders, user names, credentials and GPU UUIDs."""
    text = _CREDENTIALS.sub(r"\1", text)
    text = _SECRET_PARAMETER.sub(r"\1…", text)
    text = _TOKEN.sub(r"\1…", text)
    text = _UUID.sub(r"\1-…", text)
    text = _redact_home(text, home)
    text = _WINDOWS_HOME.sub("~", text)
    text = _POSIX_HOME.sub("~", text)
    text = _DEEPER_HOME.sub(r"/\1/~", text)
    return _redact_user(text, user)


def redact_json(value: Any, *, home: str | None, user: str | None) -> Any:
    """A JSON value with every text in it redacted; keys stay."""
    if isinstance(value, str):
        return redact(value, home=home, user=user)
    if isinstance(value, list):
        return [redact_json(item, home=home, user=user) for item in value]
    if isinstance(value, dict):
        return {k: redact_json(v, home=home, user=user) for k, v in value.items()}
    return value


def _redact_home(text: str, home: str | None) -> str:
    folder = (home or "").rstrip("/\\")
    if len(folder) < 2 or folder not in text:
        return text
    return re.sub(rf"(?<![\w.~-]){re.escape(folder)}(?![\w.-])", "~", text)


def _redact_user(text: str, user: str | None) -> str:
    if not user or user.lower() in _FOLDER_NAMES or user not in text:
        return text
    name = re.escape(user)
    pattern = rf"(?<=[\\/]){name}(?![\w.-])|(?<![\w.-]){name}(?=@)"
    return re.sub(pattern, "USER", text)
