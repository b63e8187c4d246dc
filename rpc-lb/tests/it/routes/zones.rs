//! How much stays in the zone of the caller.

use std::{collections::HashMap, sync::Arc};

use proptest::prelude::*;
use rpc_lb::{
    Balancer, EndpointsConfig, ZoneRouter,
    balance::{HashKey, LoadBound, Maglev, RingHash},
    route::{RouteConfig, zone::ZoneConfig},
};
use rpc_registry::Instance;

use super::fleet;
use crate::fleet::{FakeTransport, Fleet, address, call, call_with, instance, refusal};

/// So many instances in each zone, one after the other.
fn in_zones(zones: &[(&str, usize)]) -> Vec<Instance> {
    let names = zones
        .iter()
        .flat_map(|(zone, count)| std::iter::repeat_n(*zone, *count));
    names
        .enumerate()
        .map(|(n, zone)| instance(n).with_zone(zone))
        .collect()
}

/// The share of each zone, in so many calls.
async fn shares(fleet: &Fleet, instances: &[Instance], calls: usize) -> HashMap<String, f64> {
    let mut shares = HashMap::new();
    for (address, count) in fleet.tally(calls).await {
        let at = instances.iter().position(|instance| {
            instance
                .address_for("fake")
                .is_some_and(|own| own.to_string() == address)
        });
        let zone = instances[at.unwrap()].zone.as_deref().unwrap_or("?");
        *shares.entry(zone.to_owned()).or_default() += part(count, calls);
    }
    shares
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn part(count: usize, all: usize) -> f64 {
    count as f64 / all as f64
}

fn close_to(shares: &HashMap<String, f64>, zone: &str, expected: f64) {
    let share = shares.get(zone).copied().unwrap_or_default();
    assert!(
        (share - expected).abs() < 0.01,
        "zone {zone}: {share}, expected {expected}"
    );
}

#[tokio::test(start_paused = true)]
async fn all_stay_where_there_is_room() {
    fastrand::seed(1);
    let instances = in_zones(&[("a", 3), ("b", 3)]);
    let (fleet, _registrations) = fleet(ZoneRouter::new("a").unwrap(), instances.clone()).await;
    let shares = shares(&fleet, &instances, 1000).await;
    close_to(&shares, "a", 1.0);

    let subset = fleet.endpoints.snapshot().subset_for(&call());
    let step = subset.steps().last().unwrap();
    assert_eq!((&*step.router, step.before, step.after), ("zone", 6, 3));
    assert_eq!(
        step.reason.as_deref(),
        Some("zone `a` has room for all its calls")
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_goes_where_there_is_some() {
    fastrand::seed(2);
    // Endpoints: 20 %, 40 %, 40 %. Callers: 40 %, 40 %, 20 %. Half of the calls of `a` stay; `b` has no room, `c` has.
    let instances = in_zones(&[("a", 2), ("b", 4), ("c", 4)]);
    let config = ZoneConfig::new("a")
        .with_callers("a", 40)
        .with_callers("b", 40)
        .with_callers("c", 20);
    let router = ZoneRouter::with_config(config).unwrap();
    let (fleet, _registrations) = fleet(router, instances.clone()).await;
    let shares = shares(&fleet, &instances, 100_000).await;
    close_to(&shares, "a", 0.5);
    close_to(&shares, "b", 0.0);
    close_to(&shares, "c", 0.5);
}

#[tokio::test(start_paused = true)]
async fn unknown_callers_are_spread_evenly_and_weights_count() {
    fastrand::seed(3);
    // Weights: 100 of 900, 500 of 900, 300 of 900. A third of the callers is in each zone.
    let mut instances = in_zones(&[("a", 1), ("b", 5), ("c", 3)]);
    let (fleet, registrations) = fleet(ZoneRouter::new("a").unwrap(), instances.clone()).await;
    let third = 1.0 / 3.0;
    let stays = (1.0 / 9.0) / third;
    let found = shares(&fleet, &instances, 100_000).await;
    close_to(&found, "a", stays);
    // `c` has exactly what its own callers need.
    close_to(&found, "b", 1.0 - stays);

    // An instance three times as strong takes what three do.
    instances[0] = instances[0].clone().with_weight(300);
    drop(registrations);
    let (fleet, _registrations) = super::fleet(ZoneRouter::new("a").unwrap(), instances.clone()).await;
    let stays = (3.0 / 11.0) / third;
    close_to(&shares(&fleet, &instances, 100_000).await, "a", stays);
}

#[tokio::test(start_paused = true)]
async fn a_key_stays_at_one_endpoint_of_one_zone() {
    fastrand::seed(4);
    let bound = LoadBound::off();
    let balancers: [Arc<dyn Balancer>; 2] = [
        Arc::new(RingHash::new(HashKey::metadata("x-user")).with_bound(bound)),
        Arc::new(Maglev::new(HashKey::metadata("x-user")).with_bound(bound)),
    ];
    for balancer in balancers {
        // Half of the callers are in `a`, and a quarter of the endpoints.
        let mut config = EndpointsConfig::default();
        config.balancer = balancer;
        config.routers = vec![Arc::new(ZoneRouter::new("a").unwrap())];
        let fleet = Fleet::routed(FakeTransport::default(), config);
        let mut registrations = Vec::new();
        for instance in in_zones(&[("a", 3), ("b", 9)]) {
            registrations.push(fleet.announce(&instance).await);
        }
        fleet.until_ready(12).await;
        let mut at = HashMap::<_, usize>::new();
        for user in 0..2000 {
            let answers = async || {
                let mut call = call_with("x-user", &format!("user-{user}"));
                fleet.answers(&mut call).await.unwrap()
            };
            let first = answers().await;
            for _ in 0..3 {
                assert_eq!(answers().await, first);
            }
            *at.entry(first).or_default() += 1;
        }
        let of_a: Vec<_> = (0..3).map(|n| at[&address(n)]).collect();
        let share = part(of_a.iter().sum(), 2000);
        assert!((share - 0.5).abs() < 0.05, "{share}");
        // Keys of a part are spread over all of it.
        assert!(of_a.iter().all(|keys| (200..500).contains(keys)), "{of_a:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_endpoints_are_called_alike() {
    let instances = in_zones(&[("a", 1), ("b", 4)]);
    let (fleet, _registrations) = fleet(ZoneRouter::new("a").unwrap(), instances.clone()).await;
    let shares = shares(&fleet, &instances, 1000).await;
    close_to(&shares, "a", 0.2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_zone_without_endpoints_goes_elsewhere() {
    fastrand::seed(4);
    let instances = in_zones(&[("b", 4), ("c", 4)]);
    let (fleet, _registrations) = fleet(ZoneRouter::new("a").unwrap(), instances.clone()).await;
    let shares = shares(&fleet, &instances, 100_000).await;
    close_to(&shares, "b", 0.5);
    close_to(&shares, "c", 0.5);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_at_home_goes_to_another_zone() {
    let mut instances = in_zones(&[("a", 1), ("b", 5)]);
    instances[0] = instances[0].clone().with_weight(100_000);
    let (fleet, _registrations) = fleet(ZoneRouter::new("a").unwrap(), instances).await;
    fleet.transport.of(&address(0)).behave(|_| Err(refusal()));
    let elsewhere = fleet.answers(&mut call()).await.unwrap();
    assert_ne!(elsewhere, address(0));
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_goes_is_taken_over() {
    let instances = in_zones(&[("a", 3), ("b", 3), ("c", 3)]);
    let (fleet, mut registrations) = fleet(ZoneRouter::new("a").unwrap(), instances.clone()).await;
    close_to(&shares(&fleet, &instances, 300).await, "a", 1.0);
    for mut registration in registrations.drain(..3) {
        registration.withdraw().await.unwrap();
    }
    fleet.until_ready(6).await;
    fastrand::seed(5);
    let after = shares(&fleet, &instances, 100_000).await;
    close_to(&after, "b", 0.5);
    close_to(&after, "c", 0.5);
}

/// Zones whose endpoints say themselves whether they serve.
#[cfg(feature = "prost")]
mod sick {
    use std::sync::Arc;

    use rpc_lb::HealthConfig;
    use rpc_registry::Registration;

    use super::*;
    use crate::fleet::{FakeTransport, in_turn, settle};

    const SERVING: u8 = 1;
    const NOT_SERVING: u8 = 2;

    /// Four endpoints in `a`, where the calls come from, and four in `b`.
    struct Zones {
        fleet: Fleet,
        instances: Vec<Instance>,
        _registrations: Vec<Box<dyn Registration>>,
    }

    impl Zones {
        async fn new(zone: ZoneConfig, health: HealthConfig) -> Self {
            let mut config = in_turn();
            config.health = health.with_watch("test.Service");
            config.routers = vec![Arc::new(ZoneRouter::with_config(zone).unwrap())];
            let fleet = Fleet::routed(FakeTransport::default(), config);
            let instances = in_zones(&[("a", 4), ("b", 4)]);
            let mut registrations = Vec::new();
            for instance in &instances {
                registrations.push(fleet.announce(instance).await);
            }
            fleet.until_ready(8).await;
            let zones = Self {
                fleet,
                instances,
                _registrations: registrations,
            };
            zones.serve(4, 4).await;
            zones
        }

        /// So many of each zone serve from now on.
        async fn serve(&self, a: usize, b: usize) {
            for n in 0..8 {
                let serves = if n < 4 { n < a } else { n - 4 < b };
                let says = if serves { SERVING } else { NOT_SERVING };
                self.fleet.transport.of(&address(n)).say(says);
            }
            self.fleet
                .until(|snapshot| snapshot.counts().sick == 8 - a - b)
                .await;
            settle().await;
        }

        async fn share_of_a(&self) -> f64 {
            let shares = shares(&self.fleet, &self.instances, 20_000).await;
            shares.get("a").copied().unwrap_or_default()
        }
    }

    fn few_are_enough() -> ZoneConfig {
        ZoneConfig::new("a").with_min_endpoints(0)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_leave_a_zone_as_its_endpoints_do_and_return_with_them() {
        fastrand::seed(7);
        let zones = Zones::new(few_are_enough(), HealthConfig::off()).await;
        // Half of the callers are in `a`: what stays is the zone's share in the well endpoints, twice.
        for (a, b, stays) in [
            (4, 4, 1.0),
            (3, 4, 6.0 / 7.0),
            (1, 4, 0.4),
            (0, 4, 0.0),
            (4, 4, 1.0),
        ] {
            zones.serve(a, b).await;
            let share = zones.share_of_a().await;
            assert!((share - stays).abs() < 0.015, "{a} and {b} serve: {share}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn zones_do_not_count_while_less_than_half_is_well() {
        fastrand::seed(8);
        let zones = Zones::new(few_are_enough(), HealthConfig::off()).await;
        // Half is enough: what is left of `a` has room.
        zones.serve(2, 2).await;
        assert!((zones.share_of_a().await - 1.0).abs() < 1e-9);
        // With one less in `b` it would have all the more. Now all that are well get calls alike.
        for (a, b, share) in [(2, 1, 2.0 / 3.0), (1, 2, 1.0 / 3.0)] {
            zones.serve(a, b).await;
            let found = zones.share_of_a().await;
            assert!((found - share).abs() < 0.015, "{a} and {b} serve: {found}");
            let tally = zones.fleet.tally(300).await;
            assert_eq!(tally.len(), a + b, "the sick ones get none: {tally:?}");
            let subset = zones.fleet.endpoints.snapshot().subset_for(&call());
            assert!(
                subset.steps().iter().all(|step| step.before == step.after),
                "{:?}",
                subset.steps()
            );
        }
        zones.serve(4, 4).await;
        assert!((zones.share_of_a().await - 1.0).abs() < 1e-9);
    }

    /// The panic of zones and that of endpoints begin together by default.
    #[tokio::test(start_paused = true)]
    async fn in_a_panic_the_sick_ones_of_all_zones_get_calls() {
        fastrand::seed(9);
        let zones = Zones::new(few_are_enough(), HealthConfig::off().with_panic(0.5)).await;
        zones.serve(1, 2).await;
        let tally = zones.fleet.tally(800).await;
        assert_eq!(tally.len(), 8, "{tally:?}");
        assert!(tally.values().all(|count| *count == 100), "{tally:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn zones_do_not_count_while_few_are_well() {
        fastrand::seed(10);
        let zones = Zones::new(ZoneConfig::new("a"), HealthConfig::off()).await;
        // Six are enough by default, five are not.
        for (a, b, share) in [(2, 4, 2.0 / 3.0), (1, 4, 0.2)] {
            zones.serve(a, b).await;
            let found = zones.share_of_a().await;
            assert!((found - share).abs() < 0.015, "{a} and {b} serve: {found}");
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let error = |json: &str| {
        let config: RouteConfig = serde_json::from_str(json).unwrap();
        config.routers().unwrap_err().to_string()
    };
    assert_eq!(
        error(r#"{"zone": {"zone": ""}}"#),
        "`zone.zone`: is empty: it is the zone of the caller"
    );
    assert_eq!(
        error(r#"{"zone": {"zone": "a", "panic": 2}}"#),
        "`zone.panic`: write a number from 0 to 1"
    );
    assert_eq!(
        error(r#"{"zone": {"zone": "a", "callers": {"a": 0}}}"#),
        "`zone.callers`: all are 0: one must be more"
    );
    let unknown = serde_json::from_str::<RouteConfig>(r#"{"zone": {"zone": "a", "hosts": 3}}"#);
    assert!(unknown.unwrap_err().to_string().contains("unknown field `hosts`"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever the zones: no zone gets more of all callers' calls than its endpoints can take, if each caller divides its own.
    #[test]
    fn no_zone_gets_more_than_its_share(counts in prop::collection::vec((1usize..8, 0u32..8), 2..6)) {
        prop_assume!(counts.iter().any(|(_, callers)| *callers > 0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            fastrand::seed(6);
            let names: Vec<String> = (0..counts.len()).map(|n| format!("z{n}")).collect();
            let zones: Vec<_> = names.iter().map(String::as_str).zip(counts.iter().map(|(n, _)| *n)).collect();
            let instances = in_zones(&zones);
            let callers_in_all: u32 = counts.iter().map(|(_, callers)| callers).sum();
            let mut load = HashMap::<String, f64>::new();
            for (name, (_, callers)) in names.iter().zip(&counts).filter(|(_, (_, callers))| *callers > 0) {
                let mut config = ZoneConfig::new(name).with_min_endpoints(0);
                for (name, (_, callers)) in names.iter().zip(&counts) {
                    config = config.with_callers(name, *callers);
                }
                let router = ZoneRouter::with_config(config).unwrap();
                let (fleet, _registrations) = fleet(router, instances.clone()).await;
                for (zone, share) in shares(&fleet, &instances, 2000).await {
                    *load.entry(zone).or_default() += share * f64::from(*callers) / f64::from(callers_in_all);
                }
            }
            for (name, (endpoints, _)) in names.iter().zip(&counts) {
                let fair = part(*endpoints, instances.len());
                let load = load.get(name).copied().unwrap_or_default();
                assert!((load - fair).abs() < 0.06, "zone {name}: {load} of all calls, {fair} of the endpoints");
            }
        });
    }
}
