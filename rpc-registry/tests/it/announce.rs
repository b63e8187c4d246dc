//! Keeping an instance announced.

mod operator;
mod refused;
mod successor;
mod times;
mod withdrawal;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use rpc_registry::{
    Amendment, AnnounceConfig, AnnounceState, Announcer, Fault, Instance, InstanceHandle, InstanceId,
    InstanceState, MemoryRegistry, Place, Registration, Registry,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

const LEASE: Duration = Duration::from_secs(15);

/// A registry with leases, which a test can break.
#[derive(Clone, Default)]
struct Leases(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What was asked, and at which second.
    log: Vec<String>,
    start: Option<Instant>,
    record: Option<Instance>,
    renewed_at: Option<Instant>,
    epoch: u64,
    /// Everything fails with that.
    broken: Option<Fault>,
    /// Nothing is answered.
    hangs: bool,
    /// How long an answer takes.
    takes: Duration,
    /// How long it takes to read a record.
    reading_takes: Duration,
    /// How much longer it takes to write one. A first one is there by then.
    writing_takes: Duration,
    /// Nothing has to be renewed.
    unleased: bool,
    /// Records cannot be read.
    unreadable: Option<Fault>,
    /// How often they were.
    verified: usize,
}

impl Leases {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.0.lock().unwrap())
    }

    async fn asked(&self, what: String) -> Result<(), Fault> {
        let (takes, hangs, broken) = self.with(|state| {
            state.log.push(what);
            (state.takes, state.hangs, state.broken.clone())
        });
        if !takes.is_zero() {
            sleep(takes).await;
        }
        if hangs {
            std::future::pending::<()>().await;
        }
        broken.map_or(Ok(()), Err)
    }

    fn log(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.log))
    }

    fn record(&self) -> Option<Instance> {
        self.with(|state| state.record.clone())
    }

    fn forget(&self) {
        self.with(|state| {
            state.record = None;
            state.epoch += 1;
        });
    }
}

struct Lease {
    registry: Leases,
    epoch: u64,
    written: Instance,
}

impl Lease {
    fn check(&self) -> Result<(), Fault> {
        let known = self.registry.with(|state| {
            let lives = state.unleased || state.renewed_at.is_some_and(|at| at.elapsed() < LEASE);
            lives && state.epoch == self.epoch && state.record.is_some()
        });
        known.then_some(()).ok_or_else(|| Fault::lost("no such lease"))
    }
}

#[async_trait]
impl Registry for Leases {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        self.asked(format!("announce {name} {}", instance.state)).await?;
        let (epoch, takes) = self.with(|state| {
            state.start.get_or_insert_with(Instant::now);
            state.record = Some(instance.clone());
            state.renewed_at = Some(Instant::now());
            (state.epoch, state.writing_takes)
        });
        if !takes.is_zero() {
            sleep(takes).await;
        }
        Ok(Box::new(Lease {
            registry: self.clone(),
            epoch,
            written: instance.clone(),
        }))
    }

    async fn amend(&self, _: &str, _: &InstanceId, amendment: &Amendment) -> Result<(), Fault> {
        self.with(|state| amendment.apply_as_operator(state.record.as_mut().unwrap()));
        Ok(())
    }
}

#[async_trait]
impl Registration for Lease {
    fn lease(&self) -> Option<Duration> {
        self.registry.with(|state| (!state.unleased).then_some(LEASE))
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        self.registry.asked("renew".to_owned()).await?;
        self.check()?;
        self.registry
            .with(|state| state.renewed_at = Some(Instant::now()));
        Ok(())
    }

    async fn verify(&mut self) -> Result<Option<Instance>, Fault> {
        let (takes, unreadable) = self.registry.with(|state| {
            state.verified += 1;
            assert!(state.verified < 100_000, "it is read back without a pause");
            (state.reading_takes, state.unreadable.clone())
        });
        if !takes.is_zero() {
            sleep(takes).await;
        }
        unreadable.map_or(Ok(()), Err)?;
        self.check()?;
        Ok(self.registry.record().filter(|found| *found != self.written))
    }

    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault> {
        self.registry
            .asked(format!("amend {} {}", instance.state, instance.weight))
            .await?;
        let takes = self.registry.with(|state| state.writing_takes);
        if !takes.is_zero() {
            sleep(takes).await;
        }
        self.check()?;
        self.registry.with(|state| state.record = Some(instance.clone()));
        self.written = instance.clone();
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<(), Fault> {
        self.registry.asked("withdraw".to_owned()).await?;
        self.registry.forget();
        Ok(())
    }
}

struct Running {
    handle: InstanceHandle,
    task: JoinHandle<Result<(), Fault>>,
    state: tokio::sync::watch::Receiver<AnnounceState>,
}

fn run(registry: &Leases, instance: Instance, seed: u64) -> Running {
    let mut config = AnnounceConfig::default();
    config.seed = Some(seed);
    run_with(registry, instance, config)
}

fn run_with(registry: &Leases, instance: Instance, config: AnnounceConfig) -> Running {
    let handle = InstanceHandle::new(instance);
    let announcer = Announcer::new(Place::new(Arc::new(registry.clone()), "shop"), &handle, config);
    let state = announcer.state();
    let task = tokio::spawn(announcer.run());
    Running { handle, task, state }
}

impl Running {
    fn is_announced(&self) -> bool {
        matches!(*self.state.borrow(), AnnounceState::Announced)
    }
}

fn shop() -> Instance {
    Instance::new("shop-1")
}

async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_announced_only_once_it_is_healthy_and_shown_as_disabled_while_it_is_not() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    sleep(Duration::from_hours(1)).await;
    assert!(registry.log().is_empty());
    running.handle.set_healthy(true);
    settle().await;
    assert_eq!(registry.log(), ["announce shop up"]);
    running.handle.set_healthy(false);
    settle().await;
    running.handle.set_healthy(true);
    settle().await;
    assert_eq!(registry.log(), ["amend disabled 100", "amend up 100"]);
}

