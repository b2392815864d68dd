"""Powertools' resolver, extended by the checks of every request and the form of every answer."""

import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from aws_lambda_powertools.event_handler import ApiGatewayResolver, APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from admin_api import deleted, deployment, issuers, page, profiles, revocations, secrets, tokens, users
from admin_api.document import add_server, document_of
from admin_api.problems import UNKNOWN_PARAMETER, WrongMethod, answer_to
from admin_api.swagger import swagger_page
from admin_api.visit import Visit, visit_of
from auth_jwt.http.wire import JSON, Malformed
from auth_jwt.strict_json import strict_json_object

ROUTERS: Final = tuple(
    room.router for room in (profiles, deleted, secrets, tokens, revocations, issuers, users, deployment, page)
)
MAX_VALUES: Final = 10_000
"""How many values a body may hold. Each that breaks a rule takes about 2 KB while a body is judged."""

_VARIABLE: Final = re.compile(r"<\w+>")
_NO_ROUTE: Final = r"^.*\Z"  # how Powertools routes what no route matches
_SWAGGER: Final = "swagger"
_FORMAT: Final = "format"  # the one query parameter that no route function declares


class AdminResolver(APIGatewayRestResolver):
    """A resolver that knows the methods of each path, and answers every error with a problem."""

    def __init__(self) -> None:
        self._methods: dict[str, list[str]] = {}
        super().__init__(
            debug=False,  # whatever the environment says: debug mode prints whole requests
            enable_validation=True,
            response_validation_error_http_code=500,
            json_body_deserializer=strict_body,
            serializer=_json,
        )
        # Without this handler, Powertools would log errors with their texts.
        self.exception_handler([Exception, NotFoundError])(self._answer_error)
        self.use([_note_operation, _check_query])
        for router in ROUTERS:
            self.include_router(router)
        self.get("/admin/swagger", operation_id=_SWAGGER, include_in_schema=False, enable_validation=False)(
            self._swagger
        )

    def answer(self, event: dict[str, Any], context: Any, visit: Visit) -> dict[str, Any]:  # noqa: ANN401 - Lambda's
        """Return the Lambda proxy response to an *event*, and note the operation and any error in *visit*."""
        self.context["visit"] = visit  # until the end of `resolve`
        answer = self.resolve(event, context)
        headers = {name: value for name, (value,) in answer.pop("multiValueHeaders", {}).items()}
        return {**answer, "headers": headers}

    def route(
        self,
        rule: str,
        method: str | list[str] | tuple[str],
        *args: Any,  # noqa: ANN401 - Powertools'
        **kwargs: Any,  # noqa: ANN401
    ) -> Callable[[Any], Any]:
        """Register a route and remember its methods; see Powertools."""
        self._methods.setdefault(rule, []).extend([method] if isinstance(method, str) else method)
        return super().route(rule, method, *args, **kwargs)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return document_of(self)

    def _swagger(self) -> Response[str]:
        """Show the document in Swagger UI, or return it as JSON with `?format=json`."""
        document = add_server(self.document, visit_of(self).base)
        if self.current_event.query_string_parameters.get(_FORMAT) == "json":
            return Response(200, JSON, _json(document))
        page, policy = swagger_page(document)
        return Response(200, "text/html; charset=utf-8", page, {"Content-Security-Policy": policy})

    def _answer_error(self, error: Exception) -> Response[str]:
        visit = visit_of(self)
        if isinstance(error, NotFoundError):
            methods = self._methods_of(self.current_event.path)
            error = WrongMethod(methods) if methods else error
            visit.operation = None
        else:
            visit.operation = self.context["_route"].operation_id
        visit.error = error
        return answer_to(error, visit.request_id, is_write=self.current_event.http_method != "GET")

    def _methods_of(self, path: str) -> list[str]:
        for rule, methods in self._methods.items():
            if re.fullmatch(_VARIABLE.sub("[^/]+", rule), path):
                return methods
        return []

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = r"^{}\Z") -> re.Pattern[str]:
        """Match a path exactly. Powertools would accept slashes at its end, and so bypass IAM policies by path."""
        compiled: re.Pattern[str] = ApiGatewayResolver._compile_regex(rule, base_regex)  # noqa: SLF001 - overridden
        return compiled


def strict_body(text: str) -> dict[str, Any]:
    """Read a body as one JSON object without duplicate members.

    Raises:
        Malformed: the body is not such an object.
    """
    try:
        body = strict_json_object(text)
    except ValueError:
        raise Malformed("the body is not a well-formed JSON object, or names a member twice") from None
    if _has_more_values(body, MAX_VALUES):
        raise Malformed(f"the body holds more than {MAX_VALUES} values")
    return body


def _has_more_values(document: object, most: int) -> bool:
    """Tell whether a *document* holds more than *most* values, at all levels together."""
    waiting, count = [document], 0
    while waiting and count <= most:
        value = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += len(inner)
        waiting.extend(inner)
    return count > most


def _note_operation(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    visit_of(app).operation = app.context["_route"].operation_id
    answer: Response[Any] = next_middleware(app)
    return answer


def _check_query(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Reject a query parameter that is unknown or given twice: ignoring it would surprise the caller who sent it."""
    route = app.context["_route"]
    if route.rule.pattern == _NO_ROUTE:  # no path of ours, or no method that it has
        refused: Response[Any] = next_middleware(app)
        return refused
    known = {_FORMAT} if route.operation_id == _SWAGGER else {field.alias for field in route.dependant.query_params}
    flaws = [
        {"loc": ("query", name if name in known else UNKNOWN_PARAMETER), "type": rule}
        for name, values in app.current_event.resolved_query_string_parameters.items()
        for rule in _flaws_of(values, is_known=name in known)
    ]
    if flaws:
        raise RequestValidationError(flaws)
    answer: Response[Any] = next_middleware(app)
    return answer


def _flaws_of(values: list[str], *, is_known: bool) -> list[str]:
    if not is_known:
        return ["extra_forbidden"]
    return ["given_twice"] if len(values) > 1 else []


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
