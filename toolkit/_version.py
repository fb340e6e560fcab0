"""The version, said once: the package, the wheel and every report take it from here."""

__version__ = "0.1.0"
