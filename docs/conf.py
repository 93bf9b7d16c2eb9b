"""The documentation site, `make docs`.

Its sources are the whole repository, so that links hold in the pages as they stand.
"""

import os
import sys
from pathlib import Path

# The pictures compile many small programs that run for milliseconds.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(Path(__file__).parent / "_extensions")]

import optzoo  # noqa: E402
from theory_checks.programs import keep, usual_place  # noqa: E402

keep(usual_place())

project = "optzoo"
author = "the authors of optzoo"
release = optzoo.__version__
root_doc = "docs/index"

extensions = [
    "sphinx.ext.autodoc",
    "myst_nb",
    "alt_texts",
    "mathml",
    "docstrings",
    "written_pages",
    "course",
    "moving",
]

include_patterns = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
    *("docs/**.md", "notebooks/README.md", "notebooks/rendered/*.md", "benchmarks/RESULTS.md"),
]
# Folders that need not be walked.
exclude_patterns = [
    *(".*", "build", "dist", "results", "tests", "optzoo", "problems", "plots", "theory_checks"),
    *("**/__pycache__", "*.egg-info", "benchmarks/wrong_theorems"),
]

nitpicky = True
suppress_warnings = [
    "myst.header",  # pages that go from a title to a third level
    "ref.python",  # a short name in a signature that two packages have
]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
# Pages are executed where they say so, and one that fails is an error.
nb_execution_mode = "off"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures are those of the source
add_module_names = False
toc_object_entries = False  # a page of the reference begins with its names instead
maximum_signature_line_length = 88
python_display_short_literal_types = True

html_theme = "furo"
html_title = "optzoo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_root"]
if (ROOT / "results/quick/report.html").is_file():
    html_extra_path.append("../results/quick/report.html")
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # it fetches pages, which files do not allow
html_show_copyright = False
html_math_renderer = "mathml"
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0a5a9c",
        "color-brand-content": "#0a5a9c",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4f5",
        "color-brand-content": "#7cc4f5",
    },
}
