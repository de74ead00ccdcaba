"""The version, which the package and the build read here."""

__version__ = "0.1.0"
