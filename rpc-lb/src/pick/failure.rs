//! What a call fails with that reaches no endpoint, and which failures let it go to another.

use rpc_core::{
    Body, Call, Code, Status,
    status::{Side, reason},
};

use crate::{Snapshot, route::Step};

/// Nobody can take the call.
pub(super) fn no_endpoint(target: &str, snapshot: &Snapshot, emptied_by: Option<&Step>) -> Status {
    let counts = snapshot.counts;
    if let Some(step) = emptied_by {
        let why = step
            .reason
            .as_ref()
            .map_or(String::new(), |reason| format!(": {reason}"));
        let text = format!(
            "router `{}` left none of {} endpoints of `{target}`{why} ({counts})",
            step.router, step.before
        );
        return Status::unavailable(text)
            .with_reason(reason::NO_ENDPOINT_AFTER_ROUTER)
            .with_domain(reason::DOMAIN)
            .not_processed()
            .at_side(Side::Client);
    }
    // Routers left some, and they are ready.
    let are_sick = counts.sick > 0 && counts.ready > 0;
    let text = match (snapshot.freshness.fault(), &snapshot.last_error) {
        _ if are_sick => {
            format!("the endpoints of `{target}` that this call may go to are all sick ({counts})")
        }
        (Some(fault), _) if !snapshot.is_listed() => format!("`{target}` cannot be resolved: {fault}"),
        (_, Some(error)) => {
            format!(
                "no endpoint of `{target}` can be reached ({counts}); the last error: {}",
                error.message()
            )
        }
        _ => format!("`{target}` has no endpoint that takes calls ({counts})"),
    };
    let status = Status::unavailable(text)
        .with_reason(reason::NO_ENDPOINT)
        .with_domain(reason::DOMAIN)
        .not_processed();
    match (&snapshot.last_error, snapshot.freshness.fault()) {
        _ if are_sick => status.at_side(Side::Client),
        (Some(error), _) => status.at_side(Side::Network).with_source(error.clone()),
        (None, Some(fault)) => status.at_side(Side::Network).with_source(fault.clone()),
        (None, None) => status.at_side(Side::Client),
    }
}

/// The channel was closed by its user.
pub(super) fn closed(target: &str) -> Status {
    Status::unavailable(format!("the client of `{target}` was closed"))
        .with_reason(reason::CHANNEL_CLOSED)
        .with_domain(reason::DOMAIN)
        .not_processed()
        .with_retryable(false)
        .at_side(Side::Client)
}

/// True if an endpoint refused the call without having begun on it, and another may take it.
pub(super) fn may_go_elsewhere(status: &Status, call: &Call<'_>) -> bool {
    never_left(status, call)
        || (is_intact(status, call) && status.code() == Code::Unimplemented && is_unknown_there(status))
}

/// True if the call never got to a handler: no connection, or the peer is stopping.
pub(super) fn never_left(status: &Status, call: &Call<'_>) -> bool {
    is_intact(status, call) && status.code() == Code::Unavailable
}

fn is_intact(status: &Status, call: &Call<'_>) -> bool {
    let allowed = !status.was_processed() && !status.forbids_retry();
    // Overload says to stay away: the neighbours are likely no better off.
    let stay_away = status.is_overload() || status.pushback().is_some();
    allowed && !stay_away && !matches!(call.body, Body::Empty)
}

/// Rolling upgrades and stale records: another instance may know the service.
fn is_unknown_there(status: &Status) -> bool {
    let ours = status.domain() == Some(reason::DOMAIN);
    ours && matches!(
        status.reason(),
        Some(reason::SERVICE_UNKNOWN | reason::METHOD_UNKNOWN)
    )
}
