//! Files of instances, YAML or JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc_registry::fuzzing::instances_file(input));
