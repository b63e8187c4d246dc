//! Windows of latencies, reports, and what is made of them.

use std::{sync::Arc, time::Duration};

use rpc_core::{load::LoadReport, status::Verdict};
use rpc_lb::{
    Endpoint,
    balance::{
        ShortestResponse, Smart, SmartConfig,
        smart::{PartKind, Score},
    },
    endpoint::{InFlight, Reported},
};
use tokio::time::Instant;

use super::List;
use crate::fleet::call;

fn ended(endpoint: &Endpoint, verdict: Verdict, now: Instant, ms: u64) {
    let took = Duration::from_millis(ms);
    InFlight::begin(endpoint, Some(now.checked_sub(took).unwrap())).end(verdict, || now);
}

fn report(endpoint: &Endpoint, now: Instant, cpu: f32, cores: f32, memory: f32) {
    let mut reported = Reported::default();
    (reported.cpu, reported.cores, reported.memory) = (cpu, cores, memory);
    endpoint.stats().set_reported(reported, now);
}

fn part(score: &Score, kind: PartKind) -> Option<(f32, f32)> {
    let part = score.parts().iter().find(|part| part.kind == kind)?;
    Some((part.points, part.of))
}

fn close(is: f32, wanted: f32) -> bool {
    (is - wanted).abs() <= wanted.abs() * 0.07 + 1e-6
}

fn list(n: usize) -> (Smart, List) {
    let smart = Smart::default().with_seed(1);
    let mut list = List::of(&smart, n);
    list.now += Duration::from_mins(1);
    (smart, list)
}

#[test]
fn a_window_forgets() {
    let (_, list) = list(2);
    let stats = list.endpoints[0].stats();
    for ms in 1..=1000 {
        ended(&list.endpoints[0], Verdict::Healthy, list.now, ms);
    }
    ended(&list.endpoints[0], Verdict::Failed, list.now, 1);
    let recent = stats.recent(list.now);
    assert_eq!((recent.calls, recent.errors), (1001, 1));
    for (is, wanted) in [
        (recent.mean, 500.5),
        (recent.p50, 500.0),
        (recent.p99, 990.0),
        (recent.p999, 999.0),
    ] {
        assert!(close(is, wanted * 1e6), "{is}, not {wanted} ms");
    }
    let later = |seconds| list.now + Duration::from_secs(seconds);
    assert_eq!(stats.recent(later(10)).calls, 1001);
    // Nothing came since: what is there is too old, whether it was cleared or not.
    assert_eq!(stats.recent(later(20)).calls, 0);
    ended(&list.endpoints[0], Verdict::Healthy, later(20), 7);
    let recent = stats.recent(later(20));
    assert_eq!((recent.calls, recent.errors), (1, 0));
    assert!(close(recent.p999, 7e6));
}

#[test]
fn a_stream_that_breaks_after_its_head_is_an_error() {
    let (_, list) = list(2);
    let stats = list.endpoints[0].stats();
    for (verdict, errors) in [
        (Verdict::Failed, 1),
        (Verdict::Doubtful, 2),
        (Verdict::Overloaded, 3),
        (Verdict::Healthy, 3),
        (Verdict::Unknown, 3),
    ] {
        let mut stream = InFlight::begin(&*list.endpoints[0], Some(list.now));
        // It counts once, also where it is said twice.
        stream.head(|| list.now);
        stream.head(|| list.now);
        stream.end(verdict, || list.now);
        assert_eq!(stats.recent(list.now).errors, errors, "{verdict:?}");
    }
    assert_eq!(stats.recent(list.now).calls, 5 + 3);
}

#[test]
fn nothing_is_kept_where_nobody_wants_it() {
    let list = List::of(&rpc_lb::balance::P2c::new(), 2);
    let now = list.now + Duration::from_mins(1);
    ended(&list.endpoints[0], Verdict::Healthy, now, 7);
    assert_eq!(list.endpoints[0].stats().recent(now).calls, 0);
}

#[test]
fn the_age_of_a_report_is_known() {
    let (_, list) = list(2);
    let stats = list.endpoints[0].stats();
    assert_eq!(stats.reported(list.now), None);
    let mut orca = LoadReport::new();
    orca.set_cpu_utilization(0.5).unwrap();
    orca.set_eps(3.0).unwrap();
    stats.set_reported(&orca, list.now);
    let (reported, age) = stats.reported(list.now + Duration::from_secs(3)).unwrap();
    assert_eq!(age, Duration::from_secs(3));
    let mut wanted = Reported::default();
    (wanted.cpu, wanted.eps) = (0.5, 3.0);
    assert_eq!(reported, wanted);

    // What is no load is not known.
    let mut broken = Reported::default();
    (broken.cpu, broken.memory) = (f32::NAN, -1.0);
    stats.set_reported(broken, list.now);
    assert_eq!(stats.reported(list.now).unwrap().0, Reported::default());
}

