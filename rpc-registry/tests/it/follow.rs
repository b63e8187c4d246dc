//! Following a registry that fails.

use std::{collections::VecDeque, time::Duration};

use async_trait::async_trait;
use rpc_registry::{Fault, Follow, Instance, Resolver, Update, Watch};
use tokio::time::{Instant, timeout};

#[derive(Clone, Copy)]
enum Step {
    Away,
    List,
    Absent,
}

use Step::{Absent, Away, List};

struct Script(Vec<Step>);

struct Scripted(VecDeque<Step>);

impl Resolver for Script {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Scripted(self.0.clone().into()))
    }
}

#[async_trait]
impl Watch for Scripted {
    async fn next(&mut self) -> Result<Update, Fault> {
        match self.0.pop_front() {
            Some(Away) => Err(Fault::transient("away")),
            Some(List) => Ok(Update::Snapshot(vec![Ok(Instance::new("a"))])),
            Some(Absent) => Ok(Update::Absent),
            None => std::future::pending().await,
        }
    }
}

fn follow(steps: impl IntoIterator<Item = Step>) -> Follow {
    Follow::new(&Script(steps.into_iter().collect())).with_seed(1)
}

#[tokio::test(start_paused = true)]
async fn a_row_of_faults_is_told_once() {
    let mut follow = follow([List, Away, Away, Away, List, Away, Absent]);
    assert!(matches!(follow.next().await, Update::Snapshot(_)));
    assert!(matches!(follow.next().await, Update::Stale(_)));
    assert!(matches!(follow.next().await, Update::Snapshot(_)));
    assert!(matches!(follow.next().await, Update::Stale(_)));
    assert!(matches!(follow.next().await, Update::Absent));
}

#[tokio::test(start_paused = true)]
async fn it_never_gives_up_and_pauses_at_most_30_seconds() {
    let mut follow = follow([Away; 1000].into_iter().chain([List]));
    let start = Instant::now();
    assert!(matches!(follow.next().await, Update::Stale(_)));
    assert_eq!(start.elapsed(), Duration::ZERO, "the first fault is told at once");
    assert!(matches!(follow.next().await, Update::Snapshot(_)));
    let took = start.elapsed();
    assert!(
        took > Duration::from_hours(1) && took < 1000 * Duration::from_secs(30),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn giving_up_a_wait_loses_nothing() {
    let mut follow = follow([Away, Away, Away, List]);
    assert!(matches!(follow.next().await, Update::Stale(_)));
    let mut waits = 0;
    let update = loop {
        match timeout(Duration::from_millis(10), follow.next()).await {
            Ok(update) => break update,
            Err(_) => waits += 1,
        }
    };
    assert!(matches!(update, Update::Snapshot(_)));
    assert!(waits > 0);
}
