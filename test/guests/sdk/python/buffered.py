"""What Spin's Python template makes, with a path for each thing that its SDK offers."""

from spin_sdk import http, key_value, variables
from spin_sdk.http import IncomingHandler as Base, Request, Response


def text(status: int, body: str) -> Response:
    return Response(status, {"content-type": "text/plain"}, bytes(body, "utf-8"))


class IncomingHandler(Base):
    def handle_request(self, request: Request) -> Response:
        path, _, query = request.uri.partition("?")
        print(f"{request.method} {path}")
        match path:
            case "/hello":
                return text(200, "Hello from Python!")
            case "/headers":
                return text(200, "\n".join(f"{k}: {v}" for k, v in sorted(request.headers.items())))
            case "/echo":
                return Response(200, {"content-type": "application/octet-stream"}, request.body)
            case "/variables":
                return text(200, variables.get("greeting"))
            case "/key-value":
                with key_value.open_default() as store:
                    store.set("k", request.body)
                    return Response(200, {}, store.get("k"))
            case "/outbound":
                answer = http.send(Request("POST", query, {"x-from": "guest"}, b"guest body"))
                return Response(answer.status, {}, answer.body)
            case "/raise":
                raise ValueError("raised on purpose")
        return text(404, f"no such path {path}")
