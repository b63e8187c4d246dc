//! `rpcctl health`.

use std::process::ExitCode;

use rpc::{Client, Status, call::CallOptions, status::Side};

use crate::options::Health as Options;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated from public definitions"
)]
pub(crate) mod v1 {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}

use v1::{
    Health, HealthCheckRequest, HealthCheckResponse, HealthClient, health_check_response::ServingStatus,
};

/// How a run ends; the numbers are those of the usual gRPC probes.
enum Ending {
    Serving,
    Unreachable(Status),
    Failed(Status),
    NotServing,
}

pub(crate) async fn run(options: Options) -> ExitCode {
    let client = match Client::builder().target(options.target.clone()).build() {
        Ok(client) => client,
        Err(error) => {
            eprintln!("rpcctl: {error}");
            return ExitCode::from(1);
        }
    };
    let stub = HealthClient::new(&client);
    let ending = if options.watch {
        watch(&stub, options).await
    } else {
        check(&stub, options).await
    };
    match ending {
        Ending::Serving => ExitCode::SUCCESS,
        Ending::NotServing => ExitCode::from(4),
        Ending::Unreachable(status) => failed(&status, 2),
        Ending::Failed(status) => failed(&status, 3),
    }
}

fn failed(status: &Status, code: u8) -> ExitCode {
    eprintln!("rpcctl: {status}");
    ExitCode::from(code)
}

async fn check(stub: &HealthClient, options: Options) -> Ending {
    let stub = stub.with_options(CallOptions::new().with_timeout(options.timeout));
    match stub
        .check(HealthCheckRequest {
            service: options.service,
        })
        .await
    {
        Ok(response) => print(response),
        Err(status) => ended(status),
    }
}

async fn watch(stub: &HealthClient, options: Options) -> Ending {
    let first = tokio::time::timeout(
        options.timeout,
        stub.watch(HealthCheckRequest {
            service: options.service,
        }),
    );
    let mut responses = match first.await {
        Ok(Ok(responses)) => responses,
        Ok(Err(status)) => return ended(status),
        Err(_) => return Ending::Unreachable(Status::deadline_exceeded("no answer in time")),
    };
    let mut last = Ending::NotServing;
    loop {
        match responses.message().await {
            Ok(Some(response)) => last = print(response),
            Ok(None) => return last,
            Err(status) => return ended(status),
        }
    }
}

fn print(response: HealthCheckResponse) -> Ending {
    println!("{}", response.status().as_str_name());
    if response.status() == ServingStatus::Serving {
        Ending::Serving
    } else {
        Ending::NotServing
    }
}

fn ended(status: Status) -> Ending {
    match status.place().side() {
        Some(Side::Network) => Ending::Unreachable(status),
        _ => Ending::Failed(status),
    }
}
