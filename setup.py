"""The compiled half: each file in ext/cython/ and ext/bindings/ becomes one extension. All else is in pyproject.toml.

Environment: THERMO_SANITIZE=address,undefined, THERMO_COVERAGE=1 (gcov), THERMO_WERROR=1 (C++ warnings are errors),
THERMO_JOBS=n.
"""
import os
import sys
from glob import glob
from pathlib import Path

import numpy
import pybind11
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SANITIZE = os.environ.get("THERMO_SANITIZE", "")
COVERAGE = os.environ.get("THERMO_COVERAGE") == "1"
WERROR = os.environ.get("THERMO_WERROR") == "1"
DEBUG = bool(SANITIZE or COVERAGE)


class BuildExt(build_ext):
    def build_extensions(self):
        msvc = self.compiler.compiler_type == "msvc"
        if msvc:
            compile_flags, link_flags = ["/O2", "/std:c++17"], []
        elif DEBUG:
            compile_flags = ["-O1", "-g", "-fno-omit-frame-pointer", "-UNDEBUG", "-D_GLIBCXX_ASSERTIONS",
                             "-DTHERMO_NO_CLONES", "-ffp-contract=off"]
            link_flags = []
        else:  # no -march: the hot loops are cloned for wider vectors. No FMA contraction: all clones agree to the bit
            compile_flags = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]
            link_flags = []
        if SANITIZE:  # Python's own CFLAGS carry -fwrapv, which would hide signed overflow
            compile_flags += [f"-fsanitize={SANITIZE}", "-fno-wrapv", "-fno-sanitize-recover=undefined"]
            link_flags += [f"-fsanitize={SANITIZE}"]
        if COVERAGE:
            compile_flags += ["--coverage", "-fprofile-update=atomic"]
            link_flags += ["--coverage"]
        for extension in self.extensions:
            extra = [] if msvc else ["-std=c++17", "-fvisibility=hidden"]
            if WERROR and not msvc and "bindings" in extension.sources[0]:
                extra += ["-Wall", "-Wextra", "-Werror"]
            extension.extra_compile_args = compile_flags + extra
            extension.extra_link_args = link_flags
        self.parallel = self.parallel or int(os.environ.get("THERMO_JOBS", os.cpu_count() or 1))
        super().build_extensions()


HEADERS = sorted(glob("ext/include/thermo/*.hpp"))
cython = cythonize(
    [Extension(f"thermo._kernels.{Path(f).stem}", [f], language="c++", depends=HEADERS,
               include_dirs=["ext/include", numpy.get_include()],
               define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")])
     for f in sorted(glob("ext/cython/*.pyx"))],
    build_dir="build/cython",
    force=DEBUG or "--force" in sys.argv,  # setup.py's own directives are no dependency of the generated C++
    compiler_directives=dict(language_level="3", boundscheck=bool(SANITIZE), wraparound=False, cdivision=True,
                             initializedcheck=False, embedsignature=True, freethreading_compatible=True),
)
pybind = [Extension(f"thermo._kernels.{Path(f).stem}", [f], language="c++", depends=HEADERS,
                    include_dirs=["ext/include", pybind11.get_include()])
          for f in sorted(glob("ext/bindings/*.cpp"))]
setup(ext_modules=cython + pybind, cmdclass={"build_ext": BuildExt})