#[tokio::test(start_paused = true)]
async fn it_starts_disabled_and_is_enabled_and_amended_without_announcing_it_anew() {
    let registry = Leases::default();
    let running = run(&registry, shop().with_state(InstanceState::Disabled), 1);
    running.handle.set_healthy(true);
    settle().await;
    running.handle.enable();
    settle().await;
    running
        .handle
        .amend(&Amendment::new().with_weight(7).with_groups(["vip"]));
    settle().await;
    // What changes nothing is not written.
    running.handle.amend(&Amendment::new().with_weight(7));
    settle().await;
    assert_eq!(
        registry.log(),
        ["announce shop disabled", "amend up 100", "amend up 7"]
    );
    assert_eq!(&*registry.record().unwrap().groups[0], "vip");
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_each_third_of_it() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    sleep(Duration::from_mins(10)).await;
    let renewals = registry.log().iter().filter(|asked| *asked == "renew").count();
    assert!(
        (109..=133).contains(&renewals),
        "600 s / 5 s, give or take a tenth: {renewals}"
    );
    assert!(running.is_announced());
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_announced_again_within_a_third_of_it_however_often() {
    for seed in 0..20 {
        let registry = Leases::default();
        let running = run(&registry, shop(), seed);
        running.handle.set_healthy(true);
        settle().await;
        for _ in 0..20 {
            registry.forget();
            // The next renewal finds out, at most 5.5 s later; then it pauses for at most 5 s.
            sleep(Duration::from_millis(10_600)).await;
            assert!(registry.record().is_some(), "seed {seed}");
        }
        assert!(running.is_announced());
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_away_is_asked_for_ever() {
    let registry = Leases::default();
    registry.with(|state| state.broken = Some(Fault::transient("no route")));
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    sleep(Duration::from_hours(24)).await;
    assert!(
        matches!(&*running.state.borrow(), AnnounceState::Away(fault) if fault.to_string() == "no route")
    );
    let asked = registry.log().len();
    assert!(
        (2880..20_000).contains(&asked),
        "at least each 30 s, and not in a loop: {asked}"
    );
    registry.with(|state| state.broken = None);
    sleep(Duration::from_secs(30)).await;
    assert!(running.is_announced());
}

/// An instance whose registry has not answered for two leases.
async fn lost_in_silence(registry: &Leases) -> Running {
    let running = run(registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.hangs = true);
    sleep(2 * LEASE).await;
    running
}

#[tokio::test(start_paused = true)]
async fn renewals_that_fail_for_a_whole_lease_are_a_loss() {
    let registry = Leases::default();
    let running = lost_in_silence(&registry).await;
    let log = registry.log();
    assert!(
        log.iter().filter(|asked| *asked == "renew").count() >= 3,
        "{log:?}"
    );
    assert!(!running.is_announced());
    registry.with(|state| state.hangs = false);
    sleep(Duration::from_secs(40)).await;
    assert!(running.is_announced());
    assert!(registry.log().contains(&"announce shop up".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_keeps_the_lease() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.broken = Some(Fault::transient("restarting")));
    sleep(LEASE / 2).await;
    registry.with(|state| state.broken = None);
    sleep(LEASE).await;
    let announced = registry
        .log()
        .iter()
        .filter(|asked| asked.starts_with("announce"))
        .count();
    assert_eq!(announced, 1);
    assert!(running.is_announced());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_gone_or_altered_is_put_right() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.record = Some(shop().with_weight(1)));
    sleep(Duration::from_secs(34)).await;
    assert_eq!(registry.record(), Some(shop()));
}

#[tokio::test(start_paused = true)]
async fn several_registries_share_one_instance() {
    let (one, two) = (MemoryRegistry::new(), MemoryRegistry::new());
    let handle = InstanceHandle::new(shop());
    let mut tasks = tokio::task::JoinSet::new();
    for registry in [&one, &two] {
        let place = Place::new(Arc::new(registry.clone()), "shop");
        tasks.spawn(Announcer::new(place, &handle, AnnounceConfig::default()).run());
    }
    handle.set_healthy(true);
    settle().await;
    handle.amend(&Amendment::new().with_weight(3));
    settle().await;
    for registry in [&one, &two] {
        assert_eq!(registry.instances("shop"), [shop().with_weight(3)]);
    }
    handle.withdraw();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap().unwrap();
    }
    assert!(one.instances("shop").is_empty() && two.instances("shop").is_empty());
}
