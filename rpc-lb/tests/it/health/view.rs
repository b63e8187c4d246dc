//! What a client says of its endpoints.

use std::time::Duration;

use rpc_core::{Status, transport::LinkState};
use rpc_lb::{EndpointState, health::Sickness};
use rpc_registry::InstanceState;

use crate::fleet::{Fleet, address, instance};

#[tokio::test(start_paused = true)]
async fn all_are_there_with_what_is_known() {
    let (fleet, mut registrations) = Fleet::new().with(5).await;
    assert!(
        fleet.endpoints.view().is_empty(),
        "nothing is known before the start"
    );
    fleet.until_ready(5).await;
    fleet.break_down(1);
    fleet.transport.of(&address(0)).delay(Duration::from_millis(10));
    fleet.calls(30, Duration::ZERO).await;
    fleet.until(|snapshot| snapshot.counts().sick == 1).await;
    registrations[2]
        .amend(&instance(2).with_state(InstanceState::Draining))
        .await
        .unwrap();
    fleet
        .transport
        .of(&address(3))
        .set(LinkState::Failing(Status::unavailable("refused")));
    fleet.until(|snapshot| snapshot.counts().ready == 3).await;

    let mut view = fleet.endpoints.view();
    view.sort_by(|one, other| one.instance.id.cmp(&other.instance.id));
    let found: Vec<_> = view.iter().map(|view| view.state.to_string()).collect();
    assert_eq!(found, ["ready", "ready", "draining", "failing", "ready"]);
    assert!(matches!(&view[3].state, EndpointState::Failing(status) if status.message() == "refused"));
    let latency = view[0].latency.unwrap();
    assert!(
        latency > Duration::from_millis(9) && latency < Duration::from_millis(12),
        "{latency:?}"
    );
    let Some(Sickness::Ejected(ejection)) = view[1].sickness else {
        panic!("{:?}", view[1]);
    };
    assert_eq!(ejection.times, 1);
    assert_eq!(ejection.reason.to_string(), "5 failures one after the other");
    assert_eq!(
        fleet.endpoints.snapshot().counts().to_string(),
        "3 ready, 1 failing, 1 draining or disabled, 1 sick"
    );
}
