"""`/admin/page`: a page for people, with its script, its style and its icon. It asks the other routes, as its caller.

Browsers do not sign requests: `auth-jwt page` signs them, and `make serve` needs no signature (docs/admin-page.md).
"""

from pathlib import Path
from typing import Final

from aws_lambda_powertools.event_handler import Response

from admin_api.visit import new_router

HTML: Final = "page.html"
MEDIA_TYPES: Final = {
    HTML: "text/html",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("script.js", "api.js", "dom.js", "explain.js", "frame.js", "user.js", "users.js"), "text/javascript"
    ),
}
"""The files of the page, and the media type of each."""

HEADERS: Final = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What keeps anything else than the page's own script from running in it, and the page out of others."""

router = new_router()
_FOLDER: Final = Path(__file__).parent / "static"


def _register(name: str, media_type: str) -> None:
    path = "/admin/page" if name == HTML else f"/admin/page/{name}"

    def give() -> Response[str]:
        text = (_FOLDER / name).read_text("utf-8")
        return Response(200, f"{media_type}; charset=utf-8", text, {**HEADERS})

    router.get(path, operation_id="page", include_in_schema=False, enable_validation=False)(give)


for _name, _media_type in MEDIA_TYPES.items():
    _register(_name, _media_type)
