"""Object files to one image of a library, which `symnet.runtime.image` brings into a process without LLVM.

Linking happens once, where the library is compiled: sections are laid out, what refers to another place of the image
is final, and what is left to do with each loading are the few words of a table that hold addresses: of functions of the
C library, which every process has elsewhere, and of places that only the table tells.

    code       .text of all objects, then a jump through the table for each function of the C library
    constants  .rodata, then that table
    data       .data and .bss, of which only what is not zero at the end is stored

This is for ELF objects of x86-64. Others, and objects with what is not known here, are kept as they are and loaded by
LLVM (`codegen.llvm.jit.Loaded`): `linked` then gives None.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

PAGE = 4096
KINDS = ("code", "constants", "data")

_HEADER, _SECTION = struct.Struct("<40xQ10xHHH"), struct.Struct("<IIQQQQIIQQ")
_SYMBOL, _RELOCATION = struct.Struct("<IBBHQQ"), struct.Struct("<QIIq")
_BEGINS, _RELOCATABLE, _X86_64 = b"\x7fELF\x02\x01\x01", 1, 62

_PROGBITS, _SYMTAB, _RELA, _NOBITS, _UNWIND = 1, 2, 4, 8, 0x70000001
_WRITE, _ALLOC, _EXECUTE, _THREADS = 0x1, 0x2, 0x4, 0x400
_LOCAL, _GLOBAL = 0, 1
_UNDEFINED, _ABSOLUTE, _COMMON = 0, 0xFFF1, 0xFFF2

_ADDRESS, _PC32, _PLT32, _PC64 = 1, 2, 4, 24
_TABLE = (9, 41, 42)
"""The relocations, R_X86_64_64, _PC32, _PLT32, _PC64, and _GOTPCREL with its two forms that may be made shorter."""
_JUMP = b"\xff\x25"
"""jmp *distance(%rip)"""


class _Unknown(Exception):
    """The objects have what is not linked here."""


@dataclass(frozen=True)
class _Place:
    """Where something is: a section of an object, and how far into it; or a function of the C library."""

    section: tuple[int, int] | None
    value: int
    imported: str = ""


@dataclass(frozen=True)
class _Section:
    name: str
    type: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int

    @property
    def kind(self) -> str:
        """The part of the image it belongs to, or nothing. No function here lets an exception through."""
        if not self.flags & _ALLOC or self.type == _UNWIND or self.name == ".eh_frame":
            return ""
        if self.type not in (_PROGBITS, _NOBITS) or self.flags & _THREADS:
            raise _Unknown(f"section {self.name}")
        return "code" if self.flags & _EXECUTE else "data" if self.flags & _WRITE else "constants"


class _Object:
    """A relocatable object file."""

    def __init__(self, data: bytes) -> None:
        kind, machine = struct.unpack_from("<HH", data, 16)
        if data[:7] != _BEGINS or (kind, machine) != (_RELOCATABLE, _X86_64):
            raise _Unknown("format")
        self.data = data
        start, size, count, names = _HEADER.unpack_from(data)
        found = [_SECTION.unpack_from(data, start + k * size) for k in range(count)]
        texts = found[names][4]
        self.sections = [
            _Section(self._text(texts + name), type_, flags, offset, size, link, info, align)
            for name, type_, flags, _, offset, size, link, info, align, _ in found
        ]

    def _text(self, at: int) -> str:
        return self.data[at : self.data.index(0, at)].decode()

    def content(self, section: _Section) -> bytes:
        return bytes(section.size) if section.type == _NOBITS else self.data[section.offset :][: section.size]

    def symbols(self) -> Iterator[tuple[str, int, int, int]]:
        """Name, binding, section and value of each symbol."""
        for table in self.sections:
            if table.type == _SYMTAB:
                texts = self.sections[table.link].offset
                for name, info, _, section, value, _ in _SYMBOL.iter_unpack(self.content(table)):
                    yield self._text(texts + name), info >> 4, section, value

    def relocations(self) -> Iterator[tuple[int, int, int, int, int]]:
        """The section that is changed and where in it, the kind, the number of the symbol, what is added."""
        for table in self.sections:
            if table.type == _RELA and self.sections[table.info].kind:
                for offset, kind, symbol, addend in _RELOCATION.iter_unpack(self.content(table)):
                    yield table.info, offset, kind, symbol, addend


@dataclass
class _Linker:
    objects: Sequence[_Object]
    starts: dict[tuple[int, int], int] = field(default_factory=dict)
    defined: dict[str, _Place] = field(default_factory=dict)
    image: bytearray = field(default_factory=bytearray)
    table: dict[_Place, int] = field(default_factory=dict)  # what a word of the table points to -> where the word is
    jumps: dict[str, int] = field(default_factory=dict)

    def link(self) -> tuple[dict[str, Any], bytes]:
        symbols = [list(self._symbols(number, one)) for number, one in enumerate(self.objects)]
        wanted = [
            (number, section, offset, kind, self._resolved(symbols[number][symbol]), addend)
            for number, one in enumerate(self.objects)
            for section, offset, kind, symbol, addend in one.relocations()
        ]
        imports = sorted({place.imported for *_, place, _ in wanted if place.imported})
        words = {place for *_, kind, place, _ in wanted if kind in _TABLE or place.imported}
        ends = self._lay_out(imports, sorted(words, key=str))
        relative: list[list[int]] = []
        for number, section, offset, kind, place, addend in wanted:
            self._relocate(self.starts[number, section] + offset, kind, place, addend, relative)
        relative += [[at, self._at(place)] for place, at in self.table.items() if not place.imported]
        about = {
            "ends": ends,
            "symbols": {name: self._at(place) for name, place in self.defined.items()},
            "relative": relative,
            "imports": [[at, place.imported] for place, at in self.table.items() if place.imported],
        }
        return about, bytes(self.image).rstrip(b"\0")

    def _symbols(self, number: int, one: _Object) -> Iterator[_Place]:
        for name, binding, section, value in one.symbols():
            if section == _UNDEFINED:
                yield _Place(None, 0, name)
                continue
            if (section in (_ABSOLUTE, _COMMON) and binding != _LOCAL) or binding not in (_LOCAL, _GLOBAL):
                raise _Unknown(f"symbol {name}")
            place = _Place((number, section), value)
            if binding == _GLOBAL:
                if name in self.defined:
                    raise _Unknown(f"symbol {name} twice")
                self.defined[name] = place
            yield place

    def _resolved(self, place: _Place) -> _Place:
        return self.defined.get(place.imported, place) if place.imported else place

    def _lay_out(self, imports: Sequence[str], words: Sequence[_Place]) -> list[int]:
        """Fill the image with the sections; where its three parts end."""
        ends = []
        for kind in KINDS:
            for number, one in enumerate(self.objects):
                for index, section in enumerate(one.sections):
                    if section.kind == kind:
                        self._pad(max(section.align, 1))
                        self.starts[number, index] = len(self.image)
                        self.image += one.content(section)
            if kind == "code":
                for name in imports:
                    self._pad(16)
                    self.jumps[name] = len(self.image)
                    self.image += _JUMP + bytes(4)
            if kind == "constants":
                self._pad(8)
                for place in words:
                    self.table[place] = len(self.image)
                    self.image += bytes(8)
            self._pad(PAGE)
            ends.append(len(self.image))
        for name, at in self.jumps.items():
            self._write("<i", at + 2, self.table[_Place(None, 0, name)] - (at + 6))
        return ends

    def _relocate(self, at: int, kind: int, place: _Place, addend: int, relative: list[list[int]]) -> None:
        if kind in _TABLE:
            self._write("<i", at, self.table[place] + addend - at)
        elif kind == _ADDRESS and not place.imported:
            relative.append([at, self._at(place) + addend])
        elif kind == _PLT32 and place.imported:
            self._write("<i", at, self.jumps[place.imported] + addend - at)
        elif kind in (_PC32, _PLT32, _PC64) and not place.imported:
            self._write("<q" if kind == _PC64 else "<i", at, self._at(place) + addend - at)
        else:
            raise _Unknown(f"relocation {kind}")

    def _at(self, place: _Place) -> int:
        if place.section not in self.starts:
            raise _Unknown("a symbol outside of what is loaded")
        return self.starts[place.section] + place.value

    def _pad(self, align: int) -> None:
        self.image += bytes(-len(self.image) % align)

    def _write(self, form: str, at: int, value: int) -> None:
        try:
            struct.pack_into(form, self.image, at, value)
        except struct.error:  # further than 2 GB
            raise _Unknown("distance") from None


def linked(objects: Sequence[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The image of a library and what `symnet.runtime.image.Image` has to know of it, plain JSON data:

    ends      where code, constants and data end, in whole pages    symbols  name -> place of what is global
    relative  [place, place whose address it gets]                  imports  [place, function whose address it gets]
    """
    try:
        return _Linker([_Object(one) for one in objects]).link()
    except (_Unknown, struct.error, IndexError, ValueError):
        return None
