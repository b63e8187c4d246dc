//! The course of a watch.

use std::sync::Arc;

use rpc_core::{
    Call, Channel, Code, Context, Reply, Request, Stage, Status, client,
    health::{CheckRequest, WATCH, WireStatus},
    transport::{Link, LinkState},
};
use tokio::sync::watch;

use super::{Health, HealthWatchConfig, config::Pauses};

/// Watches until the link is closed.
pub(super) async fn run(
    link: Arc<dyn Link>,
    service: String,
    config: HealthWatchConfig,
    tell: watch::Sender<Health>,
) {
    let mut states = link.state();
    let channel = Channel::new(OverLink(link));
    let mut pauses = Pauses::new(&config);
    let tell = |health: Health| {
        tell.send_if_modified(|known| std::mem::replace(known, health) != health);
    };
    loop {
        if !becomes(&mut states, true).await {
            break;
        }
        // The stream tells of an end by itself where the connection breaks; a link that was told to close keeps streams.
        let end = tokio::select! {
            end = stream(&channel, &service, &mut pauses, tell) => end,
            open = becomes(&mut states, false) => {
                tell(Health::Unknown);
                if !open {
                    break;
                }
                continue;
            }
        };
        if end.code() == Code::Unimplemented {
            tracing::debug!(%service, "the endpoint has no health service: it is taken to serve");
            tell(Health::Serving);
            if !becomes(&mut states, false).await {
                break;
            }
            tell(Health::Unknown);
            continue;
        }
        tell(Health::Unknown);
        let pause = pauses.next();
        tracing::debug!(%service, %end, ?pause, "the watch of an endpoint's health ended");
        tokio::time::sleep(pause).await;
    }
    tell(Health::Unknown);
}

/// Waits until the link is connected, or is not; false once it is closed for good.
async fn becomes(states: &mut watch::Receiver<LinkState>, ready: bool) -> bool {
    let settled = |state: &LinkState| state.is_ready() == ready || matches!(state, LinkState::Closed);
    match states.wait_for(settled).await {
        Ok(state) => !matches!(*state, LinkState::Closed),
        Err(_) => false,
    }
}

/// One stream, from its opening to its end.
async fn stream(channel: &Channel, service: &str, pauses: &mut Pauses, tell: impl Fn(Health)) -> Status {
    let request = CheckRequest {
        service: service.to_owned(),
    };
    // Of nobody's call: no deadline, no lane, no trace.
    let request = Request::new(request).with_context(Context::new());
    let mut answers = match client::server_streaming(channel, &WATCH, request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return status,
    };
    loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                pauses.reset();
                tell(match answer.status() {
                    WireStatus::Serving => Health::Serving,
                    _ => Health::NotServing,
                });
            }
            Ok(None) => return Status::unavailable("the server ended the watch"),
            Err(status) => return status,
        }
    }
}

/// A link as what a channel ends in.
struct OverLink(Arc<dyn Link>);

impl Stage for OverLink {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        match self.0.in_process() {
            Some(local) => local.call(call).await,
            None => self.0.call(call).await,
        }
    }
}
