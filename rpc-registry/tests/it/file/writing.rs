//! Several who change one file.

use std::{
    fs,
    future::poll_fn,
    sync::{Arc, mpsc},
    task::Poll,
    time::Duration,
};

use rpc_registry::{Amendment, Instance, InstanceState};
use tokio::time::timeout;

use super::{File, ids, next};

#[test]
fn what_was_given_up_is_not_written_later() {
    // A single thread for files: what was given up has its turn before what follows.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let file = File::new();
        let instance = |id: &str| Instance::new(id).with_address("grpc", "10.0.0.1:1".parse().unwrap());
        let mut known = file.announce(&instance("b")).await;
        let lock = file.lock();
        let (place, given_up) = (file.place(), instance("a"));
        let given_up = place.registry.announce("shop", &given_up);
        let drained = Amendment::new().with_state(InstanceState::Draining);
        let (b, heavy) = ("b".into(), instance("b").with_weight(7));
        assert!(timeout(Duration::ZERO, given_up).await.is_err(), "it is locked");
        for _ in 0..2 {
            let by_operator = place.registry.amend("shop", &b, &drained);
            assert!(timeout(Duration::ZERO, by_operator).await.is_err());
            assert!(timeout(Duration::ZERO, known.amend(&heavy)).await.is_err());
            assert!(timeout(Duration::ZERO, known.withdraw()).await.is_err());
        }
        drop(lock);
        let _other = file.announce(&instance("c")).await;
        let change = next(&mut file.follow()).await;
        assert_eq!(ids(&change), ["b", "c"]);
        let mut found = change.put.iter().map(|listed| (*listed.instance).clone());
        assert!(found.any(|found| found == instance("b")), "{change:?}");
    });
}

#[test]
fn who_writes_has_the_lock_also_when_that_was_given_up() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let file = File::new();
        drop(file.lock());
        let is_locked = || {
            fs::File::open(file.path().with_extension("yaml.lock")).is_ok_and(|lock| lock.try_lock().is_err())
        };
        let (place, instance) = (file.place(), Instance::new("a"));
        let mut announced = place.registry.announce("shop", &instance);
        let mut waits = async || poll_fn(|cx| Poll::Ready(announced.as_mut().poll(cx).is_pending())).await;
        assert!(waits().await, "for the lock");
        // The only thread has taken it when it is free for this.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        assert!(is_locked());
        let (go_on, goes_on) = mpsc::channel::<()>();
        let thread = tokio::task::spawn_blocking(move || goes_on.recv().is_err());
        assert!(waits().await, "for the thread, to write");
        drop(announced);
        assert!(is_locked(), "the writing is still to come");
        drop(go_on);
        assert!(thread.await.unwrap());
        drop(file.lock());
        assert!(!file.path().exists(), "it was given up");
    });
}

#[test]
fn a_runtime_ends_while_somebody_waits_for_the_file() {
    let file = File::new();
    let lock = file.lock();
    let place = file.place();
    let (ended, has_ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        runtime.block_on(async {
            let instance = Instance::new("a");
            let announced = place.registry.announce("shop", &instance);
            assert!(timeout(Duration::from_millis(50), announced).await.is_err());
        });
        drop(runtime);
        ended.send(()).unwrap();
    });
    has_ended.recv_timeout(Duration::from_secs(30)).expect("it ends");
    drop(lock);
}

