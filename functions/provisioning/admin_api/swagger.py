"""Swagger UI: one page that shows the document, readable for whoever cannot see, point, or look at a wide screen.

The program is Powertools', whole; what it lacks is in swagger_ui/ (docs/decisions/0044).
"""

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any, Final

from aws_lambda_powertools.event_handler import openapi

_OF_POWERTOOLS: Final = Path(openapi.__path__[0]) / "swagger_ui"
_OURS: Final = Path(__file__).parent / "swagger_ui"
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{title}</title>
  <style>{style}</style>
</head>
<body>
  <main id="swagger-ui"><p>Loading. This page is a script.</p></main>
  <script>{program}</script>
  <script>{start}</script>
</body>
</html>
"""


def swagger_page(document: dict[str, Any]) -> tuple[str, str]:
    """Return Swagger UI as one page that loads nothing else, and the Content-Security-Policy that enforces this."""
    shown = json.dumps(document, ensure_ascii=False).replace("</", "<\\/")
    program = (_OF_POWERTOOLS / "swagger-ui-bundle.min.js").read_text("utf-8")
    start = f"const DOCUMENT = {shown};\n{(_OURS / 'swagger.js').read_text('utf-8')}"
    styles = (_OF_POWERTOOLS / "swagger-ui.min.css", _OURS / "swagger.css")
    page = _PAGE.format(
        title=html.escape(document["info"]["title"]),
        style="\n".join(style.read_text("utf-8") for style in styles),
        program=program,
        start=start,
    )
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(f"'sha256-{_sha256(script)}'" for script in (program, start)),
        "style-src": "'unsafe-inline'",  # Swagger UI sets styles of elements
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return page, "; ".join(f"{name} {value}" for name, value in policy.items())


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
