//! A gRPC service as in the SDK's example: tonic's server is given Spin's requests.
use spin_sdk::http::{IntoResponse, Request, grpc};
use spin_sdk::http_service;
use std::pin::Pin;
use tokio_stream::{Stream, StreamExt};
use tonic::{Response, Result, Status, Streaming};

mod proto {
    tonic::include_proto!("spindle.test");
}
use proto::greeter_server::{Greeter, GreeterServer};
use proto::{Greeting, Name};

type Greetings = Pin<Box<dyn Stream<Item = Result<Greeting>> + Send>>;

fn greet(name: Name) -> Result<Greeting> {
    match name.name.as_str() {
        "" => Err(Status::invalid_argument("a name is missing")),
        name => Ok(Greeting {
            text: format!("Hello, {name}!"),
        }),
    }
}

struct Service;

#[tonic::async_trait]
impl Greeter for Service {
    async fn greet(&self, request: tonic::Request<Name>) -> Result<Response<Greeting>> {
        let tag = request.metadata().get("tag").cloned();
        let mut response = Response::new(greet(request.into_inner())?);
        if let Some(tag) = tag {
            response.metadata_mut().insert("tag", tag);
        }
        Ok(response)
    }

    type GreetOftenStream = Greetings;

    async fn greet_often(&self, request: tonic::Request<Name>) -> Result<Response<Greetings>> {
        let name = request.into_inner();
        let stream = async_stream::stream! {
            for _ in 0..3 {
                yield greet(name.clone());
            }
            yield Err(Status::out_of_range("three are enough"));
        };
        Ok(Response::new(Box::pin(stream)))
    }

    async fn greet_all(
        &self,
        request: tonic::Request<Streaming<Name>>,
    ) -> Result<Response<Greeting>> {
        let mut names = request.into_inner();
        let mut all = Vec::new();
        while let Some(name) = names.next().await {
            all.push(name?.name);
        }
        greet(Name {
            name: all.join(", "),
        })
        .map(Response::new)
    }

    type GreetEachStream = Greetings;

    async fn greet_each(
        &self,
        request: tonic::Request<Streaming<Name>>,
    ) -> Result<Response<Greetings>> {
        let mut names = request.into_inner();
        let stream = async_stream::stream! {
            while let Some(name) = names.next().await {
                yield name.and_then(greet);
            }
        };
        Ok(Response::new(Box::pin(stream)))
    }
}

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    grpc::serve(GreeterServer::new(Service), request).await
}
