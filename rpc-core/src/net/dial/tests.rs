//! Whose connection it becomes, and when: on a clock that stands still, over a network that is a table.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Dialed, Dialer, net::Net};
use crate::{
    Code, Status,
    net::Address,
    status::{Side, reason},
};

/// What a connect to an address does, and after how long.
#[derive(Clone, Copy)]
enum Does {
    Answers(u64),
    Fails(u64),
    Nothing,
}

#[derive(Default)]
struct Table {
    names: Vec<SocketAddr>,
    does: HashMap<SocketAddr, Does>,
    started: Mutex<Vec<(SocketAddr, Duration)>>,
    /// Connects that are under way.
    open: Arc<AtomicUsize>,
    zero: Option<Instant>,
}

impl Table {
    fn new(rows: &[(&str, Does)]) -> Self {
        let rows: Vec<_> = rows
            .iter()
            .map(|(address, does)| (address.parse().unwrap(), *does))
            .collect();
        Self {
            names: rows.iter().map(|(address, _)| *address).collect(),
            does: rows.into_iter().collect(),
            zero: Some(Instant::now()),
            ..Self::default()
        }
    }

    /// Which connects were begun, and at which millisecond.
    fn started(&self) -> Vec<(String, u128)> {
        let started = self.started.lock().unwrap();
        started
            .iter()
            .map(|(address, at)| (address.ip().to_string(), at.as_millis()))
            .collect()
    }
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Net for Table {
    async fn lookup(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "unknown" => Err(io::Error::other("no such name")),
            "stuck" => std::future::pending().await,
            _ => Ok(self.names.clone()),
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Dialed> {
        self.started
            .lock()
            .unwrap()
            .push((address, self.zero.unwrap().elapsed()));
        self.open.fetch_add(1, Ordering::SeqCst);
        let _open = Open(Arc::clone(&self.open));
        match self.does[&address] {
            Does::Answers(after) => {
                tokio::time::sleep(Duration::from_millis(after)).await;
                let (io, _) = tokio::io::duplex(16);
                let peer = Some(Address::Socket(address));
                Ok(Dialed {
                    io: Box::new(io),
                    local: None,
                    peer,
                    alpn: None,
                    secure: false,
                    fails_late: false,
                })
            }
            Does::Fails(after) => {
                tokio::time::sleep(Duration::from_millis(after)).await;
                Err(io::Error::from(io::ErrorKind::ConnectionRefused))
            }
            Does::Nothing => std::future::pending().await,
        }
    }
}

async fn dial(table: &Table, host: &str) -> Result<String, Status> {
    let address = Address::Host(host.into(), 80);
    let dialed = Dialer::new().dial_by(table, &address).await?;
    assert_eq!(table.open.load(Ordering::SeqCst), 0, "the losers are dropped");
    Ok(dialed.peer.unwrap().to_string())
}

#[tokio::test(start_paused = true)]
async fn families_take_turns_and_the_first_answer_wins() {
    let table = Table::new(&[
        ("[::1]:80", Does::Nothing),
        ("[::2]:80", Does::Nothing),
        ("[::1]:80", Does::Nothing),
        ("127.0.0.1:80", Does::Nothing),
        ("127.0.0.2:80", Does::Answers(10)),
    ]);
    assert_eq!(dial(&table, "shop").await.unwrap(), "127.0.0.2:80");
    let expected = [("::1", 0), ("127.0.0.1", 250), ("::2", 500), ("127.0.0.2", 750)];
    assert_eq!(table.started(), expected.map(|(ip, at)| (ip.to_owned(), at)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_address_wins_if_it_answers_first() {
    let table = Table::new(&[
        ("127.0.0.1:80", Does::Answers(300)),
        ("[::1]:80", Does::Answers(100)),
    ]);
    assert_eq!(dial(&table, "shop").await.unwrap(), "127.0.0.1:80");
}

#[tokio::test(start_paused = true)]
async fn a_failure_brings_the_next_at_once() {
    let table = Table::new(&[
        ("[::1]:80", Does::Fails(5)),
        ("127.0.0.1:80", Does::Fails(0)),
        ("127.0.0.2:80", Does::Answers(1)),
    ]);
    assert_eq!(dial(&table, "shop").await.unwrap(), "127.0.0.2:80");
    let at: Vec<_> = table.started().into_iter().map(|(_, at)| at).collect();
    assert_eq!(at.first(), Some(&0));
    assert!(at.iter().all(|at| *at < 10), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lone_address_is_not_hurried() {
    let table = Table::new(&[("127.0.0.1:80", Does::Answers(19_000))]);
    assert_eq!(dial(&table, "shop").await.unwrap(), "127.0.0.1:80");
}

#[tokio::test(start_paused = true)]
async fn a_failure_names_every_address() {
    let table = Table::new(&[
        ("[::1]:80", Does::Fails(1)),
        ("127.0.0.1:80", Does::Nothing),
        ("127.0.0.2:80", Does::Fails(1)),
    ]);
    let status = dial(&table, "shop").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.reason(), Some(reason::CONNECT_FAILED));
    assert!(!status.was_processed());
    assert_eq!(status.place().side(), Some(Side::Network));
    assert_eq!(status.place().peer().unwrap().to_string(), "shop:80");
    let text = status.message();
    for part in [
        "shop:80",
        "[::1]:80: ",
        "127.0.0.2:80: ",
        "127.0.0.1:80: no answer within 20s",
    ] {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
    assert_eq!(table.open.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_of_many_addresses_makes_a_short_text() {
    let rows: Vec<_> = (1..=200)
        .map(|n| (format!("127.0.0.{n}:80"), Does::Fails(0)))
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|(address, does)| (address.as_str(), *does))
        .collect();
    let status = dial(&Table::new(&rows), "shop").await.unwrap_err();
    assert!(status.message().contains("and 192 more"), "{status}");
    assert!(status.message().len() < 1024);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_found_is_a_failed_connect() {
    for (host, text) in [
        ("unknown", "no such name"),
        ("stuck", "20s"),
        ("empty", "no address"),
    ] {
        let status = dial(&Table::new(&[]), host).await.unwrap_err();
        assert_eq!(status.reason(), Some(reason::CONNECT_FAILED), "{host}");
        assert!(status.message().contains(text), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_is_dropped_drops_its_attempts() {
    let table = Table::new(&[("127.0.0.1:80", Does::Nothing), ("[::1]:80", Does::Nothing)]);
    let short = Duration::from_secs(1);
    assert!(tokio::time::timeout(short, dial(&table, "shop")).await.is_err());
    assert_eq!(table.started().len(), 2);
    assert_eq!(table.open.load(Ordering::SeqCst), 0);
}
