"""The report: everything about a program, from its formulas to its machine code, as one document of linked parts.

`document` makes the data that `SCHEMA.md` describes; `page.py` makes the page of it.
"""

from symnet.report.build import derivation_document, document

__all__ = ["derivation_document", "document"]
