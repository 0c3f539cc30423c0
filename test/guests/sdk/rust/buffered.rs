//! What Spin's `http-rust` template made for SDK 2 to 5, with a path for each thing that it offers.
use spin_sdk::http::{IntoResponse, Method, Request, Response};
use spin_sdk::sqlite::{Connection, Value};
use spin_sdk::{http_component, key_value::Store, variables};

fn bytes(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain")
        .body(body.into())
        .build()
}

#[http_component]
async fn handle(request: Request) -> anyhow::Result<impl IntoResponse> {
    let path = request.path().to_string();
    let query = request.query().to_string();
    println!("{} {path}", request.method());
    Ok(match path.as_str() {
        "/hello" => bytes(200, "Hello from Rust SDK"),
        "/headers" => {
            let mut lines = vec![format!("{} {path}?{query}", request.method())];
            for (name, value) in request.headers() {
                lines.push(format!("{name}: {}", value.as_str().unwrap_or("?")));
            }
            bytes(200, lines.join("\n"))
        }
        "/echo" => bytes(200, request.into_body()),
        "/variables" => bytes(200, variables::get("greeting")?),
        "/key-value" => {
            let store = Store::open_default()?;
            store.set("k", request.body())?;
            let value = store.get("k")?.unwrap_or_default();
            bytes(
                200,
                format!("{:?} {}", store.get_keys()?, String::from_utf8(value)?),
            )
        }
        "/key-value/forbidden" => match Store::open("forbidden") {
            Ok(_) => bytes(200, "opened"),
            Err(error) => bytes(403, format!("{error:?}")),
        },
        "/sqlite" => {
            let db = Connection::open_default()?;
            db.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER, name TEXT)", &[])?;
            let values = [Value::Integer(1730000000000000001), Value::Text("é".into())];
            db.execute("INSERT INTO t VALUES (?, ?)", &values)?;
            let read = db.execute("SELECT id, name FROM t", &[])?;
            let rows: Vec<_> = read.rows.iter().map(|row| &row.values).collect();
            bytes(200, format!("{:?} {rows:?}", read.columns))
        }
        "/outbound" => {
            let outbound = Request::builder()
                .method(Method::Post)
                .uri(query)
                .header("x-from", "guest")
                .body("guest body")
                .build();
            let answer: Response = spin_sdk::http::send(outbound).await?;
            bytes(*answer.status(), answer.into_body())
        }
        "/environment" => bytes(200, format!("{:?}", std::env::var("FOO"))),
        "/files" => bytes(200, std::fs::read(query)?),
        "/write" => bytes(200, format!("{:?}", std::fs::write("/x.txt", "x").is_ok())),
        "/panic" => panic!("kaboom"),
        "/error" => anyhow::bail!("an error from the handler"),
        _ => bytes(404, format!("no such path {path}")),
    })
}
