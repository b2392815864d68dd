"""`auth-jwt page`: the admin page of a stack in a browser of this machine, by the operator's own AWS credentials."""

import secrets
import signal
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, NoReturn
from urllib.parse import urlsplit

import typer

from auth_jwt_cli.connection import Connection
from auth_jwt_cli.options import reads_stack
from auth_jwt_cli.output import Misused

if TYPE_CHECKING:
    from collections.abc import Callable

    from auth_jwt.errors import Fault
    from auth_jwt_cli.page.admin_api import AdminApi, ApiAnswer
    from auth_jwt_cli.page.server import PageServer

_KEY_BYTES: Final = 32
_OUTPUT: Final = "AdminApiUrl"


@reads_stack
def page(
    connection: Connection,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            help="Its output AdminApiUrl, for those who may not look at the stack.",
            envvar="AUTH_JWT_ADMIN_URL",
            metavar="URL",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
) -> None:
    """Serve the admin page of a stack to a browser of this machine, and sign what it asks. Ctrl-C ends it.

    The page finds users, disables and enables them, revokes their tokens, mints test tokens and explains tokens, all
    with your permissions. Open the address that is printed: without its last part, the page can do nothing.

    Exit code 0: you ended it; 1: there is no such stack or no admin API, or you may not see its page; 4: AWS or the
    admin API cannot be asked.

    Example: auth-jwt page --stack auth-jwt --profile support
    """
    from auth_jwt_cli.page.server import HOST, PAGE

    output = connection.output
    key = secrets.token_urlsafe(_KEY_BYTES)
    with ExitStack() as ends:
        api = admin_api_of(connection, url)
        server = ends.enter_context(_server(port, key, api, connection.advise))
        _check_page(server.fetch(PAGE), api)
        address = f"http://{HOST}:{server.server_port}{PAGE}#start={key}"
        output.note(f"Target: {api.base}/admin. Ctrl-C ends it.")
        output.show({"url": address, "target": f"{api.base}/admin"}, address)
        before = signal.signal(signal.SIGTERM, _end)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            output.note("Ended.")
        finally:
            signal.signal(signal.SIGTERM, before)


def _server(port: int, key: str, api: "AdminApi", advise: "Callable[[Fault], None]") -> "PageServer":
    from auth_jwt_cli.page.server import PageServer

    try:
        return PageServer(port, key, api, advise)
    except OSError as error:
        raise Misused(f"port {port} of this machine cannot be used ({error.strerror}): name another, or 0") from None


def _end(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def admin_api_of(connection: Connection, url: str | None) -> "AdminApi":
    """Return the admin API to ask.

    Raises:
        Misused: the address is none, or the region is unknown.
        NotFound: there is no such stack, or it has no admin API.
        Fault: AWS cannot be asked.
    """
    from botocore.utils import get_environ_proxies

    from auth_jwt.errors import NotFound
    from auth_jwt_cli.doctor.deployed import USUAL_NAME, outputs_of
    from auth_jwt_cli.page.admin_api import AdminApi, base_of, pool_of, region_in
    from auth_jwt_cli.signing import signer_of

    if url is None:
        stack = connection.where.stack or USUAL_NAME
        url = outputs_of(connection.client_of("cloudformation"), stack).get(_OUTPUT)
        if url is None:
            raise NotFound(f"the stack {stack!r} has no admin API: deploy it with AdminApi=true")
    base = base_of(url)
    session = connection.aws
    region = region_in(base) or connection.where.region or session.region_name
    if region is None:
        raise Misused("the region of the admin API is not in its address: name it by --region")
    bundle = session._session.get_config_variable("ca_bundle")  # noqa: SLF001 - boto3 tells it nowhere else
    proxy = get_environ_proxies(base).get(urlsplit(base).scheme)  # as for all that boto3 asks
    return AdminApi(base, signer_of(session, "execute-api", region), pool_of(bundle, proxy))


def _check_page(answer: "ApiAnswer", api: "AdminApi") -> None:
    """Check that the admin API gave the page.

    Raises:
        NotFound: it has none.
        Rejected: it refuses to give it.
    """
    from auth_jwt.errors import Fault, NotFound, Rejected

    if answer.status == HTTPStatus.OK and answer.headers.get("content-type", "").startswith("text/html"):
        return
    if answer.status == HTTPStatus.NOT_FOUND:
        raise NotFound(f"{api.base}/admin has no page: it is no admin API, or of an older release; deploy this one")
    if answer.status == HTTPStatus.FORBIDDEN:
        raise Rejected(
            f"AWS does not let you see the page at {api.base}/admin/page: your role needs execute-api:Invoke on "
            "GET/admin/page* (docs/admin-page.md), or your login has ended, or the clock of this machine is wrong"
        )
    raise Fault(f"{api.base}/admin/page answers {answer.status}, and not with the page")