#[cfg(unix)]
#[tokio::test]
async fn writing_keeps_mode_owner_and_link() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    let file = File::new();
    let real = file.0.join("real.yaml");
    fs::write(&real, "version: 1\nservices: {}").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&real).unwrap();
    symlink("real.yaml", file.path()).unwrap();
    let lock = file.0.join("real.yaml.lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o444)).unwrap();

    let _announced = file.announce(&Instance::new("a")).await;
    assert!(fs::symlink_metadata(file.path()).unwrap().is_symlink());
    let after = fs::metadata(&real).unwrap();
    assert_ne!(after.len(), before.len());
    let of = |found: &fs::Metadata| (found.mode(), found.uid(), found.gid());
    assert_eq!(of(&after), of(&before));
    assert!(
        !file.path().with_extension("yaml.lock").exists(),
        "others lock the file itself"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn what_lies_beside_it_is_left_alone() {
    use std::os::unix::fs::symlink;

    let file = File::new();
    file.list(&["b"]);
    let victim = file.0.join("victim");
    fs::write(&victim, "precious").unwrap();
    // Under a name that could be guessed.
    symlink(
        "victim",
        file.path()
            .with_extension(format!("yaml.{:x}", std::process::id())),
    )
    .unwrap();
    let _announced = file.announce(&Instance::new("a")).await;
    assert_eq!(ids(&next(&mut file.follow()).await), ["a", "b"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    let names = fs::read_dir(&file.0).unwrap().count();
    assert_eq!(names, 4, "the file, its lock, the link and where that leads");
}

#[tokio::test]
async fn whatever_is_announced_can_be_read() {
    let file = File::new();
    // JSON takes all of it as it is; YAML does not.
    let odd = Instance::new("a")
        .with_metadata("\u{7f}", "\u{85}\u{9f}\u{2028}\u{feff}\u{fffe}")
        .with_metadata("k".repeat(2_000), "v");
    let mut first = file.announce(&odd).await;
    let _second = file.announce(&Instance::new("b")).await;
    assert_eq!(first.verify().await.unwrap(), None);
    let change = next(&mut file.follow()).await;
    assert_eq!(ids(&change), ["a", "b"]);
    assert!(
        change.put.iter().any(|listed| *listed.instance == odd),
        "{change:?}"
    );
}

#[tokio::test]
async fn an_operator_may_amend_what_no_provider_would_have_written() {
    let file = File::new();
    file.replace("version: 1\nservices: {shop: [{id: a, endpoints: ['a:1'], groups: ['vip,eu']}]}");
    let registry = file.place().registry;
    let drained = Amendment::new().with_state(InstanceState::Draining);
    registry.amend("shop", &"a".into(), &drained).await.unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.contains("draining") && text.contains("vip,eu"), "{text}");
    let refused = Amendment::new().with_groups(["vip,us"]);
    let fault = registry.amend("shop", &"a".into(), &refused).await.unwrap_err();
    assert!(fault.to_string().contains("`groups`"), "{fault}");
}

#[cfg(unix)]
#[tokio::test]
async fn no_lock_is_made_where_a_link_leads() {
    let (file, elsewhere) = (File::new(), File::new());
    let lock = file.path().with_extension("yaml.lock");
    std::os::unix::fs::symlink(elsewhere.path(), &lock).unwrap();
    let announced = file.place().registry.announce("shop", &Instance::new("a")).await;
    let fault = announced.err().expect("there is no lock");
    assert!(fault.to_string().contains("services.yaml.lock"), "{fault}");
    assert!(!elsewhere.path().exists() && !file.path().exists());
}

#[tokio::test]
async fn a_lock_that_cannot_be_taken_is_named() {
    let file = File::new();
    fs::create_dir(file.path().with_extension("yaml.lock")).unwrap();
    let announced = file.place().registry.announce("shop", &Instance::new("a")).await;
    let fault = announced.err().expect("a folder is no lock");
    assert!(fault.to_string().contains("services.yaml.lock"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_change_it_at_once_and_none_is_lost() {
    let file = Arc::new(File::new());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let file = Arc::clone(&file);
        tasks.spawn(async move {
            let instance =
                Instance::new(format!("i-{n}")).with_address("grpc", "10.0.0.1:1".parse().unwrap());
            let mut registration = file.announce(&instance).await;
            if n % 2 == 0 {
                registration.withdraw().await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let mut follow = file.follow();
    let change = timeout(Duration::from_secs(30), follow.next()).await.unwrap();
    assert_eq!(change.put.len(), 20);
}