#[test]
fn a_score_says_what_it_is_made_of() {
    let (smart, list) = list(2);
    for endpoint in &list.endpoints {
        ended(endpoint, Verdict::Healthy, list.now, 10);
    }
    report(&list.endpoints[0], list.now, 0.25, 4.0, 0.92);
    report(&list.endpoints[1], list.now, 0.5, 8.0, 0.5);
    let scores = smart.scores(&list.endpoints, list.now);
    // The busier one has more that is free: 4 of 8 cores, not 3 of 4.
    assert_eq!(part(&scores[0], PartKind::Cpu), Some((1.5, 2.0)));
    assert_eq!(part(&scores[1], PartKind::Cpu), Some((1.0, 2.0)));
    assert_eq!(part(&scores[0], PartKind::Cores), Some((0.375, 0.5)));
    assert_eq!(part(&scores[1], PartKind::Cores), Some((0.5, 0.5)));
    let (points, of) = part(&scores[0], PartKind::Memory).unwrap();
    assert!(close(points, 0.2) && close(of, 0.5));
    assert_eq!(part(&scores[1], PartKind::Memory), Some((0.5, 0.5)));
    assert_eq!(
        scores[0].to_string(),
        "9.1 of 10: cpu 1.5/2.0, cores 0.4/0.5, memory 0.2/0.5, mean 1.5/1.5, tp99 1.0/1.0, tp999 0.5/0.5, \
         errors 2.0/2.0, in_flight 1.0/1.0, state 1.0/1.0"
    );
}

#[test]
fn what_is_not_known_is_left_out_and_the_rest_scaled() {
    let (smart, list) = list(2);
    let scores = smart.scores(&list.endpoints, list.now);
    assert_eq!(
        scores[0].to_string(),
        "10.0 of 10: in_flight 5.0/5.0, state 5.0/5.0"
    );
    // A report that is too old is none.
    report(&list.endpoints[0], list.now, 1.0, 4.0, 1.0);
    let now = list.now + Duration::from_secs(11);
    assert!(part(&smart.scores(&list.endpoints, list.now)[0], PartKind::Cpu).is_some());
    assert_eq!(part(&smart.scores(&list.endpoints, now)[0], PartKind::Cpu), None);
    // A part that counts nothing is left out.
    let mut config = SmartConfig::default();
    (config.cpu, config.cores, config.memory) = (0.0, 0.0, 0.0);
    let scores = Smart::new(config).unwrap().scores(&list.endpoints, list.now);
    assert!(close(scores[0].total(), 10.0), "{}", scores[0]);
}

#[test]
fn worse_is_less() {
    let (smart, list) = list(4);
    for endpoint in &list.endpoints {
        for _ in 0..10 {
            ended(endpoint, Verdict::Healthy, list.now, 10);
        }
    }
    for _ in 0..50 {
        ended(&list.endpoints[1], Verdict::Healthy, list.now, 200);
        ended(&list.endpoints[2], Verdict::Failed, list.now, 1);
    }
    list.endpoints[3].stats().set_weight(10.0);
    let scores = smart.scores(&list.endpoints, list.now);
    let totals: Vec<f32> = scores.iter().map(Score::total).collect();
    for worse in &totals[1..] {
        assert!(*worse < totals[0] - 0.5, "{totals:?}");
    }
    assert!(part(&scores[2], PartKind::Errors).unwrap().0 < 1e-6);
    let (points, of) = part(&scores[3], PartKind::State).unwrap();
    assert!(close(points, of / 10.0));
}

/// The share of an endpoint.
fn share(list: &List, of: usize) -> usize {
    let call = call();
    (0..1000).filter(|_| list.pick(&call) == of).count()
}

#[test]
fn who_is_loaded_or_fails_gets_less() {
    let (_, list) = list(2);
    assert!((400..=600).contains(&share(&list, 0)));
    report(&list.endpoints[0], list.now, 0.9, 4.0, 0.5);
    report(&list.endpoints[1], list.now, 0.3, 4.0, 0.5);
    list.picker.refresh(&list.endpoints, list.now);
    assert_eq!(share(&list, 0), 0);
    // It begins to fail, at once, and reports what it did before.
    for _ in 0..100 {
        ended(&list.endpoints[1], Verdict::Failed, list.now, 1);
    }
    assert_eq!(share(&list, 1), 0);
}

#[test]
fn one_that_is_not_rated_yet_gets_as_much_as_its_peers() {
    for balancer in [
        &Smart::default().with_seed(1) as &dyn rpc_lb::Balancer,
        &ShortestResponse::default().with_seed(1),
    ] {
        let mut list = List::of(balancer, 10);
        list.now += Duration::from_mins(1);
        for endpoint in &list.endpoints[1..] {
            ended(endpoint, Verdict::Healthy, list.now, 10);
        }
        // It comes after the last refresh.
        let before = balancer.picker(&list.endpoints[1..]);
        before.refresh(&list.endpoints[1..], list.now);
        list.picker = balancer.picker(&list.endpoints);
        let before = share(&list, 0);
        assert!((60..=140).contains(&before), "{}: {before}", balancer.name());
        list.picker.refresh(&list.endpoints, list.now);
        let after = share(&list, 0);
        assert!((60..=140).contains(&after), "{}: {after}", balancer.name());
    }
}

#[test]
fn the_shortest_response_is_mean_by_calls_in_flight() {
    let balancer = ShortestResponse::default().with_seed(1);
    let mut list = List::of(&balancer, 2);
    list.now += Duration::from_mins(1);
    ended(&list.endpoints[0], Verdict::Healthy, list.now, 10);
    ended(&list.endpoints[1], Verdict::Healthy, list.now, 35);
    list.picker.refresh(&list.endpoints, list.now);
    let call = call();
    let mut held = Vec::new();
    for wanted in [0, 0, 0, 1, 0] {
        let picked = list.pick(&call);
        assert_eq!(picked, wanted, "after {}", held.len());
        held.push(InFlight::begin(Arc::clone(&list.endpoints[picked]), None));
    }
    held.clear();
    // One that fails is no fast one.
    for _ in 0..20 {
        ended(&list.endpoints[0], Verdict::Failed, list.now, 1);
    }
    list.picker.refresh(&list.endpoints, list.now);
    assert_eq!(share(&list, 0), 0);
}
