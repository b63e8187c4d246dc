//! What goes around calls: a hook, and a tower layer.
//!
//! A hook is two plain functions, before and after. It costs a call no allocation, and cannot wait. A tower layer can do
//! whatever it likes with a call, and costs a box.
//!
//! ```console
//! $ cargo run --example custom_layer
//! ```

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use rpc::{
    BoxError, BoxFuture, Call, OwnedCall, Reply,
    prelude::*,
    stage::{Hook, Outcome},
};
use tower::{Layer, Service};

/// Greets.
#[rpc::service(package = "demo.v1")]
pub trait Greeter {
    /// A greeting for that name.
    async fn greet(&self, request: Request<String>) -> Result<String>;
}

struct English;

impl Greeter for English {
    async fn greet(&self, request: Request<String>) -> Result<String> {
        let tenant = request.metadata().get("x-tenant").unwrap_or("nobody").to_owned();
        Ok(format!("hello {} of {tenant}", request.into_inner()))
    }
}

/// A hook of a client: says on whose behalf each call is made.
struct Tenant(&'static str);

impl Hook for Tenant {
    fn before(&self, call: &mut Call<'_>) -> Result<()> {
        call.metadata
            .insert("x-tenant", self.0)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

/// What a server has seen.
#[derive(Default)]
struct Count {
    good: AtomicU64,
    bad: AtomicU64,
}

/// A hook of a server: counts what succeeds and what does not, calls that were given up included.
struct Counting(Arc<Count>);

impl Hook for Counting {
    fn after(&self, _: &mut Call<'_>, outcome: Outcome<'_>) {
        let counter = match outcome {
            Outcome::Replied(_) => &self.0.good,
            _ => &self.0.bad,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A tower layer of a server: lets nobody in before the doors open, and makes who is early wait.
#[derive(Clone)]
struct Doors(tokio::sync::watch::Receiver<bool>);

impl<S> Layer<S> for Doors {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            open: self.0.clone(),
        }
    }
}

#[derive(Clone)]
struct Guarded<S> {
    inner: S,
    open: tokio::sync::watch::Receiver<bool>,
}

impl<S> Service<OwnedCall> for Guarded<S>
where
    S: Service<OwnedCall, Response = Reply>,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Reply, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, call: OwnedCall) -> Self::Future {
        let mut open = self.open.clone();
        let answer: BoxFuture<'static, Result<Reply, S::Error>> = Box::pin(self.inner.call(call));
        Box::pin(async move {
            // The call's deadline bounds the wait: a layer needs no timer of its own.
            open.wait_for(|open| *open).await?;
            answer.await.map_err(Into::into)
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (doors, open) = tokio::sync::watch::channel(false);
    let count = Arc::new(Count::default());
    let server = Server::builder()
        .add_service(GreeterServer::new(English))
        .hook(Counting(Arc::clone(&count)))
        .layer(Doors(open))
        .build()?
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_addresses()[0].clone();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let client = Client::builder()
        .target(format!("static://{address}"))
        .hook(Tenant("acme"))
        .build()?;
    let greeter = GreeterClient::new(&client);

    let hasty = Request::new("Ann".to_owned()).with_timeout(Duration::from_millis(50));
    let status = greeter.greet(hasty).await.expect_err("the doors are closed");
    println!("while the doors are closed: {status}");

    let early = greeter.greet(Request::new("Bob".to_owned()));
    let (greeting, _) = tokio::join!(early, async { doors.send(true) });
    println!("once they open: {}", greeting?);

    client.close().await;
    handle.shutdown();
    serving.await??;
    let (good, bad) = (
        count.good.load(Ordering::Relaxed),
        count.bad.load(Ordering::Relaxed),
    );
    // Whether the hasty one counts as bad depends on who saw first that its time was up.
    println!("the server counted {good} good and {bad} bad");
    if good + bad != 2 {
        return Err("a call was not counted, or counted twice".into());
    }
    Ok(())
}
