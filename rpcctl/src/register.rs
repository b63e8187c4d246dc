//! `rpcctl register`.

use std::{process::ExitCode, time::SystemTime};

use rpc::registry::{AnnounceConfig, AnnounceState, Announcer, InstanceHandle};

use crate::{operate::place, options::Register as Options, probe::Prober};

/// So many failures in a row, and it is shown as disabled.
const FAILURES: u32 = 2;

pub(crate) async fn run(options: Options) -> ExitCode {
    let (place, prober) = match (
        place(&options.target),
        options.probe.clone().map(crate::probe::Probe::prober),
    ) {
        (Ok(place), None) => (place, None),
        (Ok(place), Some(Ok(prober))) => (place, Some(prober)),
        (Err(error), _) | (_, Some(Err(error))) => {
            eprintln!("rpcctl: {error}");
            return ExitCode::from(1);
        }
    };
    let mut instance = options.instance.clone();
    instance.started_at = Some(SystemTime::now());
    let handle = InstanceHandle::new(instance);
    let announcer = Announcer::new(place, &handle, AnnounceConfig::default());
    let mut state = announcer.state();
    let say = async {
        while state.changed().await.is_ok() {
            let state = state.borrow_and_update().clone();
            match state {
                AnnounceState::Announced => println!("announced {}", options.instance.id),
                AnnounceState::Away(fault) => eprintln!("rpcctl: the registry is away: {fault}"),
                _ => {}
            }
        }
        std::future::pending::<()>().await;
    };
    let stop = async {
        if let Err(error) = stopped().await {
            eprintln!("rpcctl: signals cannot be heard: {error}");
        }
        handle.withdraw();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = announcer.run() => match ended {
            Ok(()) => {
                println!("withdrew {}", options.instance.id);
                ExitCode::SUCCESS
            }
            Err(fault) => {
                eprintln!("rpcctl: {fault}");
                ExitCode::from(3)
            }
        },
        () = probe(prober, &handle, &options) => ExitCode::FAILURE,
        () = say => ExitCode::FAILURE,
        () = stop => ExitCode::FAILURE,
    }
}

/// Keeps saying whether the service is there. Never ends.
async fn probe(prober: Option<Prober>, handle: &InstanceHandle, options: &Options) {
    let Some(prober) = prober else {
        handle.set_healthy(true);
        return std::future::pending().await;
    };
    let mut failures = FAILURES;
    loop {
        if prober.answers().await {
            failures = 0;
            handle.set_healthy(true);
        } else {
            failures = failures.saturating_add(1);
            if failures == FAILURES {
                eprintln!("rpcctl: the service does not answer");
                handle.set_healthy(false);
            }
        }
        tokio::time::sleep(options.interval).await;
    }
}

/// Waits for SIGTERM or SIGINT.
#[cfg(unix)]
async fn stopped() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn stopped() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
