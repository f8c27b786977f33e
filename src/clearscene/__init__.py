"""clearscene finds what is wrong with an overhead image, masks it, repairs it and proves it."""

__version__ = "0.1.0"
