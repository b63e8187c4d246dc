//! `rpcctl health`.

use std::{error::Error, process::ExitCode};

use rpc::{BuildError, Client, Status, call::CallOptions, registry::Fault, status::Side};

use crate::{
    options::Health as Options,
    say::{self, complain},
};

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
    let client = match client(&options) {
        Ok(client) => client,
        Err(error) => {
            complain(error);
            return ExitCode::from(1);
        }
    };
    let stub = HealthClient::new(&client);
    let ending = if options.watch {
        watch(&stub, &options).await
    } else {
        check(&stub, &options).await
    };
    match ending {
        Ending::Serving => ExitCode::SUCCESS,
        Ending::NotServing => ExitCode::from(4),
        Ending::Unreachable(status) => failed(&status, &options, 2),
        Ending::Failed(status) => failed(&status, &options, 3),
    }
}

fn client(options: &Options) -> Result<Client, BuildError> {
    let etcd = options.etcd.scheme(&options.target.parse()?)?;
    let client = Client::builder().target(options.target.clone()).registry(etcd);
    match options.tls.read()? {
        Some(tls) => client.tls(tls).build(),
        None => client.build(),
    }
}

fn failed(status: &Status, options: &Options, code: u8) -> ExitCode {
    let fault = status.source().and_then(<dyn Error>::downcast_ref::<Fault>);
    let advice = match fault {
        Some(fault) => options.etcd.advice(fault),
        None => options.tls.advice(status.message()),
    };
    complain(format_args!("{status}{advice}"));
    ExitCode::from(code)
}

async fn check(stub: &HealthClient, options: &Options) -> Ending {
    let stub = stub.with_options(CallOptions::new().with_timeout(options.timeout));
    match stub
        .check(HealthCheckRequest {
            service: options.service.clone(),
        })
        .await
    {
        Ok(response) => {
            // How it is shows in how this ends as well.
            let _ = say::print(response.status().as_str_name());
            ending(response)
        }
        Err(status) => ended(status),
    }
}

async fn watch(stub: &HealthClient, options: &Options) -> Ending {
    let first = tokio::time::timeout(
        options.timeout,
        stub.watch(HealthCheckRequest {
            service: options.service.clone(),
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
            Ok(Some(response)) => {
                last = ending(response);
                if say::print(response.status().as_str_name()).is_err() {
                    return last;
                }
            }
            Ok(None) => return last,
            Err(status) => return ended(status),
        }
    }
}

fn ending(response: HealthCheckResponse) -> Ending {
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
