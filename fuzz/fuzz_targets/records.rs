//! Records of other frameworks: what is read is sound, and what is written is read the same.

#![no_main]

use rpc_registry::record::{Directory, Layout};

const LAYOUTS: [Layout; 5] = [
    Layout::Kratos,
    Layout::GoZero,
    Layout::Grpc,
    Layout::GoMicro,
    Layout::Kitex,
];

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [layout, length, rest @ ..] = input else { return };
    let layout = LAYOUTS[usize::from(*layout) % LAYOUTS.len()];
    let (tail, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let directory = Directory::new(layout, None, "shop").expect("`shop` is a name");
    let key = [directory.prefix().as_bytes(), tail].concat();
    for instance in directory.read(&key, value).into_iter().flatten() {
        instance.check().expect("what is read is sound");
        // An instance without an address has no record in some layouts.
        let (Ok(Some(record)), Ok(key)) = (directory.write(&instance), directory.key(&instance, 1)) else {
            continue;
        };
        let again = directory.read(key.as_bytes(), &record);
        let [Ok(again)] = &again[..] else { panic!("{again:?}") };
        assert_eq!(again.id, instance.id);
        assert_eq!(again.weight, instance.weight);
        assert_eq!(again.state, instance.state);
    }
});
