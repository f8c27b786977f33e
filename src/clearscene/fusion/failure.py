"""An image that cannot take part."""

from clearscene.errors import ClearsceneError, SceneError

__all__ = ["ImageError"]


class ImageError(SceneError):
    """One image of several cannot be opened, read or placed; `image` says which."""

    def __init__(self, message: str, *, image: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.image = image
        """Path of the image, as given."""

    @classmethod
    def of(cls, error: ClearsceneError, image: str) -> "ImageError":
        """The error of one image, with its own words; what can be done if the image may be left out."""
        text = error.message if image in error.message else f"{image}: {error.message}"
        return cls(text, image=image, hint=f"{error.hint} Or leave it out with --on-error skip.".strip())
