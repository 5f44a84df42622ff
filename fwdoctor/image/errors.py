"""The one error of this package: an image that cannot be read."""

from __future__ import annotations

from fwdoctor.errors import UsageError


class ImageError(UsageError):
    """The image is damaged, hostile, or of a kind that is not read."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__("image-unreadable", message, hint=hint)
