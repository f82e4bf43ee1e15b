"""Which headers a file includes."""

from __future__ import annotations

from vtarget.logic.includes import direct_includes, include_closure

HEADERS = {
    "kernels/a.h": '#include "b.h"\n#include <stdint.h>\n',
    "kernels/b.h": '#include "a.h"\n',
    "kernels/simd/c.h": '#include "../b.h"\n',
    "free/string.h": "",
    "kernels/unused.h": "",
}
FOLDERS = ("kernels", "free")


def test_includes_of_includes_count_and_circles_end() -> None:
    text = '  #  include "simd/c.h"\n// #include "unused.h"\nint x; #include "unused.h"\n'
    assert include_closure("model/m.c", text, HEADERS, FOLDERS) == ["kernels/a.h", "kernels/b.h", "kernels/simd/c.h"]


def test_brackets_find_what_is_in_the_project_and_nothing_else() -> None:
    text = "#include <string.h>\n#include <stdlib.h>\n"
    assert direct_includes("model/m.c", text, HEADERS, FOLDERS) == ["free/string.h"]


def test_a_quoted_name_is_looked_for_beside_the_file_first() -> None:
    known = {"model/x.h", "kernels/x.h"}
    assert direct_includes("model/m.c", '#include "x.h"\n', known, FOLDERS) == ["model/x.h"]
    assert direct_includes("model/m.c", "#include <x.h>\n", known, FOLDERS) == ["kernels/x.h"]
    assert direct_includes("m.c", '#include "x.h"\n', known, FOLDERS) == ["kernels/x.h"]
