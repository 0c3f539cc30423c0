//! What Spin's Rust template makes, with a path for each thing that its SDK offers.
use anyhow::Result;
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{FullBody, Request, Response, send};
use spin_sdk::sqlite::{Connection, Value};
use spin_sdk::{http_service, key_value::Store, variables};

type Answer = http::Response<FullBody<bytes::Bytes>>;

fn text(status: u16, body: impl Into<String>) -> Result<Answer> {
    bytes(status, body.into().into())
}

fn bytes(status: u16, body: bytes::Bytes) -> Result<Answer> {
    let builder = http::Response::builder().status(status);
    Ok(builder
        .header("content-type", "text/plain")
        .body(FullBody::new(body))?)
}

#[http_service]
async fn handle(request: Request) -> Result<Answer> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default().to_string();
    println!("{} {}", head.method, head.uri.path());
    match head.uri.path() {
        "/hello" => text(200, "Hello from Rust SDK 6"),
        "/headers" => {
            let mut lines: Vec<String> = vec![format!("{} {}", head.method, head.uri)];
            for (name, value) in &head.headers {
                lines.push(format!("{name}: {}", value.to_str()?));
            }
            text(200, lines.join("\n"))
        }
        "/echo" => bytes(200, body.bytes().await?),
        "/variables" => text(200, variables::get("greeting").await?),
        "/key-value" => {
            let store = Store::open_default().await?;
            store.set("k", body.bytes().await?).await?;
            let keys = store.get_keys().await.collect().await?;
            let value = store.get("k").await?.unwrap_or_default();
            text(200, format!("{keys:?} {}", String::from_utf8(value)?))
        }
        "/sqlite" => {
            let db = Connection::open_default().await?;
            let create = "CREATE TABLE IF NOT EXISTS t (id INTEGER, name TEXT)";
            db.execute(create, []).await?.result().await?;
            let values = [Value::Integer(1730000000000000001), Value::Text("é".into())];
            db.execute("INSERT INTO t VALUES (?, ?)", values)
                .await?
                .result()
                .await?;
            let (rowid, changes) = (db.last_insert_rowid().await, db.changes().await);
            let read = db.execute("SELECT id, name FROM t", []).await?;
            let columns = read.columns().to_vec();
            let rows: Vec<_> = read
                .collect()
                .await?
                .into_iter()
                .map(|row| row.values)
                .collect();
            text(200, format!("{rowid} {changes} {columns:?} {rows:?}"))
        }
        "/outbound" => {
            let request = http::Request::post(query).header("x-from", "guest");
            let answer: Response =
                send(request.body(FullBody::new(bytes::Bytes::from("guest body")))?).await?;
            let status = answer.status().as_u16();
            bytes(status, answer.into_body().bytes().await?)
        }
        "/panic" => panic!("kaboom"),
        "/error" => anyhow::bail!("an error from the handler"),
        path => text(404, format!("no such path {path}")),
    }
}
