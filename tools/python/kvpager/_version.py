"""The version, in one place: the wheel and the library are held to it."""

__version__ = "0.1.0"
