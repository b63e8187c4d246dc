//! `rpcctl register`.

use std::{process::ExitCode, time::SystemTime};

use rpc::{
    BuildError,
    registry::{AnnounceConfig, AnnounceState, Announcer, FaultKind, InstanceHandle, Place},
};

use crate::{
    operate::place,
    options::Register as Options,
    probe::Prober,
    say::{complain, say},
};

/// So many failures in a row, and it is said, and shown as disabled.
const FAILURES: u32 = 2;

pub(crate) async fn run(options: Options) -> ExitCode {
    let (place, prober) = match prepare(&options) {
        Ok(both) => both,
        Err(error) => {
            complain(error);
            return ExitCode::from(1);
        }
    };
    let mut instance = options.instance.clone();
    instance.started_at = Some(SystemTime::now());
    let handle = InstanceHandle::new(instance);
    let announcer = Announcer::new(place, &handle, AnnounceConfig::default());
    let mut state = announcer.state();
    let end = announcer.state();
    let tell = async {
        while state.changed().await.is_ok() {
            let state = state.borrow_and_update().clone();
            match state {
                AnnounceState::Announced => say(format_args!("announced {}", options.instance.id)),
                AnnounceState::Away(fault) => {
                    let advice = options.etcd.advice(&fault);
                    let what = match fault.kind() {
                        FaultKind::Superseded => "not announced",
                        _ => "the registry is away",
                    };
                    complain(format_args!("{what}: {fault}{advice}"));
                }
                _ => {}
            }
        }
        std::future::pending::<()>().await;
    };
    let stop = async {
        if let Err(error) = stopped().await {
            complain(format_args!("signals cannot be heard: {error}"));
        }
        handle.withdraw();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = announcer.run() => match ended {
            Ok(()) => {
                let id = &options.instance.id;
                if let AnnounceState::Left(fault) = &*end.borrow() {
                    let advice = options.etcd.advice(fault);
                    complain(format_args!("{id} could not be withdrawn, its record may be there still: {fault}{advice}"));
                    return ExitCode::from(2);
                }
                say(format_args!("withdrew {id}"));
                ExitCode::SUCCESS
            }
            Err(fault) => {
                complain(format_args!("{fault}{}", options.etcd.advice(&fault)));
                ExitCode::from(3)
            }
        },
        () = probe(prober, &handle, &options) => ExitCode::FAILURE,
        () = tell => ExitCode::FAILURE,
        () = stop => ExitCode::FAILURE,
    }
}

/// Where it is announced, and what asks whether it is there.
fn prepare(options: &Options) -> Result<(Place, Option<Prober>), BuildError> {
    let place = place(&options.target, &options.etcd)?;
    let tls = options.tls.read()?;
    let prober = options
        .probe
        .clone()
        .map(|probe| probe.prober(options.interval, tls));
    Ok((place, prober.transpose()?))
}

/// Keeps saying whether the service is there. Never ends.
async fn probe(prober: Option<Prober>, handle: &InstanceHandle, options: &Options) {
    let Some(prober) = prober else {
        handle.set_healthy(true);
        return std::future::pending().await;
    };
    let mut failures: u32 = 0;
    loop {
        match prober.ask().await {
            Ok(()) => {
                failures = 0;
                handle.set_healthy(true);
            }
            Err(problem) => {
                failures = failures.saturating_add(1);
                if failures == FAILURES {
                    let advice = options.tls.advice(&problem);
                    complain(format_args!(
                        "the service does not answer as it should: {problem}{advice}"
                    ));
                    handle.set_healthy(false);
                }
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
