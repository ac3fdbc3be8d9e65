"""The report: everything about a program, from its formulas to its machine code, as one document of linked parts.

`document` makes the data that `SCHEMA.md` describes; `page.py` makes the page of it, `report` writes it.
"""

from symnet.report.build import derivation_document, document
from symnet.report.writing import report

__all__ = ["derivation_document", "document", "report"]
