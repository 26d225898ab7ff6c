"""The version, by itself so that building needs no import of the library."""

__version__ = "0.1.0"
