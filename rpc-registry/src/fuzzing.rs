//! What the fuzz targets in `fuzz/` call: one function a target, which panics if a promise is broken.
//!
//! They are here because the codings are private. No part of the API.

use crate::{Instance, Record, backend::file::document::Document, follow::cache};

const TARGET: &str = "memory:///shop";
const SERVICE: &str = "shop";

/// A file of instances: it is refused, or its good records are sound and read the same after they were written.
pub fn instances_file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(document) = Document::parse(text) else {
        return;
    };
    for name in document.names() {
        let mut written = Document::empty();
        let mut last = std::collections::BTreeMap::new();
        for instance in sound(document.records(name)) {
            written
                .put(SERVICE, &instance)
                .expect("what was read can be written");
            // A file that names an id twice is written with the later one.
            last.insert(instance.id.clone(), instance);
        }
        let text = written.to_text().expect("a document can be written");
        let again = Document::parse(&text).expect("what was written can be read");
        let again = sound(again.records(SERVICE));
        assert_eq!(again.len(), last.len());
        for instance in again {
            assert_eq!(Some(&instance), last.get(&instance.id));
        }
    }
}

/// A list on disk: as a whole file, and as the list in a file whose checksum fits. It is refused, or its records are sound
/// and read the same after they were written.
pub fn disk_cache(input: &[u8]) {
    let _ = cache::decode(input, TARGET);
    let Ok(file) = cache::envelope(TARGET, input) else {
        return;
    };
    let Ok(saved) = cache::decode(&file, TARGET) else {
        return;
    };
    let instances: Vec<Instance> = sound(saved.instances.into_iter().map(Ok).collect());
    let list: Vec<_> = instances.iter().cloned().map(Into::into).collect();
    let file = cache::encode(TARGET, &list).expect("what was read can be written");
    let again = cache::decode(&file, TARGET).expect("what was written can be read");
    assert_eq!(again.instances, instances);
}

fn sound(records: Vec<Record>) -> Vec<Instance> {
    let good: Vec<_> = records.into_iter().flatten().collect();
    for instance in &good {
        instance.check().expect("what is read is sound");
    }
    good
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Records as people write them, well and badly.
    fn record() -> impl Strategy<Value = String> {
        let field = prop::sample::select(vec![
            r#""endpoints":["grpc://10.0.0.1:1"]"#,
            r#""endpoints":["local"]"#,
            r#""endpoints":["unix:/run/shop.sock"],"zone":"a""#,
            r#""weight":7"#,
            r#""weight":-1"#,
            r#""lane":"red""#,
            r#""groups":["vip","vip"]"#,
            r#""state":"draining""#,
            r#""state":"on""#,
            r#""started_at_ms":18446744073709551615"#,
            r#""started_at_ms":1"#,
            r#""metadata":{"k":""},"unknown":{"":"v"}"#,
        ]);
        let fields = prop::collection::vec(field, 0..5);
        ("[a-c]{0,2}", fields).prop_map(|(id, mut fields)| {
            fields.sort_unstable();
            fields.dedup();
            let id = format!(r#""id":"{id}""#);
            fields.insert(0, &id);
            format!("{{{}}}", fields.join(","))
        })
    }

    fn list() -> impl Strategy<Value = String> {
        prop::collection::vec(record(), 0..5).prop_map(|records| format!("[{}]", records.join(",")))
    }

    proptest! {
        #[test]
        fn any_file_of_instances_is_read_soundly(bytes in any::<Vec<u8>>(), text in ".{0,200}", list in list()) {
            instances_file(&bytes);
            instances_file(text.as_bytes());
            instances_file(format!(r#"{{"version":1,"services":{{"a":{list}}}}}"#).as_bytes());
        }

        #[test]
        fn any_list_on_disk_is_read_soundly(bytes in any::<Vec<u8>>(), list in list()) {
            disk_cache(&bytes);
            disk_cache(list.as_bytes());
        }
    }

    #[test]
    fn what_these_tests_make_up_is_read() {
        let text =
            r#"[{"id":"a","endpoints":["grpc://10.0.0.1:1"]},{"id":"b","endpoints":[],"weight":"red"}]"#;
        let file = cache::envelope(TARGET, text.as_bytes()).unwrap();
        assert_eq!(cache::decode(&file, TARGET).unwrap().instances.len(), 1);
        let document = Document::parse(&format!(r#"{{"version":1,"services":{{"a":{text}}}}}"#)).unwrap();
        assert_eq!(sound(document.records("a")).len(), 1);
    }
}
