"""The documentation site: ``sphinx-build -W -b html docs docs/_build``. Nothing is fetched while it is built."""
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

import thermo  # noqa: E402

project = "thermo"
author = "The thermo developers"
release = version = thermo.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_parser", "from_files"]
exclude_patterns = ["_build", "_ext", "_templates"]
templates_path = ["_templates"]
default_role = "py:obj"
html_theme = "furo"
html_math_renderer = "mathml"  # in the page itself: no script, no network
html_title = f"thermo {release}"
html_copy_source = False
html_show_copyright = False
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # units and types stand in the docstrings
autodoc_default_options = {"members": True, "exclude-members": "model_config, model_post_init"}
autosummary_generate = True
autosummary_ignore_module_all = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
suppress_warnings = ["ref.python"]  # a name that two modules have, in prose
