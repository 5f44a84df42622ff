"""Reading a package index: which files a project has, and when they came.

The index is the one the user's pip or uv is configured for. Its simple page (HTML or
JSON) is required; upload times come from that page or, where it has none, from the
per-project JSON metadata that many indexes serve beside it. Nothing is parsed here
about a framework.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urldefrag, urljoin, urlsplit
from urllib.request import Request, urlopen

from fwdoctor.errors import FwdoctorError
from fwdoctor.process import run_child

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_INDEX_URL = "https://pypi.org/simple"
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
ACCEPT_SIMPLE = (
    "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1"  # PEP 691
)
ATTEMPTS = 5
TIMEOUT_S = 90.0
RETRYABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class IndexReadError(FwdoctorError):
    """The index did not answer, or answered something that is no index page."""


class MissingPageError(IndexReadError):
    """The index has no such page: a project it does not carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One published file of a project."""

    filename: str
    url: str
    uploaded: str | None = None  # "2025-11-12T15:20:31Z"
    yanked: str | None = None  # the reason, "" without one, None when not yanked
    has_metadata: bool = False  # a `.metadata` file is offered beside it (PEP 658)


class _Anchors(HTMLParser):
    """Collects the links of a simple page with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the attributes of every link."""
        if tag == "a":
            self.links.append({name: value or "" for name, value in attrs})


def find_index_url(environ: Mapping[str, str] | None = None) -> str:
    """Return the simple index pip or uv is configured for, without a final slash."""
    variables = os.environ if environ is None else environ
    for name in INDEX_VARIABLES:
        if variables.get(name):
            return variables[name].rstrip("/")
    return (_read_pip_setting("index-url") or DEFAULT_INDEX_URL).rstrip("/")


def fetch(
    url: str, headers: Mapping[str, str] | None = None
) -> tuple[bytes, Mapping[str, str]]:
    """Return body and headers of a URL, with retries and growing pauses.

    A server that ignores a `Range` header is refused before it sends the whole file.
    User and password in the URL are sent to its server alone, and shown to nobody.
    """
    url, login = _split_login(url)
    wanted = {"User-Agent": "fwdoctor-refresh", **(headers or {})}
    request = Request(url, headers=wanted)
    if login:
        request.add_unredirected_header("Authorization", login)
    for attempt in range(ATTEMPTS):
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:
                if "Range" in wanted and answer.status != HTTPStatus.PARTIAL_CONTENT:
                    raise _unreadable(url, "the server does not answer byte ranges")
                return answer.read(), answer.headers
        except HTTPError as error:
            error.close()  # it holds the connection
            if error.code == HTTPStatus.NOT_FOUND:
                raise MissingPageError("no-such-page", f"no page `{url}`") from error
            if error.code not in RETRYABLE_STATUS or attempt + 1 == ATTEMPTS:
                raise _unreadable(url, f"HTTP status {error.code}") from error
        except (URLError, OSError, HTTPException) as error:
            if attempt + 1 == ATTEMPTS:
                raise _unreadable(url, str(error)) from error
        time.sleep(2.0**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def read_project(index_url: str, project: str) -> tuple[IndexFile, ...]:
    """Return every file of a project, in the order of the index."""
    page_url = f"{index_url}/{project}/"
    body, headers = fetch(page_url, {"Accept": ACCEPT_SIMPLE})
    text = body.decode("utf-8", "replace")
    parse = (
        parse_simple_json
        if "json" in headers.get("Content-Type", "")
        else parse_simple_html
    )
    try:
        files = parse(text, page_url)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = f"not an index page ({type(error).__name__}: {error})"
        raise _unreadable(_split_login(page_url)[0], reason) from error
    if not files:
        raise _unreadable(_split_login(page_url)[0], "no files on the page")
    if all(item.uploaded for item in files):
        return files
    return _with_upload_times(files, _read_json_metadata(index_url, project))


def parse_simple_html(text: str, page_url: str) -> tuple[IndexFile, ...]:
    """Parse an HTML simple page (PEP 503, 592, 658, 700)."""
    parser = _Anchors()
    parser.feed(text)
    return tuple(
        IndexFile(
            filename=_filename(link["href"]),
            url=_join(page_url, html.unescape(link["href"])),
            uploaded=link.get("data-upload-time"),
            yanked=link.get("data-yanked"),
            has_metadata=bool(
                link.get("data-core-metadata") or link.get("data-dist-info-metadata")
            ),
        )
        for link in parser.links
        if link.get("href")
    )


def parse_simple_json(text: str, page_url: str) -> tuple[IndexFile, ...]:
    """Parse a JSON simple page (PEP 691, 700)."""
    return tuple(
        IndexFile(
            filename=item["filename"],
            url=_join(page_url, item["url"]),
            uploaded=item.get("upload-time"),
            yanked=_yank_reason(item.get("yanked"), None),
            has_metadata=bool(
                item.get("core-metadata") or item.get("dist-info-metadata")
            ),
        )
        for item in json.loads(text).get("files", ())
    )


def _read_json_metadata(index_url: str, project: str) -> dict[str, dict[str, Any]]:
    """Return the files of `/pypi/PROJECT/json` by name; empty where not served."""
    base = re.sub(r"/simple$", "", index_url)
    try:
        body, _ = fetch(f"{base}/pypi/{project}/json")
        releases = json.loads(body)["releases"]
    except (IndexReadError, KeyError, ValueError):
        return {}
    return {item["filename"]: item for files in releases.values() for item in files}


def _with_upload_times(
    files: Iterable[IndexFile], metadata: Mapping[str, Mapping[str, Any]]
) -> tuple[IndexFile, ...]:
    completed = []
    for item in files:
        known = metadata.get(item.filename, {})
        yanked = _yank_reason(known.get("yanked"), known.get("yanked_reason"))
        completed.append(
            IndexFile(
                filename=item.filename,
                url=item.url,
                uploaded=item.uploaded or known.get("upload_time_iso_8601"),
                yanked=item.yanked if item.yanked is not None else yanked,
                has_metadata=item.has_metadata,
            )
        )
    return tuple(completed)


def _yank_reason(yanked: bool | str | None, reason: str | None) -> str | None:
    if not yanked:
        return None
    return yanked if isinstance(yanked, str) else reason or ""


def _filename(href: str) -> str:
    return unquote(urldefrag(html.unescape(href)).url.rsplit("/", 1)[-1])


def _join(page_url: str, link: str) -> str:
    """The address of a file; the page's login is also for others of its server."""
    url = urlsplit(urldefrag(urljoin(page_url, link)).url)
    page = urlsplit(page_url)
    if page.username and (url.scheme, url.netloc) == (page.scheme, _host(page)):
        url = url._replace(netloc=page.netloc)
    return url.geturl()


def _split_login(url: str) -> tuple[str, str | None]:
    """A URL without user and password, and the header that says them."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, None
    said = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    login = base64.b64encode(said.encode()).decode("ascii")
    return parts._replace(netloc=_host(parts)).geturl(), f"Basic {login}"


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _read_pip_setting(name: str) -> str | None:
    answer = run_child(["pip", "config", "get", f"global.{name}"], timeout_s=20.0)
    return answer.stdout.strip() or None if answer.is_success else None


def _unreadable(url: str, reason: str) -> IndexReadError:
    return IndexReadError(
        "index-unreadable",
        f"cannot read `{url}`: {reason}",
        hint="check the network and the index pip is configured for",
    )
