//! The object-safe twin, and pointers.

use std::{fmt, sync::Arc};

use rpc::{Result, Streaming};

use crate::support::channel;

#[rpc_codegen::service(package = "test", dyn)]
pub(crate) trait Greeter: fmt::Debug {
    async fn greet(&self, name: String) -> Result<String>;
    async fn add(&self, a: u32, b: u32) -> Result<u32>;
    async fn count(&self, numbers: Streaming<u32>) -> Result<Streaming<u32>>;
    async fn polite(&self, name: String) -> Result<String> {
        Ok(format!("{}, please", self.greet(name).await?))
    }
}

#[derive(Debug)]
struct English;

impl Greeter for English {
    async fn greet(&self, name: String) -> Result<String> {
        Ok(format!("hello {name}"))
    }

    async fn add(&self, a: u32, b: u32) -> Result<u32> {
        Ok(a + b)
    }

    async fn count(&self, numbers: Streaming<u32>) -> Result<Streaming<u32>> {
        Ok(numbers)
    }
}

/// As a user's test would write one.
#[derive(Debug)]
struct Mock {
    answer: &'static str,
}

impl Greeter for Mock {
    async fn greet(&self, _: String) -> Result<String> {
        Ok(self.answer.to_owned())
    }

    async fn add(&self, _: u32, _: u32) -> Result<u32> {
        Ok(0)
    }

    async fn count(&self, _: Streaming<u32>) -> Result<Streaming<u32>> {
        Ok(Streaming::empty())
    }
}

struct Page {
    greeter: Arc<dyn GreeterDyn>,
}

impl Page {
    async fn render(&self) -> String {
        self.greeter.greet("Ada".into()).await.unwrap_or_default()
    }
}

async fn greeted(greeter: impl Greeter) -> String {
    greeter.greet("Ada".into()).await.expect("it answers")
}

#[tokio::test]
async fn an_object_holds_an_implementation_a_stub_or_a_mock() {
    let stub = GreeterClient::new(channel(GreeterServer::new(English)));
    assert_eq!(
        Page {
            greeter: Arc::new(English)
        }
        .render()
        .await,
        "hello Ada"
    );
    assert_eq!(
        Page {
            greeter: Arc::new(stub)
        }
        .render()
        .await,
        "hello Ada"
    );
    assert_eq!(
        Page {
            greeter: Arc::new(Mock { answer: "mocked" })
        }
        .render()
        .await,
        "mocked"
    );
}

#[tokio::test]
async fn an_object_is_an_implementation_in_turn() {
    let object: Arc<dyn GreeterDyn> = Arc::new(English);
    assert_eq!(greeted(Arc::clone(&object)).await, "hello Ada");
    let boxed: Box<dyn GreeterDyn> = Box::new(English);
    assert_eq!(greeted(boxed).await, "hello Ada");
    let stub = GreeterClient::new(channel(GreeterServer::from_arc(object)));
    assert_eq!(
        stub.polite("Ada".into()).await.expect("it answers"),
        "hello Ada, please"
    );
    assert_eq!(stub.add(1, 2).await.expect("it answers"), 3);
}

#[tokio::test]
async fn an_object_keeps_overridden_defaults() {
    #[derive(Debug)]
    struct Curt;

    impl Greeter for Curt {
        async fn greet(&self, _: String) -> Result<String> {
            Ok(String::new())
        }

        async fn add(&self, _: u32, _: u32) -> Result<u32> {
            Ok(0)
        }

        async fn count(&self, numbers: Streaming<u32>) -> Result<Streaming<u32>> {
            Ok(numbers)
        }

        async fn polite(&self, _: String) -> Result<String> {
            Ok("no".into())
        }
    }

    let object: Arc<dyn GreeterDyn> = Arc::new(Arc::new(Box::new(Curt)));
    assert_eq!(object.polite(String::new()).await.expect("it answers"), "no");
}

#[tokio::test]
async fn pointers_are_implementations_and_can_be_served() {
    let shared = Arc::new(English);
    assert_eq!(greeted(Arc::clone(&shared)).await, "hello Ada");
    assert_eq!(greeted(Box::new(English)).await, "hello Ada");
    let stub = GreeterClient::new(channel(GreeterServer::new(Arc::clone(&shared))));
    assert_eq!(greeted(stub).await, "hello Ada");
    let stub = GreeterClient::new(channel(GreeterServer::from_arc(shared)));
    assert_eq!(greeted(stub).await, "hello Ada");
}
