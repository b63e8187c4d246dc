//! The command line of rpc.
//!
//! ```text
//! rpcctl health static://127.0.0.1:50051                 is the server serving?
//! rpcctl health unix:/run/shop.sock shop.v1.Inventory    and this service of it?
//! rpcctl health static://127.0.0.1:50051 --watch         each time it changes
//! rpcctl instances dns:///shop.internal:50051            who is there?
//! rpcctl register TARGET --address 10.0.0.1:50051 --health 127.0.0.1:50051
//! rpcctl amend TARGET shop-1 --lane green                only for requests of that lane
//! rpcctl drain TARGET shop-1                             take one out of the rotation
//! ```

mod health;
mod instances;
mod operate;
mod options;
mod probe;
mod register;
mod say;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match options::Command::parse(std::env::args().skip(1)) {
        Ok(options::Command::Help) => {
            say::say(options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(options::Command::Health(options)) => health::run(options).await,
        Ok(options::Command::Instances(options)) => instances::run(options).await,
        Ok(options::Command::Register(options)) => register::run(*options).await,
        Ok(options::Command::Operate(options)) => operate::run(options).await,
        Err(problem) => {
            say::complain(format_args!("{problem}\n\n{}", options::USAGE));
            ExitCode::from(1)
        }
    }
}
