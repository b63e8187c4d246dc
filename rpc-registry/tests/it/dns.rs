//! Instances from DNS, against a server of the test's own.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, SRV},
    },
};
use rpc_registry::{DnsScheme, DnsSrvScheme, Fault, Refresh, Schemes, Target, Update, Watch};
use tokio::{net::UdpSocket, task::JoinHandle, time::timeout};

type Zone = HashMap<(&'static str, RecordType), Result<Vec<(RData, u32)>, ResponseCode>>;

/// Answers from what a test writes down.
struct Server {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<Mutex<Vec<RecordType>>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (zone, asked) = (Arc::new(Mutex::new(Zone::new())), Arc::default());
        let task = tokio::spawn(serve(socket, Arc::clone(&zone), Arc::clone(&asked)));
        Self {
            address,
            zone,
            asked,
            task,
        }
    }

    fn set(&self, name: &'static str, of: RecordType, answer: Result<Vec<(RData, u32)>, ResponseCode>) {
        self.zone.lock().unwrap().insert((name, of), answer);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn watch(&self, scheme: &str, name: &str) -> Box<dyn Watch> {
        let target: Target = format!("{scheme}://{}/{name}", self.address).parse().unwrap();
        let schemes = Schemes::new().with(DnsScheme).with(DnsSrvScheme);
        schemes.resolver(&target).unwrap().watch()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Mutex<Zone>>, asked: Arc<Mutex<Vec<RecordType>>>) {
    let mut buffer = [0; 1024];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Ok(request) = Message::from_vec(&buffer[..length]) else {
            continue;
        };
        let query = request.queries[0].clone();
        let mut response = Message::response(request.metadata.id, OpCode::Query);
        response.add_query(query.clone());
        response.metadata.recursion_available = true;
        response.metadata.authoritative = true;
        asked.lock().unwrap().push(query.query_type());
        let name = query.name().to_utf8();
        let zone = zone.lock().unwrap().clone();
        let found = zone
            .iter()
            .find(|((known, of), _)| *known == name && *of == query.query_type());
        match found.map(|(_, answer)| answer) {
            None => {}
            Some(Err(code)) => response.metadata.response_code = *code,
            Some(Ok(records)) => {
                for (data, ttl) in records {
                    response.add_answer(Record::from_rdata(query.name().clone(), *ttl, data.clone()));
                }
            }
        }
        let _ = socket.send_to(&response.to_vec().unwrap(), from).await;
    }
}

fn v4(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(10, 0, 0, last)))
}

fn srv(priority: u16, weight: u16, port: u16, host: &str) -> RData {
    RData::SRV(SRV::new(priority, weight, port, Name::from_utf8(host).unwrap()))
}

async fn next(watch: &mut dyn Watch) -> Result<Vec<(String, u32)>, Fault> {
    let update = timeout(Duration::from_secs(30), watch.next())
        .await
        .expect("it is answered")?;
    Ok(match update {
        Update::Snapshot(records) => records
            .into_iter()
            .map(|record| {
                let instance = record.unwrap();
                (instance.address_for("grpc").unwrap().to_string(), instance.weight)
            })
            .collect(),
        Update::Absent => Vec::new(),
        other => panic!("{other:?}"),
    })
}

/// Lets the time of an answer of 20 s pass, with the clock held until it is asked for anew.
async fn until_asked_again(watch: &mut dyn Watch) {
    tokio::time::pause();
    assert!(timeout(Duration::from_secs(17), watch.next()).await.is_err());
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
}

fn addresses(found: &[(String, u32)]) -> Vec<&str> {
    found.iter().map(|(address, _)| address.as_str()).collect()
}

#[tokio::test]
async fn both_families_of_a_host_are_its_instances() {
    let server = Server::start().await;
    server.set("shop.test.", RecordType::A, Ok(vec![(v4(2), 60), (v4(1), 60)]));
    let v6 = RData::AAAA(AAAA(Ipv6Addr::LOCALHOST));
    server.set("shop.test.", RecordType::AAAA, Ok(vec![(v6, 60)]));
    let mut watch = server.watch("dns", "shop.test.:50051");
    let found = next(&mut *watch).await.unwrap();
    assert_eq!(
        addresses(&found),
        ["10.0.0.1:50051", "10.0.0.2:50051", "[::1]:50051"]
    );
}

#[tokio::test]
async fn the_best_targets_of_a_service_are_its_instances_with_their_weights() {
    let server = Server::start().await;
    let name = "_grpc._tcp.shop.test.";
    server.set(
        name,
        RecordType::SRV,
        Ok(vec![
            (srv(10, 5, 50051, "a.test."), 60),
            (srv(10, 0, 50052, "b.test."), 60),
            (srv(20, 100, 50053, "backup.test."), 60),
        ]),
    );
    let mut watch = server.watch("dns+srv", name);
    let found = next(&mut *watch).await.unwrap();
    assert_eq!(
        found,
        [("a.test:50051".to_owned(), 5), ("b.test:50052".to_owned(), 1)]
    );
    // Decidedly not there.
    server.set(name, RecordType::SRV, Ok(vec![(srv(0, 0, 0, "."), 60)]));
    let mut watch = server.watch("dns+srv", name);
    assert!(next(&mut *watch).await.unwrap().is_empty());
}

