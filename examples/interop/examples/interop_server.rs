//! The test service on a port, until SIGTERM.
//!
//! ```text
//! cargo run --example interop_server -- --listen 127.0.0.1:10000
//! ```

use interop::{flags::Flags, service::Implementation, testing::TestServiceServer};
use rpc::{Server, grpc::Compression, net::tls::ServerTls};

const USAGE: &str =
    "interop_server --listen HOST:PORT [--max-message BYTES] [--tls-cert FILE --tls-key FILE]";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let known = ["--listen", "--max-message", "--tls-cert", "--tls-key"];
    let flags = Flags::parse(&known, &[]).map_err(|problem| format!("{problem}\n{USAGE}"))?;
    let service = Implementation::new();
    let mut server = Server::builder()
        .report_load(service.load().clone())
        .add_service(TestServiceServer::new(service))
        .compression(Compression::Gzip);
    if let Some(bytes) = flags.get("--max-message") {
        server = server.max_message_bytes(bytes.parse()?);
    }
    match (flags.get("--tls-cert"), flags.get("--tls-key")) {
        (Some(cert), Some(key)) => {
            let tls = ServerTls::builder().certificate_file(cert).key_file(key);
            server = server.tls(tls.build()?);
        }
        (None, None) => {}
        _ => return Err(format!("`--tls-cert` and `--tls-key` go together\n{USAGE}").into()),
    }
    let bound = server
        .build()?
        .bind(flags.get("--listen").unwrap_or("127.0.0.1:10000"))
        .await?;
    for address in bound.local_addresses() {
        println!("listening on {address}");
    }
    bound.serve().await?;
    Ok(())
}
