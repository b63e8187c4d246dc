use super::{Options, balancers, black_hole, fleet, hops, recovery};

const QUICK: Options = Options { quick: true, seed: 1 };

#[test]
fn the_same_seed_shows_the_same() {
    let rows = |seed| {
        let options = QUICK.with_seed(seed);
        fleet::rows(fleet::Kind::Sick, &[balancers::default()], &[0.75], options)
    };
    let first = rows(7);
    assert_eq!(first, rows(7));
    assert_ne!(first, rows(8));
}

#[test]
fn calls_keep_to_their_lanes_and_attempts_do_not_multiply() {
    let rows = hops::rows(QUICK);
    for row in &rows {
        assert_eq!(row.strayed, 0, "{row:?}");
        assert!(row.in_lane > 0 && row.to_base > 0, "{row:?}");
        assert_eq!(row.attempts.len(), hops::HOPS, "{row:?}");
    }
    let deepest = |name: &str| {
        let row = rows.iter().find(|row| row.setting == name);
        row.unwrap().attempts[hops::HOPS - 1]
    };
    // With each hop's three attempts a lost call is tried thousands of times, as far as its deadline allows.
    let (braked, free) = (deepest(hops::OUTAGE_BRAKED), deepest(hops::OUTAGE_FREE));
    assert!(braked < 2.0 && free > 5.0, "{braked} {free}");
}

#[test]
fn a_black_hole_does_not_attract_calls() {
    let fair = 1.0 / black_hole::INSTANCES as f64;
    for row in black_hole::rows(&balancers::all(), Options::default()) {
        // Half a percent for chance.
        assert!(
            row.at_first <= fair + 0.005 && row.later <= fair + 0.005,
            "{row:?}"
        );
    }
}

#[test]
fn two_sick_instances_of_five_are_felt_for_less_than_ten_seconds() {
    for seed in 1..=3 {
        let rows = recovery::rows(&[balancers::default()], Options::default().with_seed(seed));
        let row = &rows[0];
        assert!(
            row.recovered_after.is_some_and(|after| after < 10.0),
            "seed {seed}: {row:?}"
        );
        assert!(
            row.settled_p99_ms <= 1.5 * row.healthy_p99_ms,
            "seed {seed}: {row:?}"
        );
    }
}

#[test]
fn policies_come_in_the_order_of_the_paper() {
    // As the Prequal paper has it at high load, of the policies that it has and we have: its weighted round robin is ours by load
    // reports, its least loaded of two is ours by calls in flight.
    let rows = |load: f64, names: &[&'static str], options| {
        let settings: Vec<_> = names.iter().map(|name| balancers::named(name)).collect();
        fleet::rows(fleet::Kind::Paper, &settings, &[load], options)
    };
    let in_order = |rows: &[fleet::Row], of: fn(&fleet::Row) -> f64| {
        let values: Vec<_> = rows.iter().map(|row| (&row.balancer, of(row))).collect();
        assert!(values.is_sorted_by(|one, other| one.1 < other.1), "{values:?}");
    };
    // Weights are as good as any as long as there is room, and of little use when there is none.
    // Weights need their time to be found out.
    let rest = rows(0.75, &["prequal", "orca", "least_request"], Options::default());
    in_order(&rest, |row| row.summary.p99_ms);
    let full = rows(
        0.9,
        &["prequal", "least_request", "orca", "random"],
        QUICK.with_seed(2),
    );
    in_order(&full, |row| row.summary.p90_ms);
}
