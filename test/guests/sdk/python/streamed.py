"""What Spin's Python template makes, with a path for each thing that its SDK offers."""

from spin_sdk import http, key_value, sqlite, util, variables
from spin_sdk.http import Handler, Request, Response
from spin_sdk.sqlite import Value_Integer, Value_Text


def text(status: int, body: str) -> Response:
    return Response(status, {"content-type": "text/plain"}, bytes(body, "utf-8"))


async def rows(db, statement: str, parameters: list) -> list:
    columns, stream, outcome = await db.execute(statement, parameters)
    read = await util.collect((stream, outcome))
    return [[value.value for value in row.values] for row in read]


class HttpHandler(Handler):
    async def handle_request(self, request: Request) -> Response:
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
                return text(200, await variables.get("greeting"))
            case "/key-value":
                with await key_value.open_default() as store:
                    await store.set("k", request.body)
                    return Response(200, {}, await store.get("k"))
            case "/sqlite":
                with await sqlite.Connection.open_default() as db:
                    await rows(db, "CREATE TABLE IF NOT EXISTS t (id INTEGER, name TEXT)", [])
                    await rows(db, "INSERT INTO t VALUES (?, ?)", [Value_Integer(1730000000000000001), Value_Text("é")])
                    return text(200, repr(await rows(db, "SELECT id, name FROM t", [])))
            case "/outbound":
                answer = await http.send(Request("POST", query, {"x-from": "guest"}, b"guest body"))
                return Response(answer.status, {}, answer.body)
            case "/raise":
                raise ValueError("raised on purpose")
        return text(404, f"no such path {path}")