#[tokio::test]
async fn no_such_name_is_absence_and_a_server_that_fails_is_a_fault() {
    let server = Server::start().await;
    for of in [RecordType::A, RecordType::AAAA] {
        server.set("gone.test.", of, Err(ResponseCode::NXDomain));
        server.set("broken.test.", of, Err(ResponseCode::ServFail));
    }
    assert!(
        next(&mut *server.watch("dns", "gone.test.:1"))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        next(&mut *server.watch("dns", "nothing.test.:1"))
            .await
            .unwrap()
            .is_empty()
    );
    let fault = next(&mut *server.watch("dns", "broken.test.:1"))
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("`broken.test.`"), "{fault}");
}

#[tokio::test]
async fn one_family_that_fails_is_no_absence_of_the_other() {
    let server = Server::start().await;
    server.set("shop.test.", RecordType::A, Ok(vec![(v4(1), 60)]));
    server.set("shop.test.", RecordType::AAAA, Err(ResponseCode::ServFail));
    let found = next(&mut *server.watch("dns", "shop.test.:1")).await.unwrap();
    assert_eq!(addresses(&found), ["10.0.0.1:1"]);
}

#[tokio::test]
async fn a_server_that_fails_after_a_good_answer_is_a_fault() {
    let server = Server::start().await;
    server.set("shop.test.", RecordType::A, Ok(vec![(v4(1), 20)]));
    let mut watch = server.watch("dns", "shop.test.:1");
    next(&mut *watch).await.unwrap();
    until_asked_again(&mut *watch).await;
    // The other family has nothing, then fails as well.
    for of in [RecordType::A, RecordType::AAAA] {
        server.set("shop.test.", of, Err(ResponseCode::ServFail));
        let fault = next(&mut *watch).await.unwrap_err();
        assert!(fault.to_string().contains("`shop.test.`"), "{fault}");
    }
    // That it is back is told, with what it was.
    server.set("shop.test.", RecordType::A, Ok(vec![(v4(1), 20)]));
    let update = timeout(Duration::from_secs(30), watch.next()).await;
    let update = update.expect("it is told at once").unwrap();
    assert!(matches!(&update, Update::Delta { .. }), "{update:?}");
}

/// The clock is held while nobody waits for the socket, and jumps from one lookup to the next.
#[tokio::test]
async fn an_answer_is_good_for_its_time_and_a_failed_connect_asks_sooner() {
    let server = Server::start().await;
    server.set("shop.test.", RecordType::A, Ok(vec![(v4(1), 20)]));
    let mut watch = server.watch("dns", "shop.test.:1");
    let refresh = Refresh::new();
    watch.listen(refresh.clone());
    next(&mut *watch).await.unwrap();
    let asked = server.asked();
    server.set("shop.test.", RecordType::A, Ok(vec![(v4(2), 20)]));
    tokio::time::pause();
    // Not before its time: 20 s, less a tenth.
    assert!(timeout(Duration::from_secs(17), watch.next()).await.is_err());
    assert_eq!(server.asked(), asked);
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    let found = next(&mut *watch).await.unwrap();
    assert_eq!(addresses(&found), ["10.0.0.2:1"]);

    server.set("shop.test.", RecordType::A, Ok(vec![(v4(3), 20)]));
    let asked = server.asked();
    refresh.ask();
    tokio::time::pause();
    assert!(
        timeout(Duration::from_secs(4), watch.next()).await.is_err(),
        "not within 5 s"
    );
    assert_eq!(server.asked(), asked);
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let found = next(&mut *watch).await.unwrap();
    assert_eq!(addresses(&found), ["10.0.0.3:1"]);
}

#[tokio::test]
async fn that_a_server_is_back_is_told_although_its_answer_is_the_same() {
    let server = Server::start().await;
    let name = "_grpc._tcp.shop.test.";
    let answer = || Ok(vec![(srv(10, 5, 50051, "a.test."), 20)]);
    server.set(name, RecordType::SRV, answer());
    let mut watch = server.watch("dns+srv", name);
    next(&mut *watch).await.unwrap();
    server.set(name, RecordType::SRV, Err(ResponseCode::ServFail));
    until_asked_again(&mut *watch).await;
    assert!(next(&mut *watch).await.is_err());
    server.set(name, RecordType::SRV, answer());
    let update = timeout(Duration::from_secs(10), watch.next()).await;
    let update = update.expect("it is told at once").unwrap();
    let nothing = matches!(&update, Update::Delta { put, gone } if put.is_empty() && gone.is_empty());
    assert!(nothing, "{update:?}");
}

#[test]
fn mistakes_in_the_target_are_named() {
    let schemes = Schemes::new().with(DnsScheme).with(DnsSrvScheme);
    for (target, expected) in [
        ("dns:///shop", "no host and port"),
        ("dns:///", "no host and port"),
        ("dns://ns.test/shop:1", "`ns.test` is no IP address"),
        ("dns:///shop:1?group=a", "option `group` is not known"),
        ("dns+srv:///", "no name"),
        ("dns+srv:///shop:1", "no name"),
    ] {
        let target: Target = target.parse().unwrap();
        let error = schemes.resolver(&target).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
