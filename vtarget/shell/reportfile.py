"""Reports as files: the page's fixed texts, and the charting library as its package ships it (extra ``report``)."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.data.page import Assets

LIBRARY = "plotly"  # MIT licence, which its file begins with
_FILE = Path("package_data") / "plotly.min.js"
_GUARDS = re.compile(r'document\.getElementById\("([0-9a-f]{64})"\)')  # around the styles of its maps
_ASSETS = Path(__file__).with_name("reportassets")


def report_assets() -> Assets:
    """The texts that a report is made of. InputError if the charting library isn't installed."""
    library, name = _library()
    template, style, script = ((_ASSETS / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return Assets(template, style, script, library, name, tuple(dict.fromkeys(_GUARDS.findall(library))))


def _library() -> tuple[str, str]:
    """The library's text and its name with version, without importing the package."""
    spec = find_spec(LIBRARY)
    try:
        for folder in (spec and spec.submodule_search_locations) or ():
            text = (Path(folder) / _FILE).read_text(encoding="utf-8")
            return text.replace("</script", "<\\/script"), f"Plotly {version(LIBRARY)}"
    except (OSError, UnicodeError, PackageNotFoundError):
        pass
    raise InputError("HTML reports need the package plotly", hint="python -m pip install 'vtarget[report]'")
