//! Deployed together: this process first, then this host.

use rpc::{LocalServers, net::Address, prelude::*};

use super::support::{Running, server, tally, until, until_ready};

#[tokio::test]
async fn a_server_of_this_process_is_called_directly_and_the_others_take_over_when_it_stops() {
    let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
    let far = Running::start(server("far").register(memory.clone(), "who")).await;
    let near = Running::start(
        server("near")
            .register(memory.clone(), "who")
            .local_servers(&local),
    )
    .await;
    until(|| memory.instances("who").len() == 2).await;
    let client = || {
        Client::builder()
            .registry(memory.clone())
            .target("memory:///who")
            .balancer(rpc::lb::RoundRobin::new())
    };
    let client_there = client().local_servers(&local).build().unwrap();
    until_ready(&client_there, 1).await;
    assert_eq!(tally(&client_there, 10).await, [("near".to_owned(), 10)].into());
    let snapshot = client_there.endpoints().snapshot();
    assert!(matches!(snapshot.ready()[0].address(), Address::Local(_)));
    drop(snapshot);

    let elsewhere = client().build().unwrap();
    until_ready(&elsewhere, 2).await;
    assert_eq!(tally(&elsewhere, 10).await.len(), 2);

    // No call fails while it stops.
    let stopping = tokio::spawn(near.stop());
    while tally(&client_there, 10).await.contains_key("near") {}
    assert_eq!(tally(&client_there, 10).await, [("far".to_owned(), 10)].into());
    stopping.await.unwrap();
    far.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_of_this_host_is_called_through_its_socket() {
    let memory = MemoryRegistry::new();
    let path = std::env::temp_dir().join(format!("rpc-{}-{:x}.sock", std::process::id(), fastrand::u64(..)));
    let addresses = vec!["127.0.0.1:0".to_owned(), format!("unix:{}", path.display())];
    let near = Running::at(server("near").register(memory.clone(), "who"), addresses).await;
    let far = Running::start(server("far").register(memory.clone(), "who")).await;
    until(|| memory.instances("who").len() == 2).await;
    let client = |prefer| {
        let client = Client::builder()
            .registry(memory.clone())
            .target("memory:///who")
            .balancer(rpc::lb::RoundRobin::new());
        client.prefer_same_host(prefer).build().unwrap()
    };
    let neighbour = client(true);
    until_ready(&neighbour, 1).await;
    assert_eq!(tally(&neighbour, 10).await, [("near".to_owned(), 10)].into());
    assert!(matches!(
        neighbour.endpoints().snapshot().ready()[0].address(),
        Address::Unix(_)
    ));
    // Whoever does not care calls both, over the network.
    let other = client(false);
    until_ready(&other, 2).await;
    let snapshot = other.endpoints().snapshot();
    assert!(
        snapshot
            .ready()
            .iter()
            .all(|endpoint| matches!(endpoint.address(), Address::Socket(_)))
    );
    drop(snapshot);
    near.stop().await;
    until_ready(&neighbour, 1).await;
    assert_eq!(tally(&neighbour, 10).await, [("far".to_owned(), 10)].into());
    far.stop().await;
}
