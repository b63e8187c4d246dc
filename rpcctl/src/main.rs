//! The command line of rpc.
//!
//! ```text
//! rpcctl health static://127.0.0.1:50051                 is the server serving?
//! rpcctl health unix:/run/shop.sock shop.v1.Inventory    and this service of it?
//! rpcctl health static://127.0.0.1:50051 --watch         each time it changes
//! ```

mod health;
mod options;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match options::Command::parse(std::env::args().skip(1)) {
        Ok(options::Command::Help) => {
            println!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(options::Command::Health(options)) => health::run(options).await,
        Err(problem) => {
            eprintln!("rpcctl: {problem}\n\n{}", options::USAGE);
            ExitCode::from(1)
        }
    }
}
