"""Each header of the compiled core compiles alone, as C++17, without Python and without a warning."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "ext" / "include"
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++") or ""


@pytest.mark.parametrize("header", sorted(p.relative_to(INCLUDE).as_posix() for p in INCLUDE.glob("thermo/*.hpp")))
def test_header_compiles_alone(header, tmp_path):
    assert COMPILER, "no C++ compiler found; set CXX"
    unit = tmp_path / "unit.cpp"
    unit.write_text(f'#include "{header}"\n#include "{header}"\nint main() {{}}\n')  # twice: it must guard itself
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fsyntax-only"]
    run = subprocess.run([*COMPILER.split(), *flags, f"-I{INCLUDE}", str(unit)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "Python.h" not in (INCLUDE / header).read_text()
