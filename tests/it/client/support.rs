//! A service, and servers of it.

use std::time::Duration;

use rpc::{
    BoxError, ServerHandle,
    prelude::*,
    server::{HealthReporter, ServeError},
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Longer than anything here takes; only a test that hangs sees it.
pub(crate) const LONG: Duration = Duration::from_secs(30);

#[rpc::service(package = "client.test.v1", blocking)]
pub(crate) trait Echo {
    async fn name(&self) -> Result<String>;
    async fn protocol(&self) -> Result<String>;
    async fn wait(&self, ms: u64) -> Result<String>;
    #[rpc(timeout = "50ms")]
    async fn wait_bounded(&self, ms: u64) -> Result<String>;
    async fn fail(&self, text: String) -> Result<()>;
    async fn header(&self, request: Request<String>) -> Result<Option<String>>;
    async fn deadline_ms(&self) -> Result<Option<u64>>;
    async fn count(&self, last: u32) -> Result<Streaming<u32>>;
    async fn drip(&self, every_ms: u64) -> Result<Streaming<u32>>;
    async fn sum(&self, numbers: Streaming<u32>) -> Result<u32>;
    async fn mirror(&self, texts: Streaming<String>) -> Result<Streaming<String>>;
}

pub(crate) struct Named(pub(crate) String);

impl Echo for Named {
    async fn name(&self) -> Result<String> {
        Ok(self.0.clone())
    }

    async fn protocol(&self) -> Result<String> {
        let context = Context::current();
        let caller = context.caller().ok_or_else(|| Status::internal("nobody calls"))?;
        Ok(caller.protocol().to_owned())
    }

    async fn wait(&self, ms: u64) -> Result<String> {
        sleep(Duration::from_millis(ms)).await;
        Ok(self.0.clone())
    }

    async fn wait_bounded(&self, ms: u64) -> Result<String> {
        self.wait(ms).await
    }

    async fn fail(&self, text: String) -> Result<()> {
        Err(Status::failed_precondition(text)
            .with_reason("ASKED_FOR")
            .with_domain("client.test"))
    }

    async fn header(&self, request: Request<String>) -> Result<Option<String>> {
        Ok(request.metadata().get(request.message()).map(ToOwned::to_owned))
    }

    async fn deadline_ms(&self) -> Result<Option<u64>> {
        Ok(Context::current()
            .deadline()
            .map(|deadline| deadline.remaining().as_millis() as u64))
    }

    async fn count(&self, last: u32) -> Result<Streaming<u32>> {
        Ok(Streaming::from_iter(1..=last))
    }

    async fn drip(&self, every_ms: u64) -> Result<Streaming<u32>> {
        let (sender, stream) = Streaming::channel(1);
        rpc::spawn(async move {
            for n in 0.. {
                sleep(Duration::from_millis(every_ms)).await;
                if sender.send(n).await.is_err() {
                    return;
                }
            }
        });
        Ok(stream)
    }

    async fn sum(&self, mut numbers: Streaming<u32>) -> Result<u32> {
        let mut sum = 0;
        while let Some(number) = numbers.message().await? {
            sum += number;
        }
        Ok(sum)
    }

    async fn mirror(&self, texts: Streaming<String>) -> Result<Streaming<String>> {
        Ok(texts)
    }
}

/// A server of `Named` on a free port.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) handle: ServerHandle,
    pub(crate) health: HealthReporter,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) async fn start(name: &str) -> Self {
        Self::serve(Server::builder().add_service(EchoServer::new(Named(name.to_owned())))).await
    }

    pub(crate) async fn announced(name: &str, memory: &MemoryRegistry) -> Self {
        let server = Server::builder().add_service(EchoServer::new(Named(name.to_owned())));
        Self::serve(
            server
                .register(memory.clone(), "echo")
                .instance(Instance::new(name)),
        )
        .await
    }

    pub(crate) async fn serve(builder: rpc::ServerBuilder) -> Self {
        let bound = builder
            .without_signals()
            .build()
            .unwrap()
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        Self {
            address: bound.local_addresses()[0].to_string(),
            handle: bound.handle(),
            health: bound.health(),
            task: tokio::spawn(bound.serve()),
        }
    }

    pub(crate) async fn stop(self) -> Result<(), BoxError> {
        self.handle.shutdown();
        timeout(LONG, self.task).await???;
        Ok(())
    }

    pub(crate) fn target(&self) -> String {
        format!("static://{}", self.address)
    }
}

/// A client of a `Named` in this process.
pub(crate) fn local(name: &str) -> rpc::ClientBuilder {
    let server = Server::builder()
        .add_service(EchoServer::new(Named(name.to_owned())))
        .build()
        .unwrap();
    Client::builder().target("local:///echo").local(server.dispatch())
}
