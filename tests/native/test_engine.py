"""Conduction, the engine, the flow network and the modes of layers run clean under the address and undefined-behaviour sanitizers, and their own checks hold,
without Python.
"""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++") or ""


@pytest.mark.parametrize("name", ["conduction", "engine", "flow", "modes"])
def test_under_sanitizers(name, tmp_path):
    """All steppers, series, a controller, threads, a shared tank; every kind of element, faults, slopes: exit 0 and not a word."""
    assert COMPILER, "no C++ compiler found; set CXX"
    program = tmp_path / name
    flags = ["-std=c++17", "-O0", "-g0", "-DTHERMO_NO_CLONES", "-D_GLIBCXX_ASSERTIONS", "-fsanitize=address,undefined",
             "-fno-sanitize-recover=undefined", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-pthread"]
    build = subprocess.run([*COMPILER.split(), *flags, f"-I{HERE.parents[1] / 'ext' / 'include'}", str(HERE / f"{name}.cpp"),
                            "-o", str(program)], capture_output=True, text=True)
    if "cannot find" in build.stderr and "asan" in build.stderr:
        pytest.skip("this compiler has no sanitizer runtime")
    assert build.returncode == 0, build.stderr
    run = subprocess.run([str(program)], capture_output=True, text=True, timeout=60,
                         env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})  # leak check needs ptrace, which containers refuse
    assert run.returncode == 0 and not run.stdout and not run.stderr, run.stdout + run.stderr
