//! What changes of keys mean.

use super::*;
use crate::{Instance, record::Layout};

fn known(layout: Layout) -> Known {
    Known::new(Directory::new(layout, None, "shop").expect("`shop` is a name"))
}

fn instance(id: &str) -> Instance {
    Instance::new(id).with_address("grpc", "10.0.0.1:50051".parse().expect("an address"))
}

/// A key that tells of an instance.
fn told(known: &Known, key: &str, revision: i64, instance: &Instance) -> Written {
    let value = known.directory.write(instance).expect("it can be written");
    Written {
        value: value.map(Bytes::from),
        ..deleted(known, key, revision)
    }
}

/// A key whose record cannot be read.
fn bad(known: &Known, key: &str, revision: i64) -> Written {
    Written {
        value: Some("?".into()),
        ..deleted(known, key, revision)
    }
}

fn deleted(known: &Known, key: &str, revision: i64) -> Written {
    Written {
        key: format!("{}{key}", known.directory.prefix()).into(),
        value: None,
        revision,
    }
}

/// An update in words: `+a` is put, `!a` is a bad record, `-a` is gone.
fn words(update: &Update) -> String {
    let put = |record: &Record| match record {
        Ok(instance) if instance.state == InstanceState::Up => format!("+{}", instance.id),
        Ok(instance) => format!("+{} {}", instance.id, instance.state),
        Err(bad) => format!("!{}", bad.id),
    };
    match update {
        Update::Snapshot(records) => records.iter().map(put).collect::<Vec<_>>().join(" "),
        Update::Delta { put: records, gone } => {
            let gone = gone.iter().map(|id| format!("-{id}"));
            records.iter().map(put).chain(gone).collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    }
}

fn changed(known: &mut Known, changes: impl IntoIterator<Item = Written>) -> Vec<String> {
    known.change(changes).iter().map(words).collect()
}

#[test]
fn a_mark_is_told_before_what_was_taken_out_right_after_it() {
    let mut known = known(Layout::Kratos);
    let list = ["a", "b", "c"].map(|id| told(&known, id, 1, &instance(id)));
    known.list(list);
    let marked = |known: &Known, id| told(known, id, 2, &instance(id).with_state(InstanceState::Draining));
    let changes = [
        marked(&known, "a"),
        marked(&known, "b"),
        deleted(&known, "a", 3),
        deleted(&known, "b", 3),
        deleted(&known, "c", 4),
    ];
    assert_eq!(
        changed(&mut known, changes),
        ["+a draining +b draining", "-a -b -c"]
    );
    // What came and went meanwhile is no news.
    let changes = [
        told(&known, "d", 5, &instance("d")),
        deleted(&known, "d", 6),
        told(&known, "e", 7, &instance("e")),
    ];
    assert_eq!(changed(&mut known, changes), ["+e -d"]);
}

#[test]
fn of_two_keys_of_one_instance_the_last_written_counts() {
    let mut known = known(Layout::Kratos);
    // A process that came back at another address: the key of its old lease comes later in the list.
    let old = instance("a").with_weight(1);
    let new = instance("a").with_weight(2);
    let list = [told(&known, "x", 9, &new), told(&known, "y", 5, &old)];
    let Update::Snapshot(records) = known.list(list) else {
        panic!("there are two")
    };
    let weights: Vec<_> = records.iter().flatten().map(|instance| instance.weight).collect();
    assert_eq!(weights, [1, 2]);
    // Its old lease ends: nothing changes.
    let old_ends = [deleted(&known, "y", 10)];
    assert_eq!(changed(&mut known, old_ends), [""; 0]);
    assert!(!known.is_unclear());
    // Amended, it stays the same key's.
    let amended = [told(&known, "x", 11, &old)];
    assert_eq!(changed(&mut known, amended), ["+a"]);
    assert!(!known.is_unclear());

    // The other way round what the old one says is in force again.
    let list = [told(&known, "x", 9, &new), told(&known, "y", 5, &old)];
    known.list(list);
    let new_ends = [deleted(&known, "x", 10)];
    assert_eq!(changed(&mut known, new_ends), [""; 0]);
    assert!(known.is_unclear());
    let list = [told(&known, "y", 5, &old)];
    known.list(list);
    assert!(!known.is_unclear());
    let old_ends = [deleted(&known, "y", 11)];
    assert_eq!(changed(&mut known, old_ends), ["-a"]);
}

#[test]
fn a_key_that_cannot_be_read_can_go_like_any_other() {
    let mut known = known(Layout::Kratos);
    // Whatever it told before this list.
    let list = [bad(&known, "a", 1), told(&known, "b", 1, &instance("b"))];
    assert_eq!(words(&known.list(list)), "!a +b");
    let deletion = [deleted(&known, "a", 2)];
    assert_eq!(changed(&mut known, deletion), ["-a"]);
    // It takes nothing away as long as it is there.
    let spoiled = [bad(&known, "b", 3)];
    assert_eq!(changed(&mut known, spoiled), ["!b"]);
    let mended = [told(&known, "b", 4, &instance("b"))];
    assert_eq!(changed(&mut known, mended), ["+b"]);
    // All at once.
    let changes = [bad(&known, "b", 5), deleted(&known, "b", 6)];
    assert_eq!(changed(&mut known, changes), ["-b"]);
}

#[test]
fn a_record_that_can_no_longer_be_read_goes_by_the_name_that_it_had() {
    let mut known = known(Layout::Kitex);
    // The key is called by the address.
    let list = [told(&known, "key", 1, &instance("a"))];
    assert_eq!(words(&known.list(list)), "+a");
    let spoiled = [bad(&known, "key", 2)];
    assert_eq!(changed(&mut known, spoiled), ["!a"]);
    // Also when everything is listed anew, and however often.
    for revision in [2, 3] {
        let list = [bad(&known, "key", revision)];
        assert_eq!(words(&known.list(list)), "!a");
    }
    let mended = [told(&known, "key", 4, &instance("a"))];
    assert_eq!(changed(&mut known, mended), ["+a"]);
    let changes = [bad(&known, "key", 5), deleted(&known, "key", 6)];
    assert_eq!(changed(&mut known, changes), ["-a"]);
    // And then it has none.
    let list = [bad(&known, "key", 7)];
    assert_eq!(words(&known.list(list)), "!key");
    let mended = [told(&known, "key", 8, &instance("a"))];
    assert_eq!(changed(&mut known, mended), ["+a -key"]);
}

#[test]
fn the_eldest_and_the_youngest_key_are_witnesses() {
    let mut known = known(Layout::Kratos);
    assert_eq!(known.witnesses(), []);
    let key = |known: &Known, id: &str| Bytes::from(format!("{}{id}", known.directory.prefix()));
    let list = [told(&known, "a", 7, &instance("a"))];
    known.list(list);
    assert_eq!(known.witnesses(), [(key(&known, "a"), 7)]);
    let changes = [
        told(&known, "b", 8, &instance("b")),
        // Also one that cannot be read.
        bad(&known, "c", 9),
    ];
    known.change(changes);
    assert_eq!(known.witnesses(), [(key(&known, "a"), 7), (key(&known, "c"), 9)]);
}
