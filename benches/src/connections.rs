//! Many connections: what an idle one holds on the heap of either side, and what the idle ones cost a busy one.
//!
//! Client and server are two processes, since descriptors are limited per process, and so that each side's heap can be
//! told. The server is this program again, with `--serve SUBJECT`; it prints its address, and for each line that it reads
//! how many bytes are in use. It ends when its input does. CPU and allocations of these rows are the client's alone.

use std::{
    fmt::Display,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    str::FromStr,
    time::Duration,
};

use bytes::Bytes;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    allocations,
    cell::{Cell, Scenario},
    closed,
    options::Options,
    peer::Peer,
    record::Record,
    sample::{self, Sample, Samples},
    shape::{Runtimes, Shape},
    subjects::{Caller, Subject},
};

/// How many idle connections there are beside the busy one.
const IDLE: [usize; 3] = [1, 100, 10_000];
/// Descriptors that are not connections.
const OTHER_FILES: usize = 200;
/// What is busy is so with this many calls at once.
const BUSY: usize = 16;
/// How long connections may take to give back what they needed for their first call.
const SETTLE: Duration = Duration::from_millis(1500);

/// How a subject is measured across processes.
#[derive(Clone, Copy)]
pub(crate) struct Remote {
    serve: fn(),
    measure: fn(&mut Server, &Cell, &Options) -> Vec<Found>,
}

/// What was found with so many idle connections.
pub(crate) struct Found {
    idle: usize,
    busy: Samples,
    client_bytes: f64,
    server_bytes: f64,
}

pub(crate) const fn remote<S>() -> Remote
where
    S: Subject,
    S::Address: FromStr + Display,
{
    Remote {
        serve: serve::<S>,
        measure: measure::<S>,
    }
}

/// Measures all subjects, one after the other: ten thousand connections of each at once would measure the kernel.
pub(crate) fn run(build: &str, peers: &[Peer], options: &Options) -> Vec<Record> {
    let cell = Cell {
        shape: Shape::Apart,
        scenario: Scenario::Connections,
        payload: 0,
        concurrency: BUSY,
    };
    if !options.wants(&cell.name()) {
        return Vec::new();
    }
    let mut records = Vec::new();
    for peer in peers.iter().filter(|peer| (peer.takes)(&cell)) {
        let Some(remote) = peer.remote else { continue };
        eprintln!("{build}: {} {}", cell.name(), peer.name);
        let mut server = Server::start(peer.name);
        for found in (remote.measure)(&mut server, &cell, options) {
            records.push(Record {
                idle: Some(found.idle),
                heap_client_bytes: Some(found.client_bytes),
                heap_server_bytes: Some(found.server_bytes),
                ..Record::new(build, &cell, peer.name).with_calls(&found.busy)
            });
        }
    }
    records
}

/// The other process, if the arguments say that this is it.
pub(crate) fn serve_if_asked(arguments: &[String], peers: &[Peer]) -> bool {
    let [flag, name] = arguments else { return false };
    let remote = peers
        .iter()
        .find(|peer| peer.name == name)
        .and_then(|peer| peer.remote);
    match remote {
        Some(remote) if flag == "--serve" => {
            (remote.serve)();
            true
        }
        _ => false,
    }
}

fn serve<S>()
where
    S: Subject,
    S::Address: Display,
{
    raise_file_limit();
    let runtime = Runtimes::of_server();
    println!("{}", runtime.block_on(S::serve()));
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        println!("{}", allocations::live_bytes());
    }
}

fn measure<S>(server: &mut Server, cell: &Cell, options: &Options) -> Vec<Found>
where
    S: Subject,
    S::Address: FromStr + Display,
{
    let most = raise_file_limit().saturating_sub(OTHER_FILES);
    let address = || server.address.parse().ok().expect("what the server printed");
    let runtime = Runtimes::of_client();
    let connect = || {
        runtime.block_on(async {
            let subject = S::connect(address()).await;
            // Idle is what was used before, with its buffers and tables as a call leaves them.
            subject.caller().unary(Bytes::new()).await;
            subject
        })
    };
    let busy = connect();
    let window = || Sample {
        // The server's use is not ours: what others used cannot be told.
        others: 0.0,
        ..closed::measure(runtime.handle(), &busy.caller(), cell, options.window, 1)
    };
    // Whatever is made once, is made now.
    window();
    std::thread::sleep(SETTLE);
    let (client_before, server_before) = (allocations::live_bytes(), server.exchange.live_bytes());
    let mut idle = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    for wanted in IDLE {
        if wanted > most {
            eprintln!("  {wanted} connections are not tried: a process may have {most} files");
            continue;
        }
        // Room for all of them at once: how the list grows is no part of a connection.
        idle.reserve_exact(wanted - idle.len());
        idle.resize_with(wanted, connect);
        std::thread::sleep(SETTLE);
        let list = idle.capacity() * size_of::<S>();
        let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / wanted as f64;
        let client_bytes = each(allocations::live_bytes(), client_before + list as u64);
        let server_bytes = each(server.exchange.live_bytes(), server_before);
        let mut samples = Samples::default();
        for _ in 0..options.rounds {
            let usual = sample::usual_hop(found.iter().map(|found| &found.busy).chain([&samples]));
            samples.push(sample::undisturbed(cell.shape, usual, window));
        }
        found.push(Found {
            idle: wanted,
            busy: samples,
            client_bytes,
            server_bytes,
        });
    }
    // What is busy among many is compared with what is busy beside one.
    let usual = sample::usual_hop(found.iter().map(|found| &found.busy));
    for found in &mut found {
        found.busy.settle(usual);
    }
    found
}

/// The other process, seen from this one.
pub(crate) struct Server {
    exchange: Exchange<ChildStdin, BufReader<ChildStdout>>,
    address: String,
    child: Child,
}

impl Server {
    fn start(subject: &str) -> Self {
        let program = std::env::current_exe().expect("a program has a path");
        let mut child = Command::new(program)
            .args(["--serve", subject])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("what runs can be run again");
        let mut exchange = Exchange {
            to: child.stdin.take(),
            from: BufReader::new(child.stdout.take().expect("it is piped")),
        };
        Self {
            address: exchange.line(),
            exchange,
            child,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.exchange.to = None;
        // It ends by itself; there is nothing to do about one that does not.
        let _ = self.child.wait();
    }
}

struct Exchange<W, R> {
    to: Option<W>,
    from: R,
}

impl<W: Write, R: BufRead + Read> Exchange<W, R> {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the server prints");
        line.trim().to_owned()
    }

    fn live_bytes(&mut self) -> u64 {
        let to = self.to.as_mut().expect("it is open until the end");
        to.write_all(b"\n").expect("the server reads");
        to.flush().expect("the server reads");
        self.line().parse().expect("a number")
    }
}

/// Allows as many files as this user may have, and says how many that is.
fn raise_file_limit() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 0;
    };
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    usize::try_from(limit).unwrap_or(usize::MAX)
}
