//! Instances from a file.

mod writing;

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use rpc_registry::{
    Amendment, AnnounceConfig, Announcer, Change, Fault, FileScheme, Follow, Freshness, Instance,
    InstanceHandle, InstanceState, Place, Registration, Schemes, Target,
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

struct File(PathBuf);

impl File {
    fn new() -> Self {
        let name = format!("rpc-file-{}-{:x}", std::process::id(), fastrand::u64(..));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.join("services.yaml")
    }

    fn target(&self) -> Target {
        format!("file://{}?name=shop", self.path().display())
            .parse()
            .unwrap()
    }

    /// Replaces it as those do who know how.
    fn replace(&self, text: &str) {
        let new = self.0.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path()).unwrap();
    }

    fn list(&self, ids: &[&str]) {
        let record = |id: &&str| format!("    - {{ id: {id}, endpoints: [\"grpc://10.0.0.1:50051\"] }}\n");
        let records: String = ids.iter().map(record).collect();
        self.replace(&format!("version: 1\nservices:\n  other: []\n  shop:\n{records}"));
    }

    fn follow(&self) -> Follow {
        let resolver = Schemes::new().with(FileScheme).resolver(&self.target()).unwrap();
        Follow::new(&*resolver)
    }

    fn place(&self) -> Place {
        Schemes::new().with(FileScheme).registry(&self.target()).unwrap()
    }

    /// Somebody else changes the file, until this is dropped.
    fn lock(&self) -> fs::File {
        let lock = fs::File::create(self.path().with_extension("yaml.lock")).unwrap();
        lock.lock().unwrap();
        lock
    }

    async fn announce(&self, instance: &Instance) -> Box<dyn Registration> {
        self.place().registry.announce("shop", instance).await.unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn next(follow: &mut Follow) -> Change {
    timeout(Duration::from_mins(1), follow.next())
        .await
        .expect("it is seen")
}

fn ids(change: &Change) -> Vec<&str> {
    let mut ids: Vec<_> = change
        .put
        .iter()
        .map(|listed| listed.instance.id.as_str())
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(start_paused = true)]
async fn changes_are_seen_and_nothing_is_held_back() {
    let file = File::new();
    file.list(&["a", "b", "c", "d"]);
    let mut follow = file.follow();
    assert_eq!(ids(&next(&mut follow).await), ["a", "b", "c", "d"]);
    file.list(&["d", "e"]);
    let change = next(&mut follow).await;
    assert_eq!((ids(&change), change.gone.len()), (vec!["e"], 3));
    // Written in place.
    fs::write(file.path(), "{\"version\": 1, \"services\": {}}").unwrap();
    assert_eq!(next(&mut follow).await.gone.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_keeps_the_last_good_list_and_names_the_field() {
    let file = File::new();
    file.list(&["a"]);
    let mut follow = file.follow();
    next(&mut follow).await;
    for (text, field) in [
        ("", "empty"),
        ("version: 1\nservices: {shop: [", ""),
        ("version: 3\nservices: {}", "`version`"),
        ("version: 1\nservice: {}", "service"),
    ] {
        file.replace(text);
        let change = next(&mut follow).await;
        let Freshness::Stale { fault, .. } = &change.freshness else {
            panic!("{change:?}")
        };
        let said = fault.to_string();
        assert!(said.contains(field) && said.contains("services.yaml"), "{said}");
        assert!(change.gone.is_empty() && change.put.is_empty());
        file.list(&["a"]);
        assert!(matches!(next(&mut follow).await.freshness, Freshness::Live));
    }
    fs::remove_file(file.path()).unwrap();
    assert!(matches!(
        next(&mut follow).await.freshness,
        Freshness::Stale { .. }
    ));
    file.list(&["a", "b"]);
    assert_eq!(ids(&next(&mut follow).await), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_read_again_although_it_looks_the_same() {
    let file = File::new();
    file.list(&["a"]);
    let mut follow = file.follow();
    next(&mut follow).await;
    file.list(&["a", "b"]);
    let text = fs::read(file.path()).unwrap();
    // No text at all: reading it fails.
    fs::write(file.path(), vec![0xff; text.len()]).unwrap();
    let modified = fs::metadata(file.path()).unwrap().modified().unwrap();
    let change = next(&mut follow).await;
    assert!(matches!(change.freshness, Freshness::Stale { .. }), "{change:?}");
    // Told once, however often it is tried.
    assert!(timeout(Duration::from_secs(10), follow.next()).await.is_err());
    let in_place = fs::File::options().write(true).open(file.path()).unwrap();
    (&in_place).write_all(&text).unwrap();
    in_place.set_modified(modified).unwrap();
    let change = next(&mut follow).await;
    assert_eq!(ids(&change), ["b"]);
    assert!(matches!(change.freshness, Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_there_yet_is_waited_for() {
    let file = File::new();
    let mut follow = file.follow();
    let change = next(&mut follow).await;
    assert!(matches!(change.freshness, Freshness::Unresolved(_)), "{change:?}");
    file.list(&["a"]);
    assert_eq!(ids(&next(&mut follow).await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_record_hides_no_good_one() {
    let file = File::new();
    file.replace(
        "version: 1\nservices: {shop: [{id: a, endpoints: ['a:1'], wieght: 1}, {id: b, endpoints: ['b:1']}]}",
    );
    let mut follow = file.follow();
    assert_eq!(ids(&next(&mut follow).await), ["b"]);
    let refused = follow.view().refused;
    assert_eq!(refused[0].id.as_str(), "a");
    assert!(
        refused[0].fault.to_string().contains("wieght"),
        "{}",
        refused[0].fault
    );
}

#[tokio::test]
async fn instances_are_announced_amended_and_withdrawn() {
    let file = File::new();
    let instance = Instance::new("a")
        .with_address("grpc", "10.0.0.1:1".parse().unwrap())
        .with_zone("a")
        .with_metadata("k", "v");
    let mut first = file.announce(&instance).await;
    let mut second = file
        .announce(&Instance::new("b").with_address("grpc", "10.0.0.2:1".parse().unwrap()))
        .await;
    assert!(
        first.verify().await.unwrap().is_none(),
        "it is there as it was written"
    );
    second.withdraw().await.unwrap();
    second.withdraw().await.unwrap();
    assert_eq!(
        second.verify().await.unwrap_err().kind(),
        rpc_registry::FaultKind::Lost
    );
    let drained = Amendment::new().with_state(InstanceState::Draining);
    let place = file.place();
    place.registry.amend("shop", &"a".into(), &drained).await.unwrap();
    let found = first.verify().await.unwrap().expect("it was changed");
    assert_eq!(found.state, InstanceState::Draining);
    assert!(found.metadata.contains_key(Instance::OPERATOR));
    assert!(place.registry.amend("shop", &"b".into(), &drained).await.is_err());
    let refused = Amendment::new().with_groups(["vip,eu"]);
    assert!(place.registry.amend("shop", &"a".into(), &refused).await.is_err());
    assert_eq!(first.verify().await.unwrap(), Some(found));
    first.amend(&instance).await.unwrap();
    let mut follow = file.follow();
    let change = timeout(Duration::from_secs(30), follow.next()).await.unwrap();
    assert_eq!(*change.put[0].instance, instance);
}

/// An announcer, and what it says when it has ended.
fn keep_announced(file: &File) -> (InstanceHandle, JoinHandle<Result<(), Fault>>) {
    let instance = Instance::new("a").with_address("grpc", "10.0.0.1:1".parse().unwrap());
    keep_announced_as(file, instance)
}

fn keep_announced_as(file: &File, instance: Instance) -> (InstanceHandle, JoinHandle<Result<(), Fault>>) {
    let handle = InstanceHandle::new(instance);
    handle.set_healthy(true);
    let announcer = Announcer::new(file.place(), &handle, AnnounceConfig::default());
    (handle, tokio::spawn(announcer.run()))
}

#[tokio::test(start_paused = true)]
async fn a_file_that_makes_no_sense_is_waited_for_and_left_as_it_is() {
    for text in ["", "version: 1\nservices: {shop: ["] {
        let file = File::new();
        file.replace(text);
        let (_handle, announcer) = keep_announced(&file);
        sleep(Duration::from_mins(1)).await;
        assert!(!announcer.is_finished());
        assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
        file.list(&["b"]);
        sleep(Duration::from_mins(1)).await;
        assert_eq!(ids(&next(&mut file.follow()).await), ["a", "b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_deleted_is_written_again() {
    let file = File::new();
    let (_handle, _announcer) = keep_announced(&file);
    sleep(Duration::from_secs(1)).await;
    fs::remove_file(file.path()).unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(ids(&next(&mut file.follow()).await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_the_successor_of_the_same_id_alone() {
    let file = File::new();
    let started = |seconds| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_750_000_000_123_456_789);
        Instance::new("a").with_started_at(time + Duration::from_secs(seconds))
    };
    let (old, old_announcer) = keep_announced_as(&file, started(0));
    sleep(Duration::from_secs(1)).await;
    let (new, new_announcer) = keep_announced_as(&file, started(1));
    sleep(Duration::from_secs(1)).await;
    let mut follow = file.follow();
    next(&mut follow).await;
    let change = timeout(Duration::from_mins(2), follow.next()).await;
    assert!(change.is_err(), "it is in nobody else's hands: {change:?}");
    old.withdraw();
    old_announcer.await.unwrap().unwrap();
    let change = next(&mut file.follow()).await;
    assert_eq!(change.put[0].instance.state, InstanceState::Up, "{change:?}");
    new.amend(&Amendment::new().with_weight(7));
    assert_eq!(next(&mut follow).await.put[0].instance.weight, 7);
    new.withdraw();
    new_announcer.await.unwrap().unwrap();
    while next(&mut follow).await.gone.is_empty() {}
}

#[test]
fn mistakes_in_the_target_are_named() {
    for (target, expected) in [
        ("file://host/a.yaml?name=shop", "three `/`"),
        ("file:///a.yaml", "option `name`"),
        ("file:///a.yaml?name=", "option `name`"),
        ("file:///?name=shop", "no path"),
        ("file:///a.yaml?name=shop&nmae=x", "option `nmae` is not known"),
    ] {
        let target: Target = target.parse().unwrap();
        let error = Schemes::new().with(FileScheme).resolver(&target).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
