"""Secrets in notebooks: found where they stand, in whatever part, and never repeated."""

from __future__ import annotations

from toolkit.scanning.notebooks import Finding, notebook_files, scan_notebook

__all__ = ["Finding", "notebook_files", "scan_notebook"]
