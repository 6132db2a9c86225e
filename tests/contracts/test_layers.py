"""Imports point downwards. Held by reading the source, without running it."""
import ast
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "thermo"
LAYERS = [  # upper may import lower, never the other way; neighbours on a line may not know each other unless said below
    {"cli", "accessor"},
    {"_cli_output", "report"},
    {"sweeps"},
    {"compare"},
    {"plot_compare", "plot_flows", "plot_rack"},
    {"plot", "plot_ladder", "plot_package", "scenario"},
    {"summary", "quantity", "store"},
    {"calibration", "again", "resilience", "design"},
    {"steady"},
    {"simulate"},
    {"solve", "output"},
    {"cooling", "power", "package"},
    {"firmware", "network", "hydraulics", "workload", "generators", "ambient", "traces", "events"},
    {"rack", "formulas", "_files", "fluids", "refrigerants"},
    {"library"},
    {"_kernels", "errors", "_style"},
]
LEVEL = {name: i for i, names in enumerate(LAYERS) for name in names}
SAME_LEVEL = {("firmware", "network"), ("output", "solve"), ("traces", "workload"), ("workload", "ambient"), ("traces", "_files"),
              ("generators", "workload"), ("fluids", "rack"), ("workload", "generators"), ("refrigerants", "rack"),
              ("refrigerants", "fluids"), ("package", "cooling"), ("plot", "plot_package")}


def imports(path):
    """(module, imported module, lazily) pairs of a file, by first name below `thermo`."""
    tree = ast.parse(path.read_text())
    parts = path.relative_to(SOURCE).with_suffix("").parts
    here = parts[0]
    typing_only = {n for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                   for n in ast.walk(node)}
    top = set(tree.body)
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "thermo":
            rest = node.module.split(".")[1:]
            names = [rest[0]] if rest else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name.split(".")[1] for a in node.names if a.name.startswith("thermo.")]
        for name in names:
            yield here, name, node not in top


def test_imports_point_downwards():
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name in ("__init__.py", "__main__.py") and path.parent == SOURCE:
            continue
        for here, there, lazy in imports(path):
            if here == there or there not in LEVEL:
                continue
            assert here in LEVEL, f"{path}: {here} has no layer"
            if lazy and there == "library":  # descriptions look their names up
                continue
            if LEVEL[there] < LEVEL[here] or (LEVEL[there] == LEVEL[here] and (here, there) not in SAME_LEVEL):
                wrong.append(f"{path.relative_to(SOURCE)} imports {there}")
    assert not wrong, wrong


def test_import_loads_nothing_heavy():
    """`import thermo` must load none of the heavy libraries, nor our own modules: names are lazy."""
    heavy = ["numpy", "scipy", "xarray", "pandas", "pydantic", "pint", "matplotlib", "typer", "rich", "h5py", "dask"]
    code = f"import sys, thermo; print([m for m in {heavy!r} if m in sys.modules], 'thermo.rack' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_a_foreign_thermo_is_named(tmp_path):
    """ChEDL's files beside ours must give an ImportError with both names and the way out, not nonsense."""
    package = tmp_path / "thermo"
    package.mkdir()
    (package / "__init__.py").write_text((SOURCE / "__init__.py").read_text())
    (package / "eos_mix.py").write_text("")
    done = subprocess.run([sys.executable, "-c", "import thermo"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError") and "thermo-dc" in message and "pip uninstall" in message


def test_the_command_survives_a_foreign_thermo(tmp_path):
    """Where another distribution's `thermo` wins, the command says so and exits 2."""
    (tmp_path / "thermo").mkdir()
    (tmp_path / "thermo" / "__init__.py").write_text("")
    (tmp_path / "thermo_dc.py").write_text((SOURCE.parent / "thermo_dc.py").read_text())
    done = subprocess.run([sys.executable, "-c", "import thermo_dc, sys; sys.exit(thermo_dc.main())"], capture_output=True,
                          text=True, cwd=tmp_path)
    assert done.returncode == 2 and "another distribution" in done.stderr
