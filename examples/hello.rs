//! The smallest service there is: `cargo run --example hello`.

use rpc::prelude::*;

#[rpc::service(package = "hello.v1")]
trait Greeter {
    async fn hello(&self, name: String) -> Result<String>;
}

struct Polite;

impl Greeter for Polite {
    async fn hello(&self, name: String) -> Result<String> {
        Ok(format!("Hello, {name}!"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .add_service(GreeterServer::new(Polite))
        .build()?
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_addresses()[0].clone();
    tokio::spawn(server.serve());

    let client = Client::builder().target(format!("static://{address}")).build()?;
    println!("{}", GreeterClient::new(&client).hello("world".to_owned()).await?);
    Ok(())
}
